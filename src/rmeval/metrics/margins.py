"""Margins: by how much a model prefers the winner of each comparison, as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rmeval.data.tables import Codes, EvidenceTable, Mask, starts
from rmeval.metrics.outcomes import sides
from rmeval.types import Comparison, FloatArray

__all__ = ["Margins", "margins"]


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
        against: int32[m], position among the item's responses of that other member, the first of equal ones; the
            first without a score where scores are missing.
    """

    item: Codes
    number: Codes
    tag: Codes
    tags: tuple[str, ...]
    margin: FloatArray
    against: Codes

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
    tag, number, against = (np.empty(len(margin), np.int32) for _ in range(3))
    for comparisons, positions in table.by_comparisons():
        for place, (own, comparison, gold) in enumerate(_decided(comparisons)):
            others = np.delete(np.array(comparison.members, np.int32), gold)
            code = codes.setdefault(comparison.tag, len(codes))
            for start in range(0, len(positions), _BLOCK):
                block = positions[start : start + _BLOCK]
                rows = first[block] + place
                tag[rows], number[rows] = code, own
                lead = _less(*sides(seen, block, comparison.members, gold))
                least = lead.argmin(axis=1)
                margin[rows], against[rows] = lead[np.arange(len(block)), least], others[least]
    item = np.repeat(np.arange(len(table), dtype=np.int32), np.diff(first))
    return Margins(item, number, tag, tuple(codes), margin, against)


def _decided(comparisons: tuple[Comparison, ...]) -> Iterator[tuple[int, Comparison, int]]:
    """Yield each comparison with a winner, its position, and the winner's position among its members."""
    for number, comparison in enumerate(comparisons):
        if comparison.gold is not None:
            yield number, comparison, comparison.gold


def _less(winning: FloatArray, against: FloatArray) -> FloatArray:
    """Subtract scores; the result is 0 exactly where they are equal, even if both are infinite."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(winning == against, 0.0, winning - against)
