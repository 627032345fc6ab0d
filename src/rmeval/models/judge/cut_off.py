"""Outputs that their limit of tokens cut off: each such request runs once more, with twice the budget."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from rmeval.models.judge.backend import Backend
from rmeval.protocols.judging import Asked, Output

__all__ = ["whole_outputs"]


def whole_outputs(backend: Backend, asked: Iterable[Asked]) -> Iterator[list[tuple[Asked, Output]]]:
    """Yield the output of each request; one that is cut off at twice its budget too is yielded as it is.

    Args:
        backend: What runs the judge.
        asked: The requests.

    Raises:
        ModelError: If the backend cannot go on.
    """
    twice = _Twice()
    rest = twice.before(asked)
    while True:
        for found in backend.outputs(rest):
            if ended := [pair for one, output in found if (pair := twice.ended(one, output)) is not None]:
                yield ended
        if not twice.again:
            return
        # In an order that does not depend on which output ended first, as the hash of all prompts does.
        rest = iter(sorted(twice.again, key=lambda one: one.key))
        twice.again.clear()


class _Twice:
    """Requests that run again, and what their first outputs used."""

    def __init__(self) -> None:
        self.again: deque[Asked] = deque()
        self._first: dict[str, Output] = {}

    def before(self, asked: Iterable[Asked]) -> Iterator[Asked]:
        """Yield requests that run again before the next new one, so that few are unfinished if the process ends."""
        for one in asked:
            while self.again:
                yield self.again.popleft()
            yield one

    def ended(self, one: Asked, output: Output) -> tuple[Asked, Output] | None:
        """The final output of a request; None if it runs again."""
        first = self._first.pop(one.request.key, None)
        if first is not None:
            # A model may be able to read the prompt and not to write as much as twice the budget.
            last = first if output.finish == "overlength" else output
            return one, replace(last, usage=dict(Counter(first.usage) + Counter(output.usage)))
        if output.finish == "length" and one.prompt.form == "text" and output.error is None:
            self._first[one.request.key] = output
            self.again.append(one._replace(limit=2 * one.limit))
            return None
        return one, output
