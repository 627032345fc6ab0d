"""Intervals of mean losses of margins, and of the factor that calibrates margins."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, stdtrit

from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.types import FloatArray, IntArray

__all__ = ["LossInterval", "design_effect", "loss_interval"]

_ROUNDING = 1e-12
"""Residuals of a problem below this share of its losses are rounding errors."""
_MANY = 2**14
"""Number of pairs above which pairs of similar margins share one probability in the search for the ends."""
_DOUBLINGS = 20
_PRIOR = 4
"""Problems of independent pairs that are added to an estimate, as Agresti and Coull (1998) add to a proportion."""


class LossInterval(NamedTuple):
    """95% interval of a mean loss.

    Attributes:
        loss: The interval.
        factor: The interval of the factor on margins from which it is computed; its ends may be infinite.
        variance: float64[pairs], a variance of each decision alone, which is above 0 even if all decisions are right.
    """

    loss: tuple[float, float]
    factor: tuple[float, float]
    variance: FloatArray


def loss_interval(
    size: FloatArray, wrong: FloatArray, right: FloatArray, extra: FloatArray, member: IntArray
) -> LossInterval | None:
    """Compute the interval of the mean of right + wrong * extra, with problems as clusters.

    A standard error that is estimated from the losses themselves is too small for a model that is seldom wrong: few
    losses are large, and there may be none. This is Wilson's score interval (1927, JASA 22:209) instead: it consists of
    the means that the observed mean does not contradict, each with the standard error that belongs to it. Means and
    standard errors come from the logistic model in which a decision with margin d is wrong with the probability
    1 / (1 + exp(s |d|)) (Platt 1999, "Probabilistic outputs for support vector machines", without intercept), for all
    s; s = 1 is calibrated, and s below 0 is worse than chance. The variance of this model is multiplied by the
    dispersion (McCullagh and Nelder 1989, "Generalized Linear Models", section 4.5; at least 1) and by the design
    effect. Student's t has one degree of freedom less than the effective number of problems, (sum v)^2 / sum v^2 for
    the variances v that problems contribute (Satterthwaite 1946, Biometrics 2:110). The distances to the ends are
    combined with the error that comes from the margins (Zou and Donner 2008, Statistics in Medicine 27:1693).

    Args:
        size: float64[n], size of the margin.
        wrong: float64[n], 1 for a wrong decision, 0 for a right one, one half for a margin of 0.
        right: float64[n], loss of the pair if the decision is right.
        extra: float64[n], what a wrong decision adds to it; 0 for a margin of 0.
        member: int64[n], the problem, numbered from 0 without gaps.

    Returns:
        None for fewer problems than `MIN_CLUSTERS`, or if all margins are 0.
    """
    problems = int(member.max()) + 1
    if problems < MIN_CLUSTERS or not extra.any():
        return None
    # Squares of larger losses may be infinite.
    scale = max(1.0, float(extra.max()))
    right, extra = right / scale, extra / scale
    low, high, chance, student = _factors(size, wrong, extra, member)
    value = float((right + wrong * extra).mean())
    expected = right + chance * extra
    residual = extra * (wrong - chance)
    rest, own = (np.bincount(member, part).astype(float) for part in (expected - expected.mean(), residual))
    margins = student * float(np.sqrt(np.square(rest).sum() * problems / (problems - 1))) / len(size)
    # Residuals that cancel are rounding errors, whose correlation differs between processors.
    own[np.abs(own) <= _ROUNDING * np.bincount(member, extra)] = 0.0
    # Pairs of a problem share responses: where margins are large, the other decisions are right more often, too.
    together = _correlation(own, rest)
    often, seldom = _chance(low, size), _chance(high, size)
    worst, least = (float((right + chance * extra).mean()) for chance in (often, seldom))
    middle = (often + seldom) / 2
    return LossInterval(
        (
            scale * max(0.0, value - _combined(value - least, margins, together)),
            scale * min(float((right + extra).max()), value + _combined(worst - value, margins, together)),
        ),
        (low, high),
        middle * (1 - middle) * (size > 0),
    )


def _factors(
    size: FloatArray, wrong: FloatArray, extra: FloatArray, member: IntArray
) -> tuple[float, float, FloatArray, float]:
    """Find the factors that the observed mean does not contradict; arguments are those of `loss_interval`.

    Returns:
        The smallest and the largest factor, each decision's chance to be wrong with the factor that fits best, and the
        quantile of Student's t.
    """
    unit = 1 / float(size.mean())
    excess = _excess(size, wrong, extra)
    best = _root(lambda factor: excess(factor)[0], unit)
    chance = _chance(best, size)
    residual, variance = extra * (wrong - chance), np.square(extra) * chance * (1 - chance)
    spread = float(variance.sum())
    dispersion = max(1.0, float(np.square(residual).sum()) / spread) if spread > 0 else 1.0
    growth = dispersion * design_effect(residual, member)
    effective = float(member.max() + 1)
    if spread > 0:
        effective = max(2.0, spread**2 / float(np.square(np.bincount(member, variance)).sum()))
    student = float(stdtrit(effective - 1, 0.975))

    def end(sign: int) -> float:
        def beyond(factor: float) -> float:
            difference, spread = excess(factor)
            return difference - sign * student * float(np.sqrt(growth * spread))

        return _root(beyond, unit)

    return end(-1), end(1), chance, student


def _correlation(first: FloatArray, second: FloatArray) -> float:
    size = float(np.sqrt(np.square(first).sum() * np.square(second).sum()))
    return float(first @ second) / size if size else 0.0


def _combined(first: float, second: float, correlation: float) -> float:
    return math.sqrt(max(0.0, first**2 + second**2 + 2 * correlation * first * second))


def _chance(factor: float, size: FloatArray) -> FloatArray:
    """Return the probability of a wrong decision, given the factor, which may be infinite."""
    if np.isinf(factor):
        return np.full(len(size), float(factor < 0))
    chance: FloatArray = expit(-factor * size)
    return chance


def _excess(size: FloatArray, wrong: FloatArray, extra: FloatArray) -> Callable[[float], tuple[float, float]]:
    """Return a function of the factor: the excess of the observed over the expected sum, and the sum's variance."""
    observed = float((wrong * extra).sum())
    once, twice = extra, np.square(extra)
    if len(size) > _MANY:
        rank = np.empty(len(size), np.int64)
        rank[np.argsort(size, kind="stable")] = np.arange(len(size)) * _MANY // len(size)
        once, twice, total = (np.asarray(np.bincount(rank, own), np.float64) for own in (once, twice, size))
        size = total / np.bincount(rank)

    def excess(factor: float) -> tuple[float, float]:
        chance = _chance(factor, size)
        return observed - float(once @ chance), float(twice @ (chance * (1 - chance)))

    return excess


