"""Margins: by how much a model prefers the winner of each comparison, as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rmeval.data.tables import Codes, EvidenceTable, Mask, starts
from rmeval.metrics.outcomes import sides
from rmeval.types import Comparison, FloatArray, IntArray

__all__ = ["Margins", "margins", "strongest"]


@dataclass(frozen=True, slots=True)
class Margins:
    """All comparisons of some items that have a winner, in the order of the items.

    Attributes:
        item: int32[m], position of the item.
        number: int32[m], position of the comparison among the comparisons of its item.
        tag: int32[m], position of the comparison's tag in `tags`.
        tags: The distinct tags.
        margin: float64[m], the winner's score less that of the best other member; NaN where a score is missing. For a
            model that compares responses: its preference for the winner less one half, against the member that it
            prefers most.
    """

    item: Codes
    number: Codes
    tag: Codes
    tags: tuple[str, ...]
    margin: FloatArray

    @property
    def wrong(self) -> Mask:
        """bool[m], whether the model prefers another member to the winner, or both equally."""
        found: Mask = self.margin <= 0
        return found


_BLOCK = 1 << 16


def margins(seen: EvidenceTable) -> Margins:
    """Return the margin of each comparison that has a winner; comparisons with `gold=None` are excluded."""
    table = seen.table
    first = starts([sum(c.gold is not None for c in shape.comparisons) for shape in table.shapes], table.shape)
    codes: dict[str, int] = {}
    margin = np.empty(int(first[-1]))
    tag, number = np.empty(len(margin), np.int32), np.empty(len(margin), np.int32)
    for comparisons, positions in table.by_comparisons():
        for place, (own, comparison, gold) in enumerate(_decided(comparisons)):
            code = codes.setdefault(comparison.tag, len(codes))
            for start in range(0, len(positions), _BLOCK):
                block = positions[start : start + _BLOCK]
                rows = first[block] + place
                tag[rows], number[rows] = code, own
                margin[rows] = _less(*sides(seen, block, comparison.members, gold)).min(axis=1)
    item = np.repeat(np.arange(len(table), dtype=np.int32), np.diff(first))
    return Margins(item, number, tag, tuple(codes), margin)


def _decided(comparisons: tuple[Comparison, ...]) -> Iterator[tuple[int, Comparison, int]]:
    """Yield each comparison with a winner, its position, and the winner's position among its members."""
    for number, comparison in enumerate(comparisons):
        if comparison.gold is not None:
            yield number, comparison, comparison.gold


def _less(winning: FloatArray, against: FloatArray) -> FloatArray:
    """Subtract scores; the result is 0 exactly where they are equal, even if both are infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(winning == against, 0.0, winning - against)


def strongest(seen: EvidenceTable, position: int, comparison: Comparison) -> int:
    """Return the member that the model prefers most among those that are not the winner, the first of equal ones.

    Args:
        seen: The evidence.
        position: Position of the item.
        comparison: One of its comparisons, with a winner and without missing scores.
    """
    gold = comparison.gold or 0
    where: IntArray = np.array([position], np.int64)
    lead = _less(*sides(seen, where, comparison.members, gold))[0]
    others = [member for place, member in enumerate(comparison.members) if place != gold]
    return others[int(np.argmin(lead))]
