"""Reductions of several numbers of one response or pair to one number: scores of steps, and repeated votes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rmeval.data.observations import Vectors
from rmeval.types import FloatArray

__all__ = ["STEPS", "fold_steps", "fold_votes"]

STEPS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "prod": math.prod,
    "last": lambda scores: scores[-1],
    "mean": lambda scores: math.fsum(scores) / len(scores),
}
"""How to reduce the scores of a response's steps to one."""


def fold_steps(vectors: Vectors, rows: npt.NDArray[Any], how: str) -> FloatArray:
    """Reduce the scores of a response's steps to one score.

    Args:
        vectors: The scores of steps.
        rows: int[n], the rows of the responses.
        how: A name in `STEPS`.

    Returns:
        float64[n], NaN for a response without steps.
    """
    reduce = STEPS[how]
    return np.array([reduce(own) if (own := vectors[row]) else math.nan for row in rows.tolist()], np.float64)


def fold_votes(votes: FloatArray, how: Literal["mean", "majority"]) -> FloatArray:
    """Reduce repeated votes to one number.

    Args:
        votes: float64[n, k], k votes on each of n responses or pairs; NaN for a missing vote.
        how: `mean` is the mean of the votes that are not missing. `majority` is for preferences (1 for the first, 0 for
            the second, 0.5 for a tie): the one that more than half of all k votes prefer, including missing votes;
            otherwise a tie.

    Returns:
        float64[n], NaN where every vote is missing.
    """
    known = ~np.isnan(votes)
    there = known.any(axis=1)
    if how == "majority":
        half = votes.shape[1] / 2
        first, second = (votes > 0.5).sum(axis=1) > half, (votes < 0.5).sum(axis=1) > half
        return np.where(there, 0.5 + 0.5 * (first.astype(np.float64) - second), np.nan)
    total = np.where(known, votes, 0.0).sum(axis=1)
    found: FloatArray = np.divide(total, known.sum(axis=1), out=np.full(len(votes), np.nan), where=there)
    return found
