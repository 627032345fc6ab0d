"""The command line: one thin file a command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any

from rmeval.cli import output, signals
from rmeval.errors import RmevalError

__all__ = ["main"]


def main() -> None:
    """Runs the command line and exits: 0 done, 1 a check did not hold, 2 wrong input, 128 and a signal's number."""
    try:
        signals.catch()
        output.prepare()
        code = _outcome()
        signals.let_go()
    except (signals.Stopped, KeyboardInterrupt) as stop:  # The latter before `catch`.
        output.echo("", "stopped: a run keeps what it has scored, and the same command goes on from there", err=True)
        code = stop.exit_code if isinstance(stop, signals.Stopped) else 130
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
    except (RmevalError, OSError, MemoryError, RuntimeError, ImportError) as error:
        sentence = _sentence(error)
        if sentence is None:
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
    where = f"; {context.command_path} -h lists what it takes" if context else ""
    output.complain(f"{message[:1].lower()}{message[1:].rstrip('.')}{where}")


_MEMORY = (
    "there is not enough memory; what was scored so far is kept, and the same command goes on from there: give fewer "
    "items (--n-items) or a smaller --batch-size, or run it where there is more memory"
)


_MEMORY_SAID = ("allocate memory", "not enough memory", "failed to map segment", "can't start new thread")
"""What the system, torch and the loader of libraries say of it."""


def _sentence(error: BaseException) -> str | None:
    """What a user reads of an error; nothing of one that only a change of rmeval's code would avoid."""
    if isinstance(error, RmevalError):
        return str(error)
    if isinstance(error, MemoryError) or any(said in str(error) for said in _MEMORY_SAID):
        return _MEMORY
    if isinstance(error, RecursionError):
        return "lists, objects or expressions are nested too deeply in one of the files: make them flatter"
    if "home directory" in str(error):  # No HOME, and no entry for the user: pathlib's error, in any library.
        return "this user has no home folder to keep downloads in: set HOME to a folder that may be written to"
    return _of_system(error) if isinstance(error, OSError) else None


def _of_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    reason = error.strerror or error
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = where or "standard output or a temporary file: "
        return f"{where}{reason}: free some space or choose another place, and give the same command again"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{where}{reason}: raise the number of files that a process may open (ulimit -n)"
    return f"{where}{reason}; check the path and its permissions"
