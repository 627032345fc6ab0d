"""95% intervals for clustered data, where several items may be variants of one underlying problem."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from rmeval.data.tables import Codes
from rmeval.metrics.stats.likelihood import NEAR, limits
from rmeval.metrics.stats.samples import Strata, sample
from rmeval.types import FloatArray, IntArray

__all__ = ["CLUSTERED", "INTERVALS", "MIN_CLUSTERS", "SCORE", "WILSON", "combined_interval", "share_interval", "wilson"]

INTERVALS = 2
"""Version of the methods; numbers that were stored with another version are computed again."""
MIN_CLUSTERS = 5
"""Minimum number of problems for an interval of a number other than a share of decisions."""
_Z = float(ndtri(0.975))
WILSON, CLUSTERED = "wilson", "wilson(clustered)"
SCORE = "score(empirical likelihood)"


def wilson(credit: FloatArray, cluster: Codes | IntArray) -> tuple[tuple[float, float] | None, str]:
    """Compute the interval of a mean of credits, which is Wilson's (1927, JASA 22:209) if decisions are independent.

    For a share p of n independent decisions, it is (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), and slightly
    longer towards 0 or 1 if there are at most three decisions of one kind. See `rmeval.metrics.stats.likelihood` for
    values that share clusters.

    Args:
        credit: float64[m], values between 0 and 1; NaN is excluded.
        cluster: int[m], the cluster of each value, small whole numbers.

    Returns:
        The interval (None without values), and the name of the method.
    """
    if np.isnan(credit).any():
        known = ~np.isnan(credit)
        credit, cluster = credit[known], cluster[known]
    if not len(credit):
        return None, WILSON
    mean, count = float(credit.mean()), len(credit)
    independent = int(np.bincount(cluster).max()) == 1 and bool(((credit == 0) | (credit == 1)).all())
    if independent and min(mean, 1 - mean) ** 2 > NEAR**2 * mean * (1 - mean) / count:
        return share_interval(mean, count), WILSON
    part = np.zeros(count, np.int32)
    own = sample(credit, part, cluster, np.ones(1), Strata.of(part, cluster, 1))
    low, high = limits([own])[0].tolist()
    return (low, high), WILSON if independent else CLUSTERED


def share_interval(mean: float, count: float) -> tuple[float, float]:
    """Compute Wilson's interval for a share of that many independent decisions."""
    centre = mean + _Z**2 / (2 * count)
    half = _Z * np.sqrt(mean * (1 - mean) / count + _Z**2 / (4 * count**2))
    scale = 1 + _Z**2 / count
    return max(0.0, float((centre - half) / scale)), min(1.0, float((centre + half) / scale))


def combined_interval(
    first: tuple[float, float, tuple[float, float]],
    second: tuple[float, float, tuple[float, float]],
    correlation: float = 0.0,
) -> tuple[float, float]:
    """Compute the interval of a weighted sum of two numbers from their intervals, by variance estimates recovery.

    The distance of each limit from the sum combines the distances of the limits of both intervals (Zou and Donner 2008,
    Statistics in Medicine 27:1693).

    Args:
        first: The nonnegative weight of the first number, the number, and its interval.
        second: The same for the second number.
        correlation: Correlation of the two numbers' errors.
    """
    value = first[0] * first[1] + second[0] * second[1]
    reach = []
    for side in (0, 1):
        one, other = (weight * abs(ends[side] - number) for weight, number, ends in (first, second))
        reach.append(float(np.sqrt(max(0.0, one**2 + other**2 + 2 * correlation * one * other))))
    return value - reach[0], value + reach[1]
