"""Statistics of models on several benchmarks: the false discovery rate, mean ranks, and means of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from rmeval.metrics.stats.intervals import combined_interval
from rmeval.types import FloatArray

__all__ = ["benjamini_yekutieli", "mean_interval", "mean_rank_interval", "middle_ranks"]

Interval = tuple[float, float]


def benjamini_yekutieli(p: FloatArray) -> FloatArray:
    """Correct p-values so that of the significant differences at most the level are false ones on average.

    This controls the false discovery rate under any dependence of the tests (Benjamini and Yekutieli 2001, Annals of
    Statistics 29:1165, theorem 1.3). The k-th smallest of n becomes the smallest of c n p(i) / i for i from k on, where
    c = 1 + 1/2 + ... + 1/n, and at most 1.
    """
    n = len(p)
    rank = np.arange(1, n + 1)
    order = np.argsort(p, kind="stable")
    found = np.empty(n)
    steps = p[order] * (n * float((1 / rank).sum())) / rank
    found[order] = np.minimum(1.0, np.minimum.accumulate(steps[::-1])[::-1])
    return found


def middle_ranks(merits: FloatArray) -> FloatArray:
    """Return the rank of each model, 1 for the largest merit; equal models share the mean of their ranks."""
    better = (merits[None, :] > merits[:, None]).sum(axis=1)
    equal = (merits[None, :] == merits[:, None]).sum(axis=1)
    found: FloatArray = 1 + better + (equal - 1) / 2
    return found


def mean_rank_interval(ranks: Sequence[tuple[int, int]]) -> Interval:
    """Return the interval of a model's mean rank: the mean of the first and of the last ranks of its ranges.

    If the ranges of all models on all benchmarks hold jointly with a probability of 95%
    (`rmeval.metrics.stats.significance.rank_intervals` with p-values of one family), so do these intervals: where every
    range contains the rank, the mean of the ranges contains the mean rank (Mogstad, Romano, Shaikh and Wilhelm 2024,
    Review of Economic Studies 91:476, section 3, on the ranges). Resampled ranks do not have this property: where
    models are nearly equal, the bootstrap distribution of a rank does not approach that of the rank (Hall and Miller
    2009, Annals of Statistics 37:3929, section 2).
    """
    low, high = np.mean(ranks, axis=0).tolist()
    return low, high


def mean_interval(values: Sequence[float], intervals: Sequence[Interval]) -> Interval:
    """Return the interval of the mean of independent numbers from their intervals; see `combined_interval`."""
    weight = 1 / len(values)

    def add(total: tuple[float, float, Interval], one: tuple[float, float, Interval]) -> tuple[float, float, Interval]:
        return 1.0, total[0] * total[1] + one[0] * one[1], combined_interval(total, one)

    parts = [(weight, value, ends) for value, ends in zip(values, intervals, strict=True)]
    scale, _, ends = reduce(add, parts)
    return scale * ends[0], scale * ends[1]
