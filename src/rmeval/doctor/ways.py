"""Comparison of the scores of one way of running a network with those of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.types import FloatArray, IntArray, Item

__all__ = ["NEAR", "Way", "compared", "decisions", "largest"]

NEAR = 4
"""Margins smaller than this multiple of the spread between batches are near-ties."""


@dataclass(frozen=True, slots=True)
class Way:
    """Comparison of one way of running the network with the first way.

    Attributes:
        name: `one by one`, `batches of 8`, `prefix tree`.
        dtype: Number format of the network.
        difference: Largest difference of a score.
        flips: Number of decisions that change.
        near_ties: Number of decisions with a margin so small that batching alone can change them.
    """

    name: str
    dtype: str
    difference: float
    flips: int
    near_ties: int


def decisions(items: Sequence[Item], kept: set[int]) -> IntArray:
    """int64[decisions, 3]: a winner and another response, as positions among all responses, and the cluster."""
    pairs: list[tuple[int, int, int]] = []
    clusters = {name: number for number, name in enumerate(dict.fromkeys(item.cluster for item in items))}
    start = 0
    for item in items:
        for comparison in item.comparisons:
            members = [start + member for member in comparison.members]
            if comparison.gold is not None and set(members) <= kept:
                winner, cluster = members[comparison.gold], clusters[item.cluster]
                pairs += [(winner, other, cluster) for other in members if other != winner]
        start += len(item.responses)
    return np.array(list(dict.fromkeys(pairs)), dtype=np.int64).reshape(-1, 3)


def compared(name: str, dtype: str, scores: FloatArray, base: FloatArray, pairs: IntArray, spread: float) -> Way:
    """Compare the scores of one way of running the network with those of the first.

    Args:
        name: Name of the way.
        dtype: Number format.
        scores: Its scores.
        base: The scores of the first way.
        pairs: int64[decisions, >= 2], positions of a winner and of another response.
        spread: The largest difference of a score between batches.
    """
    first, second = pairs[:, 0], pairs[:, 1]
    margins, before = scores[first] - scores[second], base[first] - base[second]
    known = np.isfinite(margins) & np.isfinite(before)
    return Way(
        name,
        dtype,
        largest(scores - base),
        int(np.sum((np.sign(margins) != np.sign(before)) & known)),
        int(np.sum(np.abs(margins) <= NEAR * spread)),
    )


def largest(differences: FloatArray) -> float:
    """The largest absolute value of the finite numbers."""
    return float(np.max(np.abs(differences[np.isfinite(differences)]), initial=0))
