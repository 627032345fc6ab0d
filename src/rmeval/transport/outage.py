"""What failures in a row say about the server: when to pause, and when it counts as dead."""

from __future__ import annotations

from rmeval.transport.attempts import Attempt, Pace, is_overload

__all__ = ["Outage"]

_CALLS = 3
"""Number of different calls that have to fail before the server, and not a call, is at fault."""


class Outage:
    """Counts failures since the last answer.

    Attributes:
        until: No request is sent before this time.
        answered: Whether the server has ever answered.
        broken: How often a connection was refused or lost.
    """

    def __init__(self, pace: Pace, read_timeout: float) -> None:
        """Set the patience, which is never less than what a single answer may take."""
        self._pace = pace
        self.patience = max(pace.patience, read_timeout)
        self.until = float("-inf")
        self.answered = False
        self.broken = 0
        self._since: float | None = None
        self._calls: set[int] = set()
        self._rounds = 0
        self._round_began = float("-inf")
        self._refused = 0

    def succeeded(self) -> None:
        """Count an answer, which ends the outage."""
        self.answered = True
        self._since = None
        self._calls.clear()
        self._rounds = self._refused = 0

    def refused(self) -> bool:
        """Count a call that was refused for itself; return whether as many were in a row that all would be."""
        self._refused += 1
        return self._refused >= self._pace.refusals

    def failed(self, call: int, attempt: Attempt, started: float, now: float) -> None:
        """Count a failure that can heal, and set a pause if the server wants one or answers nothing.

        Args:
            call: Identifies the call.
            attempt: The failed attempt.
            started: When it was sent.
            now: The time.
        """
        self._since = now if self._since is None else self._since
        if len(self._calls) < _CALLS:
            self._calls.add(call)
        self.broken += attempt.fault in ("connect", "cut")
        pause = attempt.retry_after
        # Calls that were in flight together fail together, which is one round.
        if is_overload(attempt) and started >= self._round_began:
            self._round_began = now
            self._rounds += 1
            if attempt.fault != "timeout" and (self._rounds > 1 or attempt.fault == "connect"):
                pause = max(pause, self._pace.wait(self._rounds - 1))
        self.until = max(self.until, now + pause)

    def dead_for(self, attempt: Attempt, now: float) -> float | None:
        """Return for how many seconds the server has answered nothing, if that is too long."""
        if self._since is None or now - self._since < self.patience:
            return None
        if attempt.fault != "connect" and len(self._calls) < _CALLS:
            return None
        return now - self._since
