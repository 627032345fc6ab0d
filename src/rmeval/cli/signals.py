"""Signals that end the process: leave as from any exit, so that files are closed and the lock is released."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import CodeType, FrameType

__all__ = ["Stopped", "came", "catch", "let_go"]

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP.


class Stopped(BaseException):
    """A signal to end; neither an error nor an exit, which a user's scorer may cause and is caught there."""


_PATIENCE = 2.0
"""Seconds after a signal in which the process closes its files; a later signal ends it at once."""


_came: list[int] = []
"""Numbers of the signals that have come."""


def came() -> int | None:
    """The number of the signal that came first; None if none has."""
    return _came[0] if _came else None


def catch() -> None:
    """Raises `Stopped` at the first signal, ignores those that soon follow, and ends the process at a later one.

    A signal that the caller ignores, as `nohup` does with SIGHUP, stays ignored.
    """
    since = 0.0
    _came.clear()

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal since
        if _within(frame, again.__code__):
            _send_later(number)  # Raised here, it would be ignored again.
            return
        _came.append(number)
        if len(_came) == 1:
            since = time.monotonic()
            raise Stopped(number)
        if time.monotonic() - since > _PATIENCE:
            os._exit(128 + number)

    def again(found: sys.UnraisableHookArgs) -> None:
        """Sends a signal again that came while an object was finalised, where Python ignores what is raised."""
        if not isinstance(found.exc_value, Stopped):
            sys.__unraisablehook__(found)
            return
        _came.clear()
        _send_later(found.exc_value.args[0])

    sys.unraisablehook = again
    for one in _SIGNALS:
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, stop)


def _within(frame: FrameType | None, code: CodeType) -> bool:
    """Whether a frame is that of a function, or of something it calls."""
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None


def _send_later(number: int) -> None:
    """Send a signal to this process from another thread, after a moment."""
    later = threading.Timer(0.01, os.kill, (os.getpid(), number))
    later.daemon = True
    later.start()


def let_go() -> None:
    """Lets the next signal end the process, once all files are closed."""
    for one in _SIGNALS:
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, signal.SIG_DFL)
