"""The command line: one thin file a command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command line; an error that the user can mend becomes one sentence and exit code 2."""
    from rmeval.cli.app import app
    from rmeval.errors import RmevalError

    # A batch system ends jobs with SIGTERM: leave, as after Ctrl-C, as from any exit, so that the lock is released.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    try:
        app()
    except RmevalError as error:
        from rmeval.redaction import redacted

        sys.stderr.write(f"error: {redacted(str(error))}\n")
        sys.exit(2)
    except _Stopped as stop:
        sys.stderr.write("\nstopped: a run keeps what it has scored, and the same command goes on from there\n")
        sys.exit(128 + stop.args[0])
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"error: {where}{error.strerror or error}; check the path and its permissions\n")
        sys.exit(2)


class _Stopped(BaseException):
    """A signal to end; neither an error nor an exit, which a user's scorer may cause and is caught there."""


def _leave(number: int, frame: object) -> None:
    raise _Stopped(number)
