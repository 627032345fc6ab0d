"""Comparisons that rounding may decide differently on another machine."""

from __future__ import annotations

import numpy as np

from rmeval.data.tables import EvidenceTable
from rmeval.metrics.margins import margins

__all__ = ["within_noise"]


def within_noise(seen: EvidenceTable, noise: float) -> dict[str, int]:
    """Count the comparisons whose margin is not 0 and at most the noise, either way, by subset.

    The margin is the winner's score minus the best score of the other members. A margin of 0 is a tie.

    Args:
        seen: Scores of items.
        noise: The noise of a margin.

    Returns:
        The subsets that have any, in order of first appearance, with their counts.
    """
    table, found = seen.table, margins(seen)
    close = (found.margin != 0) & (np.abs(found.margin) <= noise)
    counts = np.bincount(table.subset[found.item[close]], minlength=len(table.subsets))
    return {name: int(count) for name, count in zip(table.subsets, counts, strict=True) if count}
