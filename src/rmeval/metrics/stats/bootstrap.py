"""Intervals by resampling problems, for numbers that are not weighted sums of means, such as correlations."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, stdtrit

from rmeval.data.tables import Codes
from rmeval.metrics.stats.intervals import MIN_CLUSTERS, share_interval
from rmeval.types import FloatArray, IntArray

__all__ = [
    "BOOTSTRAP",
    "MANY",
    "REPLICATES",
    "bootstrap_interval",
    "bootstrap_means",
    "bootstrap_random",
    "resampled_means",
]

REPLICATES = 2000
MANY = 20_000
"""Number of clusters above which equal clusters are drawn together."""
SEED = 0
BOOTSTRAP = f"cluster-bootstrap({REPLICATES} replicates, expanded percentile, seed {SEED})"
_BLOCK = 4_000_000


def bootstrap_random() -> np.random.Generator:
    """Return the random generator for `bootstrap_means`, to use for all parts of a benchmark.

    Parts that are drawn from one stream are independent; due to the fixed seed, equal evidence has equal intervals.
    """
    return np.random.default_rng(SEED)


def bootstrap_means(
    values: FloatArray, cluster: Codes | IntArray, random: np.random.Generator, replicates: int = REPLICATES
) -> FloatArray:
    """Compute means of columns over resampled clusters; see `resampled_means`.

    Args:
        values: float64[n, k], one row per item; NaN is excluded from its column.
        cluster: int[n], the unit of resampling, drawn as a whole with replacement.
        random: Source of the draws, see `bootstrap_random`.
        replicates: Number of resamples.

    Returns:
        float64[replicates, k]; NaN if a resample contains no value of a column.
    """
    _, member = np.unique(cluster, return_inverse=True)
    clusters = int(member.max()) + 1 if len(member) else 0
    known = ~np.isnan(values)
    columns = range(values.shape[1])
    summed = [np.bincount(member, np.where(known, values, 0.0)[:, k], clusters) for k in columns]
    counted = [np.bincount(member, known[:, k].astype(float), clusters) for k in columns]
    sums: FloatArray = np.stack(summed, axis=1)
    counts: FloatArray = np.stack(counted, axis=1)
    return resampled_means(sums, counts, random, replicates)


def resampled_means(
    sums: FloatArray, counts: FloatArray, random: np.random.Generator, replicates: int = REPLICATES
) -> FloatArray:
    """Compute means over resampled clusters (Field and Welsh 2007, JRSS-B 69:369, randomized cluster bootstrap).

    With more clusters than `MANY`, clusters with equal sums and counts are drawn together, with their joint
    probability. The number of occurrences of each kind of cluster in a resample has the same distribution, and there
    are few kinds, since comparisons are won or lost.

    Args:
        sums: float64[clusters, k], the sum of each column's values in each cluster.
        counts: float64[clusters, j], the numbers of values; k is a multiple of j, and column i of sums belongs to
            column i modulo j of counts.
        random: Source of the draws, see `bootstrap_random`.
        replicates: Number of resamples.

    Returns:
        float64[replicates, k]; NaN if a resample contains no value of a column.
    """
    clusters, columns = sums.shape
    both: FloatArray = np.concatenate([sums, counts], axis=1)
    chance: FloatArray = np.full(clusters, 1 / max(clusters, 1))
    if clusters > MANY:
        both, times = _distinct_rows(both)
        chance = times / clusters
    means = np.empty((replicates, columns))
    block = max(1, _BLOCK // max(len(chance), 1))
    repeats = columns // counts.shape[1]
    for start in range(0, replicates, block):
        rows = min(block, replicates - start)
        drawn = random.multinomial(clusters, chance, size=rows) @ both
        with np.errstate(invalid="ignore"):
            means[start : start + rows] = drawn[:, :columns] / np.tile(drawn[:, columns:], repeats)
    return means


def _distinct_rows(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the distinct rows of float64[n, k] and the number of occurrences of each."""
    # Sort one number per row instead of k: a random sum of a row's bits identifies it.
    factors = np.random.default_rng(0).integers(0, 2**63, values.shape[1], dtype=np.uint64) | np.uint64(1)
    bits = np.ascontiguousarray(values + 0.0).view(np.uint64)
    mixed = (bits ^ (bits >> np.uint64(29))) * factors
    codes = (mixed ^ (mixed >> np.uint64(32))).sum(axis=1, dtype=np.uint64)
    _, first, inverse, times = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
    found: tuple[FloatArray, IntArray] = values[first], times
    if not np.array_equal(found[0][inverse], values):
        found = np.unique(values, axis=0, return_counts=True)
    return found


def bootstrap_interval(
    value: float, replicates: FloatArray, clusters: float, proportion: bool = True
) -> tuple[tuple[float, float] | None, str | None]:
    """Compute the expanded percentile interval (Hesterberg 2015, The American Statistician 69:371, section 5.1).

    With few clusters, the 2.5th and 97.5th percentiles of the replicates (Efron 1979) are too close together, by a
    factor of sqrt((n-1)/n) and because they do not use Student's t. This interval uses the percentile
    Phi(-sqrt(n/(n-1)) t.975) and its mirror image, with n - 1 degrees of freedom.

    Equal replicates, for example if every decision is right, do not estimate the variation between problems; the
    interval is then Wilson's for one value in each cluster.

    Args:
        value: The number itself.
        replicates: float64[b].
        clusters: Number of clusters; for a mean of parts, the number for which a mean would have the same variance.
        proportion: Whether the number is a proportion and not a difference of two.

    Returns:
        The interval (None for fewer than `MIN_CLUSTERS` clusters, if a replicate is NaN, or for a difference that is
        equal in all replicates) and its method.
    """
    if clusters < MIN_CLUSTERS or not len(replicates) or np.isnan(replicates).any():
        return None, None
    if np.ptp(replicates) < 1e-6:
        return (share_interval(value, clusters), "wilson(one value a cluster)") if proportion else (None, None)
    tail = float(ndtr(-np.sqrt(clusters / (clusters - 1)) * stdtrit(clusters - 1, 0.975)))
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return (float(low), float(high)), BOOTSTRAP
