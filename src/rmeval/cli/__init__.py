"""The command line: one thin file a command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

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
        # Code of other packages may turn what a signal raises into an error of its own.
        number = signals.came() or (signal.SIGINT if isinstance(error, KeyboardInterrupt) else None)
        if number is None:
            raise
        output.echo("", "stopped: a run keeps what it has scored, and the same command goes on from there", err=True)
        # What a shell expects of a process that a signal has ended.
        code = 128 + number
        signals.let_go()
    output.settle(sys.stdout)
    output.settle(sys.stderr)
    sys.exit(code)


def _outcome() -> int:
    """The exit code of the command, after one sentence where something is wrong that the user can change."""
    try:
        code = _command()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Who reads the output has seen enough, as in `rmeval show runs/ | head`.
        return _BROKEN_PIPE
    except (RmevalError, OSError, MemoryError, RuntimeError, ImportError, ValueError) as error:
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
    except FileNotFoundError as error:  # Libraries of torch end the process over it.
        raise RmevalError(
            "the current folder has been deleted: change to another, and give the same command"
        ) from error
    usage_error: Any = typer.BadParameter.__base__  # typer exports no name for it.
    try:
        code = app(standalone_mode=False)
    except typer.Abort as abort:
        # typer takes any EOFError for the end of what a user types; rmeval asks nothing.
        raise (abort.__cause__ or abort) from None
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # typer exits with 1.
            raise stop.__context__ from None
        raise
    except usage_error as error:
        _explain_usage(error)
        return 2
    return code if isinstance(code, int) else 0


def _explain_usage(error: Any) -> None:
    message, context = " ".join(error.format_message().split()), error.ctx
    if type(error).__name__ == "NoArgsIsHelpError":
        return  # The help is printed.
    path = context.command_path if context else "rmeval"
    output.complain(f"{message[:1].lower()}{message[1:].rstrip('.')}; {path} -h lists what it takes")
