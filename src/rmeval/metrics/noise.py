"""Comparisons that rounding may decide differently on another machine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rmeval.data.tables import EvidenceTable
from rmeval.metrics.outcomes import sides

__all__ = ["within_noise"]

_BLOCK = 1 << 16


def within_noise(seen: EvidenceTable, noise: float) -> dict[str, int]:
    """Count the comparisons whose margin is not 0 and at most the noise, either way, by subset.

    The margin is the winner's score minus the best score of the other members. A margin of 0 is a tie.

    Args:
        seen: Scores of items.
        noise: The noise of a margin.

    Returns:
        The subsets that have any, in order of first appearance, with their counts.
    """
    table = seen.table
    counts = np.zeros(len(table.subsets), np.int64)
    for positions, margin in _margins(seen):
        close = (margin != 0) & (np.abs(margin) <= noise)
        counts += np.bincount(table.subset[positions[close]], minlength=len(counts))
    return {name: int(count) for name, count in zip(table.subsets, counts, strict=True) if count}


def _margins(seen: EvidenceTable) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Items of one shape with the margins of one of their comparisons; NaN where a score is missing."""
    for comparisons, positions in seen.table.by_comparisons():
        for one in (one for one in comparisons if one.gold is not None):
            for start in range(0, len(positions), _BLOCK):
                block = positions[start : start + _BLOCK]
                winning, against = sides(seen, block, one.members, one.gold or 0)
                with np.errstate(invalid="ignore"):  # Infinite scores.
                    yield block, (winning - against).min(axis=1)
