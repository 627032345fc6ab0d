"""The command line: one thin file a command. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import os
import signal
import sys
import threading

__all__ = ["main"]


def main() -> None:
    """Runs the command line; an error that the user can mend becomes one sentence and exit code 2."""
    from rmeval.cli.app import app
    from rmeval.errors import RmevalError

    # A batch system ends jobs with SIGTERM: leave, as after Ctrl-C, as from any exit, so that the lock is released.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    sys.unraisablehook = _again
    try:
        app()
    except RmevalError as error:
        sys.stderr.write(f"error: {error}\n")
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


def _again(found: sys.UnraisableHookArgs) -> None:
    """Sends a signal again that came while an object was finalised, where Python ignores what is raised."""
    if not isinstance(found.exc_value, _Stopped):
        sys.__unraisablehook__(found)
        return
    # Later and from elsewhere: sent from here, it would come while this hook runs, and be ignored again.
    later = threading.Timer(0.01, os.kill, (os.getpid(), found.exc_value.args[0]))
    later.daemon = True
    later.start()


def _leave(number: int, frame: object) -> None:
    raise _Stopped(number)
