"""What a correlation over few models says: its interval, and the smallest correlation that can be found."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import chdtri, ndtr, stdtrit

from rmeval.metrics.stats.bootstrap import REPLICATES, bootstrap_interval, bootstrap_random
from rmeval.metrics.stats.permutation import SEED, Pairs, all_permutations, standardized
from rmeval.metrics.stats.power import POWER
from rmeval.metrics.stats.significance import LEVEL
from rmeval.types import FloatArray, IntArray

__all__ = ["LEAST_MODELS", "correlation_interval", "detectable_correlation", "difference_interval"]

LEAST_MODELS = 6
"""Fewest models with an interval: with fewer, resamples repeat so few models that intervals miss large correlations."""
_LEAST_TESTED = 4
"""Fewest models with a p-value below 5%: 1 of 24 permutations."""
_SIMULATED = 6
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
def detectable_correlation(models: int, pairs: int = 1) -> float:
    """Compute the smallest Pearson correlation that a two-sided test of 5% finds with a power of 80%.

    Variables are normal, and pairs are independent; if they repeat each other, the number is that of one pair. Up to 6
    models, the power is that of the exact permutation test, in 1,000 simulations (500 with 6 models): few p-values are
    possible, so that it is far below that of a t test. With more models, it is that of the t test of n points. For two
    normal variables, t = r sqrt((n - 2) / (1 - r²)) has, given the scores, a noncentral t distribution, whose parameter
    is rho / sqrt(1 - rho²) times the root of a chi-squared variable with n - 1 degrees of freedom (Gatsonis and Sampson
    1989, Psychological Bulletin 106:516). Standardising takes one point from each pair but the first.

    Args:
        models: The number of models.
        pairs: The number of independent pairs.

    Returns:
        The correlation; NaN with fewer than four models, of which no permutation test is significant.
    """
    if models < _LEAST_TESTED:
        return math.nan
    power = _power_of_permutations(models, pairs) if models <= _SIMULATED else _power_of_t(pairs * (models - 1) + 1)
    low, high = 0.0, 1 - 1e-6
    for _ in range(10 if models <= _SIMULATED else 30):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle) < POWER else (low, middle)
    return high


def _power_of_t(n: int) -> Callable[[float], float]:
    critical = float(stdtrit(n - 2, 1 - LEVEL / 2))
    steps = (np.arange(_NODES) + 0.5) / _NODES
    spread = np.sqrt(chdtri(n - 1, steps))[:, None]
    reach = critical * np.sqrt(chdtri(n - 2, steps) / (n - 2))

    def power(rho: float) -> float:
        shift = rho / math.sqrt(1 - rho**2) * spread
        return float((ndtr(shift - reach) + ndtr(-shift - reach)).mean())

    return power


def _power_of_permutations(models: int, pairs: int) -> Callable[[float], float]:
    random = np.random.default_rng(SEED)
    scores, noise = random.normal(size=(2, 1_000 if models < _SIMULATED else 500, pairs, models))
    permutations, places = all_permutations(models), np.arange(models)
    fixed = standardized(scores)

    def power(rho: float) -> float:
        results = standardized(rho * scores + math.sqrt(1 - rho**2) * noise)
        # The sum of products of all pairs, of each model's scores with each model's results.
        products = np.einsum("dki,dkj->dij", fixed, results)
        observed = np.abs(np.trace(products, axis1=1, axis2=2)) - 1e-9
        p = [
            (np.abs(own[places, permutations].sum(axis=1)) >= least).mean()
            for own, least in zip(products, observed, strict=True)
        ]
        return float((np.array(p) < LEVEL).mean())

    return power
