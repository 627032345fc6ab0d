"""The rule for scorers that always fail: a run stops after a few batches instead of trying every request."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.errors import ModelError, RmevalError
from rmeval.plugins import one_line
from rmeval.types import Observation, Request

__all__ = ["Call", "Outcome", "Watched", "WrongResultError", "error_observation"]

_BATCHES = 3
"""Number of batches in a row that fail as a whole, in the same way, after which a scorer counts as dead."""
_REQUESTS = 12
"""Smallest number of requests in these batches: a few requests in a row may be the responses of one item."""


class WrongResultError(ModelError):
    """Raised if a scorer returns something other than a result for each request; the run stops."""


Outcome = Observation | BaseException
"""The result of a request: its observation, or the exception that only this request raised."""
Call = Callable[[Sequence[Request]], Sequence[Outcome]]
"""Scores requests: returns one outcome for each, or raises an exception if the call fails as a whole."""


def error_observation(request: Request, error: BaseException) -> Observation:
    """The observation of a request that failed."""
    return Observation(request.key, "error", error=_described(error))


def _described(error: BaseException) -> str:
    """One line on an exception, with the place where it was raised."""
    if isinstance(error, RmevalError):
        return str(error)
    where = _place(error)
    return one_line(error) + (f" ({where})" if where else "")


def _place(error: BaseException) -> str:
    lines = traceback.extract_tb(error.__traceback__)
    return f"{Path(lines[-1].filename).name} line {lines[-1].lineno}" if lines else ""


def _same(one: BaseException, other: BaseException) -> bool:
    """Whether two exceptions have the same cause: type and place; messages may contain addresses, times or texts."""
    return type(one) is type(other) and _place(one) == _place(other)


@dataclass(slots=True)
class _Batch:
    """A batch that failed; requests that were not tried alone have no outcome yet."""

    requests: Sequence[Request]
    outcomes: list[Outcome | None]
    error: BaseException


class Watched:
    """Runs a scorer's batches; a batch that fails is tried request by request, and a dead scorer stops the run.

    One request that fails costs only itself. If the first, the middle and the last request of a failed batch fail
    alone as the batch did, the others wait for the next batch: once any request has a score, they are tried too. After
    three batches in a row that fail like this, the scorer is dead, unless it still scores a request that it has
    scored before.
    """

    def __init__(self, name: str, call: Call) -> None:
        """Store the scorer.

        Args:
            name: Its name, for messages.
            call: Scores requests.
        """
        self._name = name
        self._call = call
        self._waiting: list[_Batch] = []
        self._scored: Request | None = None

    def observe(self, batches: Iterable[Sequence[Request]]) -> Iterator[list[Observation]]:
        """Yield the observations of batches of requests; those of a failed batch may come after later ones.

        Raises:
            ModelError: If the scorer is dead; the requests of its last batches have no observation.
            MemoryError: If a single request needs too much memory, which says nothing about the request.
        """
        for batch in batches:
            failed = self._run(batch)
            if isinstance(failed, list):
                yield from self._retried()
                yield failed
                continue
            if self._waiting and not _same(self._waiting[0].error, failed.error):
                yield from self._retried()
            self._waiting.append(failed)
            if self._is_dead():
                raise ModelError(
                    f"{self._name} fails on each request of {len(self._waiting)} batches in a row "
                    f"({_described(failed.error)}): correct it and run again; scores before these batches are kept"
                ) from failed.error
            if len(self._waiting) >= _BATCHES and self._scored is not None:
                yield from self._retried()
        yield from self._retried()

    def _run(self, batch: Sequence[Request]) -> list[Observation] | _Batch:
        """The observations of a batch, or the batch if it fails as a whole."""
        outcomes, error = self._tried(batch)
        if error is not None and len(batch) > 1:
            probes = sorted({0, len(batch) // 2, len(batch) - 1})
            for place in probes:
                outcomes[place] = self._alone(batch[place])
            if not all(_is_like(outcomes[place], error) for place in probes):
                self._complete(batch, outcomes)
                error = None
        first = outcomes[0]
        if error is None and isinstance(first, BaseException) and all(_is_like(one, first) for one in outcomes):
            error = first
        return self._observations(batch, outcomes) if error is None else _Batch(batch, outcomes, error)

    def _tried(self, batch: Sequence[Request]) -> tuple[list[Outcome | None], BaseException | None]:
        try:
            return list(self._call(batch)), None
        except WrongResultError:
            raise
        except (Exception, SystemExit) as error:
            if len(batch) > 1:
                return [None] * len(batch), error
            if isinstance(error, MemoryError):
                raise  # The request is not the cause, so the next run must try it again.
            return [error], error

    def _alone(self, request: Request) -> Outcome | None:
        return self._tried([request])[0][0]

    def _complete(self, batch: Sequence[Request], outcomes: list[Outcome | None]) -> None:
        """Try those requests alone that have no outcome."""
        for place, outcome in enumerate(outcomes):
            if outcome is None:
                outcomes[place] = self._alone(batch[place])

    def _retried(self) -> Iterator[list[Observation]]:
        """The observations of the batches that wait."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self._complete(one.requests, one.outcomes)
            yield self._observations(one.requests, one.outcomes)

    def _observations(self, batch: Sequence[Request], outcomes: Sequence[Outcome | None]) -> list[Observation]:
        found: list[Observation] = []
        for request, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Observation):
                found.append(outcome)
                self._scored = request
            elif outcome is not None:
                found.append(error_observation(request, outcome))
        return found

    def _is_dead(self) -> bool:
        if len(self._waiting) < _BATCHES or sum(len(one.requests) for one in self._waiting) < _REQUESTS:
            return False
        return self._scored is None or not isinstance(self._alone(self._scored), Observation)


def _is_like(outcome: Outcome | None, error: BaseException) -> bool:
    return isinstance(outcome, BaseException) and _same(outcome, error)
