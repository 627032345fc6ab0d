"""Signals that end the process: leave as from any exit, so that files are closed and the lock is released."""

from __future__ import annotations

import os
import signal

__all__ = ["Stopped", "catch", "let_go"]

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP.


class Stopped(BaseException):
    """A signal to end; neither an error nor an exit, which a user's scorer may cause and is caught there."""

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that a signal has ended."""
        return 128 + int(self.args[0])


def catch() -> None:
    """Raises `Stopped` at the first signal. A second is ignored, since work is under way to end; a third ends at once.

    A signal that the caller ignores, as `nohup` does with SIGHUP, stays ignored.
    """
    received = 0

    def stop(number: int, frame: object) -> None:
        nonlocal received
        received += 1
        if received == 1:
            raise Stopped(number)
        if received > 2:
            os._exit(128 + number)

    for one in _SIGNALS:
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, stop)


def let_go() -> None:
    """Lets the next signal end the process: nothing is left to be closed."""
    for one in _SIGNALS:
        if signal.getsignal(one) is not signal.SIG_IGN:
            signal.signal(one, signal.SIG_DFL)
