"""The command line, in this process and in another."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest


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
        main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
    finally:
        sys.argv = before
    out, err = capsys.readouterr()
    return Done(code, out, err)


def running(*arguments: object) -> subprocess.Popen[str]:
    """Starts `rmeval ARGUMENTS` in a process that signals end, also where the shell started the tests in background."""

    def heed() -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    command_line = [sys.executable, "-m", "rmeval", *map(str, arguments)]
    return subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True, preexec_fn=heed)


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
