"""The place that a run's number would have on a published board."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rmeval.messages import count_of
from rmeval.published.board import PublishedBoard, PublishedRow
from rmeval.types import Record

__all__ = ["Place", "place_among"]


@dataclass(frozen=True, slots=True)
class Place:
    """The ranks that a number would have on a board.

    Attributes:
        first: The best rank that the interval allows, from 1.
        last: The worst one.
        of: Number of ranks: the board's rows that have the number, and the run.
        marked: The rows of the board that contradict themselves and are within the ranks, the best first.
        board: The board.
    """

    first: int
    last: int
    of: int
    marked: tuple[PublishedRow, ...]
    board: PublishedBoard

    @property
    def sentence(self) -> str:
        """The place in words, such as `would rank 7th-11th of 52 on RM-Bench's leaderboard (2025-07-23)`."""
        ranks = ordinal(self.first) if self.first == self.last else f"{ordinal(self.first)}-{ordinal(self.last)}"
        date = f" ({self.board.date})" if self.board.date else ""
        wrong = sum(row.contradicts for row in self.board.ranked)
        told = f"; {count_of(wrong, 'row')} of it contradict{'s' if wrong == 1 else ''} themselves" if wrong else ""
        return f"would rank {ranks} of {self.of} on {self.board.name}{date}{told}"


def place_among(record: Record, board: PublishedBoard) -> Place:
    """Return the place of a run's number among the rows of a board.

    A rank is 1 plus the number of rows above, so that equal numbers share the better rank. The best and the worst rank
    are those of the numbers in the interval from its lower bound up to, but without, its upper bound: a row that equals
    the upper bound is above the run, a row that equals the lower bound is not. Without an interval, the number itself
    has the only rank.

    Args:
        record: The run's number; its metric and scope must be those of the board's headline.
        board: The board.
    """
    low, high = record.ci if record.ci is not None and record.ci[0] < record.ci[1] else (record.value, math.inf)
    ranked = board.ranked
    values = [row.values[board.headline] for row in ranked]
    last = 1 + sum(value > low for value in values)
    first = last if math.isinf(high) else 1 + sum(value >= high for value in values)
    within = [row for row, value in zip(ranked, values, strict=True) if low < value < high]
    marked = tuple(row for row in within if row.contradicts) if first < last else ()
    return Place(first, last, 1 + len(ranked), marked, board)


def ordinal(number: int) -> str:
    """Return `1st`, `2nd`, `11th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
