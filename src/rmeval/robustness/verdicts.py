"""The verdicts of a run on pairs, one for each presentation and vote."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rmeval.protocols.base import Question
from rmeval.results.confidence import Readings
from rmeval.store.run import StoredRun
from rmeval.types import FloatArray, IntArray

__all__ = ["Verdicts", "verdicts_of"]


class Verdicts(NamedTuple):
    """Verdicts on pairs whose response 0 is the better one, as columns.

    Attributes:
        item: int64[n], position of the item in the run.
        first: int64[n], the response that is presented first; 0 for models that score single responses.
        vote: int64[n], number of the repetition.
        better: float64[n], 1 if the better response is preferred, 0 if the worse one is, one half for a tie; NaN
            without a verdict.
    """

    item: IntArray
    first: IntArray
    vote: IntArray
    better: FloatArray

    @property
    def pick_first(self) -> FloatArray:
        """float64[n], 1 if the response presented first is preferred."""
        return np.where(self.first == 0, self.better, 1 - self.better)

    def by_item(self, values: FloatArray, items: int) -> FloatArray:
        """float64[items], the mean of an item's values; NaN if one of them is NaN, or there is none."""
        count = np.bincount(self.item, minlength=items)
        with np.errstate(invalid="ignore", divide="ignore"):
            found: FloatArray = np.bincount(self.item, values, items) / count
        return found

    def table(self, items: int) -> FloatArray:
        """float64[items, 2, votes], `better` by item, by the response presented first, and by vote; else NaN."""
        found = np.full((items, 2, int(self.vote.max(initial=0)) + 1), np.nan)
        found[self.item, self.first, self.vote] = self.better
        return found


def verdicts_of(run: StoredRun) -> Verdicts:
    """Return the verdicts of a run on pairs."""
    read = Readings.of(run)
    scores = run.observations.main[run.requests.rows]
    rows: list[tuple[int, int, int, float]] = []
    place = 0
    for position, item in enumerate(run.items.table):
        questions = run.protocol.questions(item)
        rows += [(position, *own) for own in _of_item(questions, place, read, scores)]
        place += len(questions)
    placed = np.array([own[:3] for own in rows], np.int64).reshape(-1, 3)
    return Verdicts(placed[:, 0], placed[:, 1], placed[:, 2], np.array([own[3] for own in rows], np.float64))


def _of_item(
    questions: Sequence[Question], place: int, read: Readings, scores: FloatArray
) -> Iterator[tuple[int, int, float]]:
    """Yield the response presented first, the vote, and whether the better response is preferred."""
    alone: dict[int, dict[int, float]] = defaultdict(dict)
    for number, question in enumerate(questions, place):
        if len(question.members) == 1:
            alone[question.vote][question.members[0]] = float(scores[number])
            continue
        one, other = read.strengths(number, 2).tolist()
        yield (
            question.members[0],
            question.vote,
            _prefers(one, other) if question.members[0] == 0 else _prefers(other, one),
        )
    for vote, own in alone.items():
        yield 0, vote, _prefers(own.get(0, math.nan), own.get(1, math.nan))


def _prefers(better: float, worse: float) -> float:
    return math.nan if math.isnan(better + worse) else 0.5 + 0.5 * float(np.sign(better - worse))
