"""The command line, in this process and in another."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import typer.main


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> Done:
    """Runs `rmeval ARGUMENTS` here; an exit is a result."""
    from rmeval.cli import main

    before = sys.argv
    sys.argv = ["rmeval", *map(str, arguments)]
    code = 0
    try:
        with built_commands():
            main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
    finally:
        sys.argv = before
    out, err = capsys.readouterr()
    return Done(code, out, err)


@contextmanager
def built_commands() -> Iterator[None]:
    """Replace the application by its commands, which typer otherwise builds at each call, and slowly."""
    import rmeval.cli.app as module

    before: Any = module.app
    module.app = _built(before)
    try:
        yield
    finally:
        module.app = before


@cache
def _built(app: typer.Typer) -> Any:
    from rmeval.cli.flags import with_options

    with_options("`rule`")  # It reads the options of the application.
    return typer.main.get_command(app)


def running(*arguments: object) -> subprocess.Popen[str]:
    """Starts `rmeval ARGUMENTS` in a process that signals end, also where the shell started the tests in background."""

    def heed() -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    command_line = [sys.executable, "-m", "rmeval", *map(str, arguments)]
    return subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True, preexec_fn=heed)


@contextmanager
def serving(*arguments: object) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `rmeval ARGUMENTS`, a command that prints the address of its pages first, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rmeval", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, process.communicate()[1]
        yield found[0], process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def process(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `python ARGUMENTS` in a process of its own."""
    import os

    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | environment,
    )
