"""The command line, in this process and in another."""

from __future__ import annotations

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
