"""How many calls are in flight: few at first, more while more answers come per second, half after an overload."""

from __future__ import annotations

__all__ = ["Concurrency"]

_FIRST = 16
_LEAST = 4
"""Smallest limit after overloads, because some servers refuse calls at random whatever their number is."""
_SHORTEST_ROUND = 16
_GAIN = 0.1
"""Share of the ideal increase in answers per second that justifies more calls in flight."""
_LONGEST_HOLD = 16
"""Largest number of rounds after which a larger number of calls is tried again."""


class Concurrency:
    """Adapts the number of calls in flight to the server.

    A round is a number of answers to calls that started under the same limit. After each, the answers per second are
    the limit divided by the mean latency. As long as a larger limit raises them, the limit doubles; if it does not,
    the limit goes back, and is tried again some rounds later. After an overload the limit is halved, once for the calls
    that were in flight at the same time, and then grows by a quarter at a time.
    """

    def __init__(self, most: int) -> None:
        """Start low.

        Args:
            most: Largest number of calls in flight.
        """
        self._most = most
        self.limit = min(_FIRST, most)
        self._threshold = float("inf")
        self._before: tuple[int, float] | None = None
        self._hold = 0
        self._next_hold = 1
        self._overloaded_at = float("-inf")
        self._changed_at = float("-inf")
        self._count = self._skipped = 0
        self._seconds = 0.0

    def succeeded(self, started: float, now: float, busy: bool) -> None:
        """Count an answer.

        Args:
            started: When the request was sent.
            now: The time.
            busy: Whether as many calls are in flight as the limit allows; if not, the limit matters to nobody.
        """
        if not busy or started < self._changed_at:
            return
        self._count += 1
        measured = self._count - self._skipped
        if measured > 0:
            self._seconds += now - started
        if measured >= max(_SHORTEST_ROUND, self.limit):
            self._end_round(self.limit * measured / max(self._seconds, 1e-9), now)

    def _end_round(self, rate: float, now: float) -> None:
        if self._before is not None and rate < self._before[1] * self._needed(self._before[0]):
            self._set(self._before[0], now)
            self._before = None
            self._hold, self._next_hold = self._next_hold, min(2 * self._next_hold, _LONGEST_HOLD)
        elif self._hold:
            self._hold -= 1
            self._set(self.limit, now)
        else:
            self._before = (self.limit, rate)
            larger = self.limit * 2 if 2 * self.limit <= self._threshold else self.limit + max(1, self.limit // 4)
            self._set(min(larger, self._most), now)
            if self.limit == self._before[0]:
                self._before = None

    def _needed(self, smaller: int) -> float:
        """The factor by which the answers per second have to be higher than under a smaller limit."""
        return 1 + _GAIN * (self.limit / smaller - 1)

    def overloaded(self, started: float, now: float) -> None:
        """Halve the limit, unless the request was sent before the limit was last halved."""
        if started < self._overloaded_at:
            return
        self._overloaded_at = now
        self._before = None
        self._hold = 1
        self._threshold = max(min(_LEAST, self._most), self.limit // 2)
        self._set(int(self._threshold), now)

    def _set(self, limit: int, now: float) -> None:
        # The calls that fill up a larger limit find a queue that is still as short as before.
        self._skipped = max(limit - self.limit, 0)
        self.limit = limit
        self._changed_at = now
        self._count, self._seconds = 0, 0.0
