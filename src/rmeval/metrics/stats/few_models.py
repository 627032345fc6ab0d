"""What a correlation over few models says: its interval, and the smallest correlation that can be found."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.special import chdtri, ndtr, stdtrit

from rmeval.metrics.stats.bootstrap import REPLICATES, bootstrap_interval, bootstrap_random
from rmeval.metrics.stats.permutation import Pairs
from rmeval.metrics.stats.significance import LEVEL
from rmeval.types import FloatArray, IntArray

__all__ = ["LEAST_MODELS", "correlation_interval", "detectable_correlation", "difference_interval"]

LEAST_MODELS = 6
"""Fewest models with an interval: with fewer, resamples repeat so few models that intervals miss large correlations."""
_NODES = 300


def correlation_interval(method: str, pairs: Pairs) -> tuple[float, float] | None:
    """Compute the 95% interval of a correlation by resampling models, each with its values in all pairs.

    This is the expanded percentile interval of `rmeval.metrics.stats.bootstrap`, whose coverage the simulation
    `scripts/simulations/correlation.py` measures. Resamples with a constant column have no correlation and are left
    out.

    Returns:
        The interval; None with fewer than `LEAST_MODELS` models, or if all resamples have the same correlation.
    """
    if pairs.models < LEAST_MODELS:
        return None
    return _interval(pairs.correlation(method), pairs.correlations(method, _resamples(pairs.models)), pairs.models)


def difference_interval(method: str, first: Pairs, second: Pairs) -> tuple[float, float] | None:
    """Compute the 95% interval of the difference of two correlations over the same models, as `correlation_interval`.

    Both correlations are computed from the same resamples, so that the interval allows for their dependence.
    """
    if first.models < LEAST_MODELS:
        return None
    drawn = _resamples(first.models)
    value = first.correlation(method) - second.correlation(method)
    return _interval(value, first.correlations(method, drawn) - second.correlations(method, drawn), first.models)


@cache
def _resamples(models: int) -> IntArray:
    return bootstrap_random().integers(0, models, (REPLICATES, models))


def _interval(value: float, replicates: FloatArray, models: int) -> tuple[float, float] | None:
    known = replicates[~np.isnan(replicates)]
    return bootstrap_interval(value, known, models, proportion=False)[0]


@cache
def detectable_correlation(models: int, points: int = 1) -> float:
    """Compute the smallest Pearson correlation that a two-sided test of 5% finds with a power of 80%.

    For two normal variables and n models, t = r sqrt((n - 2) / (1 - r²)) has, given the scores, a noncentral t
    distribution, whose parameter is rho / sqrt(1 - rho²) times the root of a chi-squared variable with n - 1 degrees of
    freedom (Gatsonis and Sampson 1989, Psychological Bulletin 106:516).

    Args:
        models: The number of models.
        points: Number of independent points of each model: for pooled pairs, between 1 (if the pairs repeat each other)
            and the number of pairs.

    Returns:
        The correlation; NaN with fewer than three models.
    """
    n = models * points
    if n < 3:
        return math.nan
    critical = float(stdtrit(n - 2, 1 - LEVEL / 2))
    steps = (np.arange(_NODES) + 0.5) / _NODES
    spread = np.sqrt(chdtri(n - 1, steps))[:, None]
    reach = critical * np.sqrt(chdtri(n - 2, steps) / (n - 2))

    def power(rho: float) -> float:
        shift = rho / math.sqrt(1 - rho**2) * spread
        return float((ndtr(shift - reach) + ndtr(-shift - reach)).mean())

    low, high = 0.0, 1 - 1e-9
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle) < _POWER else (low, middle)
    return high


_POWER = 0.8