def _root(function: Callable[[float], float], unit: float) -> float:
    """Find the zero of an increasing function; infinite if there is none."""
    low, high = -unit, unit
    for _ in range(_DOUBLINGS):
        if function(low) < 0:
            break
        low *= 2
    else:
        return -np.inf
    for _ in range(_DOUBLINGS):
        if function(high) > 0:
            break
        high *= 2
    else:
        return np.inf
    return float(brentq(function, low, high, xtol=(high - low) * 2.0**-49))


def design_effect(residual: FloatArray, member: IntArray) -> float:
    """Compute by how much the variance of a sum of residuals exceeds that of independent ones (Kish 1965, section 5.4).

    It is below 1 if residuals of a problem offset each other, as a model that prefers a style is right in one
    comparison and wrong in another. A few problems can show this by chance. Therefore such an estimate is averaged with
    that of `_PRIOR` problems of independent pairs, in proportion to the effective number of problems.

    If there are no residuals or too few problems, it is the largest possible one: that of pairs that are right or wrong
    together with all others of their problem.
    """
    count = np.bincount(member)
    squares = np.bincount(member, np.square(residual))
    total = float(squares.sum())
    if len(count) < MIN_CLUSTERS or total <= 1e-20 * len(residual):
        return float(np.square(count.astype(float)).sum()) / len(member)
    effect = float(np.square(np.bincount(member, residual)).sum()) / total
    effective = total**2 / float(np.square(squares).sum())
    return max(effect, (effective * effect + _PRIOR) / (effective + _PRIOR))
