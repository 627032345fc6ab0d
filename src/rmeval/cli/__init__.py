"""The command line: one short file per command. A command imports heavy packages only when it runs."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from typing import Any

from rmeval.cli import output, signals
from rmeval.cli.failures import sentence_of
from rmeval.errors import RmevalError

__all__ = ["main"]


def main() -> None:
    """Runs the command line and exits: 0 done, 1 a check did not hold, 2 wrong input, 128 and a signal's number."""
    try:
        signals.catch()
        output.prepare()
        code = _outcome()
        signals.let_go()
    except BaseException as error:
        # Other packages may replace the exception that a signal raises by their own.
        number = signals.came() or (signal.SIGINT if isinstance(error, KeyboardInterrupt) else None)
        if number is None:
            raise
        output.echo("", _stopped(), err=True)
        # The exit code that shells expect of a process ended by a signal.
        code = 128 + number
        signals.let_go()
    output.settle(sys.stdout)
    output.settle(sys.stderr)
    sys.exit(code)


_CONTINUED = ("demo", "run", "score", "sweep")
"""Commands that continue where they stopped."""
_STOPPED = "stopped: the run keeps what it has scored; run the same command again to continue"


_STOPPED_BUILD = "stopped: the build keeps every answer; run the same command again to continue"


def _stopped() -> str:
    """What is said of a command that a signal has ended."""
    if sys.argv[1:2] == ["build"]:
        config = sys.argv[2:3] == ["run"] or Path(sys.argv[2] if sys.argv[2:] else "").suffix in (".yaml", ".yml")
        return _STOPPED_BUILD if config else "stopped"
    return _STOPPED if sys.argv[1:2] and sys.argv[1] in _CONTINUED else "stopped"


def _outcome() -> int:
    """The exit code of the command, after one sentence if the user can correct the error."""
    try:
        code = _command()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader closed the pipe, as in `rmeval show runs/ | head`.
        return _BROKEN_PIPE
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None or signals.came():
            raise
        output.complain(sentence)
        return 2


_BROKEN_PIPE = 141
"""128 and the number of SIGPIPE."""


def _command() -> int:
    import typer

    from rmeval.cli.app import app

    try:
        Path.cwd()
    except FileNotFoundError as error:  # Libraries of torch abort in such a folder.
        raise RmevalError(
            "the current folder was deleted: change to another folder and run the same command again"
        ) from error
    if (empty := _empty(sys.argv)) is not None:
        raise RmevalError(f"{empty} is empty, as from a shell variable that is not set: give a value, or leave it out")
    usage_error: Any = typer.BadParameter.__base__  # typer exports no name for it.
    try:
        code = app(standalone_mode=False)
    except typer.Abort as abort:
        # typer treats EOFError as the end of user input; rmeval reads none.
        raise (abort.__cause__ or abort) from None
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # typer exits with 1.
            raise stop.__context__ from None
        raise
    except usage_error as error:
        from rmeval.cli.usage import usage_sentence

        if sentence := usage_sentence(error):
            output.complain(sentence)
        return 2
    return code if isinstance(code, int) else 0


def _empty(given: list[str]) -> str | None:
    """Name the first argument that is empty, which as a path would be the current folder; None if none is."""
    for number in range(1, len(given)):
        before, own = given[number - 1], given[number]
        if not own:
            return before if number > 1 and before.startswith("-") else f"argument {number}"
        if re.fullmatch("--[a-z-]+=", own):
            return own.removesuffix("=")
    return None
