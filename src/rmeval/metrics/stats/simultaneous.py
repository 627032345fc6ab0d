"""Critical values for simultaneous intervals of all pairwise differences between models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np
from scipy.special import chdtr, fdtr, ndtri, stdtrit

from rmeval.data.tables import Codes
from rmeval.metrics.stats.significance import LEVEL
from rmeval.types import FloatArray, IntArray

__all__ = ["critical_value"]

_DIRECTIONS = 2**15
_NODES = 2**8
"""Number of means of neighbouring directions from which a probability is computed."""
_STEPS = 2**34
"""Covariances are rounded to this part of the largest variance, so that they do not depend on the order of items."""


def critical_value(
    contributions: FloatArray, strata: Codes | IntArray | None = None, degrees: float = math.inf
) -> float:
    """Compute the factor on standard errors with which intervals of all differences hold jointly in 95 of 100 cases.

    The differences of all pairs of models in a number are approximately normal with the correlations of their problems'
    contributions, so that the largest of the differences, divided by their standard errors, exceeds the critical value
    with a probability of 5% (Tukey 1953, "The problem of multiple comparisons", for equal variances; Hothorn, Bretz and
    Westfall 2008, Biometrical Journal 50:346, section 3, for any correlations). For two models it is the quantile of
    Student's t or of the normal distribution; for independent models of equal variance it is that of the studentized
    range divided by the square root of 2.

    A normal vector is a direction times an independent length. For each direction the length at which the largest
    difference reaches the critical value is known, so that its probability is exact (Deak 1980, Numerische Mathematik
    35:181; Genz and Bretz 2009, "Computation of Multivariate Normal and t Probabilities", section 4.1). Directions are
    a fixed quasi-random sequence, and the result is correct to about .002. It does not depend on the order of items or
    models: covariances are rounded, and decide the order of models in the computation.

    Args:
        contributions: float64[models, clusters], each problem's contribution to the number, see
            `PairedOutcomes.by_cluster`.
        strata: int[clusters], the stratum of each problem, if problems are sampled within strata.
        degrees: Degrees of freedom of the standard errors, which the intervals of single differences use, too.

    Returns:
        At least the quantile for one difference, which it also is if no difference has any variance.
    """
    single = _quantile(LEVEL / 2, degrees)
    covariance = _ordered(_covariance(contributions, strata))
    pairs = _pairs(covariance)
    if len(pairs) < 2:
        return single
    factor = _factor(covariance)
    far = np.sort(_farthest(factor, pairs)).reshape(_NODES, -1).mean(axis=1)
    rank = factor.shape[1]

    def covered(value: float) -> float:
        square = np.square(value / far)
        return float((chdtr(rank, square) if np.isinf(degrees) else fdtr(rank, degrees, square / rank)).mean())

    return _solve(covered, single, _quantile(LEVEL / 2 / len(pairs), degrees))


def _quantile(tail: float, degrees: float) -> float:
    """Return the upper quantile of Student's t, or of the normal distribution for infinite degrees of freedom."""
    return -float(ndtri(tail) if np.isinf(degrees) else stdtrit(degrees, tail))


def _covariance(contributions: FloatArray, strata: Codes | IntArray | None) -> FloatArray:
    """Return the covariance of the models' numbers, as a part of the largest variance."""
    stratum = np.zeros(contributions.shape[1], np.int64) if strata is None else strata
    count = np.bincount(stratum)
    sums = np.stack([np.bincount(stratum, own, len(count)) for own in contributions])
    apart = contributions - (sums / np.maximum(count, 1))[:, stratum]
    apart *= np.sqrt(count / np.maximum(count - 1, 1))[stratum]
    found = apart @ apart.T
    return np.rint(found / (float(np.diag(found).max()) or 1.0) * _STEPS) / _STEPS


def _ordered(covariance: FloatArray) -> FloatArray:
    """Order the models by their variances and covariances, so that the order they are given in has no influence.

    Models with equal variances are ordered by their covariances with others, and these by the order so far (colour
    refinement, Weisfeiler and Leman 1968). Models that are still equal are interchangeable.
    """
    table: list[list[float]] = covariance.tolist()
    place = [0] * len(table)
    for _ in range(3):
        keys = [
            (place[one], row[one], sorted((place[other], own) for other, own in enumerate(row) if other != one))
            for one, row in enumerate(table)
        ]
        distinct = sorted(keys)
        place = [distinct.index(key) for key in keys]
    order = np.argsort(place, kind="stable")
    return covariance[np.ix_(order, order)]


def _pairs(covariance: FloatArray) -> list[tuple[int, int, float]]:
    """Return the pairs of models whose difference has a variance, and its standard deviation."""
    variances = {
        (one, other): float(covariance[one, one] + covariance[other, other] - 2 * covariance[one, other])
        for one, other in combinations(range(len(covariance)), 2)
    }
    return [(*pair, math.sqrt(variance)) for pair, variance in variances.items() if variance > 1e-9]


def _factor(covariance: FloatArray) -> FloatArray:
    """Return vectors with the covariance of the models' differences to the first model, float64[models, rank]."""
    apart = covariance - covariance[:1] - covariance[:, :1] + covariance[0, 0]
    columns = []
    for model in range(1, len(apart)):
        if apart[model, model] > 1e-9:
            columns.append(apart[:, model] / math.sqrt(apart[model, model]))
            apart = apart - np.outer(columns[-1], columns[-1])
    return np.stack(columns, axis=1)


def _farthest(factor: FloatArray, pairs: Sequence[tuple[int, int, float]]) -> FloatArray:
    """Return the largest difference, in standard deviations, for a vector of length 1 in each direction."""
    along = factor @ _directions(factor.shape[1])
    far = np.zeros(along.shape[1])
    for one, other, deviation in pairs:
        np.maximum(far, np.abs(along[one] - along[other]) / deviation, out=far)
    return far


@lru_cache(maxsize=8)
def _directions(width: int) -> FloatArray:
    """Return quasi-random directions, float64[width, directions]: multiples of roots of primes (Richtmyer 1951)."""
    primes: list[int] = []
    number = 2
    while len(primes) < width:
        if all(number % prime for prime in primes):
            primes.append(number)
        number += 1
    points = np.sqrt(np.array(primes, np.float64))[:, None] * np.arange(1, _DIRECTIONS + 1) % 1
    normal = ndtri(points)
    found: FloatArray = normal / np.sqrt(np.square(normal).sum(axis=0))
    return found


def _solve(covered: Callable[[float], float], low: float, high: float) -> float:
    """Find the value that covers all but the level, between two values (regula falsi, Illinois variant)."""
    below, above = covered(low) - 1 + LEVEL, covered(high) - 1 + LEVEL
    if below >= 0:
        return low
    side, value = 0, high
    for _ in range(30):
        value = (low * above - high * below) / (above - below)
        error = covered(value) - 1 + LEVEL
        if abs(error) < 1e-10:
            break
        if error < 0:
            low, below, above = value, error, above / 2 if side < 0 else above
        else:
            high, above, below = value, error, below / 2 if side > 0 else below
        side = -1 if error < 0 else 1
    return round(value, 6)
