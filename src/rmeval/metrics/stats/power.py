"""Power of the sign-flip test: what a number of problems detects, and how many problems a difference needs.

The power is not simulated. It is that of the test itself, approximated for the contributions that problems have:

* The number of problems that contribute anything (in which the models differ) is binomial.
* Given these problems, the test is significant if the sum of their contributions exceeds a critical value, which random
  signs exceed with half the level. Tail probabilities of sums with random signs are those of the saddlepoint
  approximation in Barndorff-Nielsen's form (1986, Biometrika 73:307; Davison and Hinkley 1997, "Bootstrap Methods and
  their Application", section 9.5), with Daniels' correction for the step of the sums (1987, Int. Stat. Rev. 55:37).
* If one model is better, its contributions are more often positive: the log-odds of a positive sign grow with the
  square root of the size of a contribution. This lies between a lean that all contributions share and the exponential
  tilt of the signs, in which it grows with the size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import bdtr, bdtri, ndtr, ndtri

from rmeval.metrics.stats.significance import LEVEL, least
from rmeval.types import FloatArray

__all__ = ["POWER", "ContributionSizes", "detectable", "power_of", "problems_needed"]

POWER = 0.8
"""Probability with which a difference is to be detected."""
_SIZES = 8
"""Maximum number of distinct sizes of contributions; more are grouped."""
_LEAN = 6.0
"""Log-odds of half the sign, above which practically all contributions are positive."""
_MOST = 10**9
"""Number of problems above which a difference counts as undetectable."""


@dataclass(frozen=True)
class ContributionSizes:
    """Contributions of problems to the difference of two models, such as 1, 0 and -1 for one comparison each.

    Attributes:
        share: Share of the problems whose contribution is not 0.
        size: float64[k], the sizes of the others.
        chance: float64[k], the probability of each size.
        step: The largest number of which all contributions are multiples; 0 if it is very small.
    """

    share: float
    size: FloatArray
    chance: FloatArray
    step: float

    @classmethod
    def of(cls, values: FloatArray) -> ContributionSizes:
        """Return the contributions of a sample of problems, such that the difference is the mean of `values`."""
        largest = float(np.abs(values).max(initial=0.0))
        if largest < 1e-9:  # Comparisons of each problem cancel, up to rounding: no problem is discordant.
            largest = 1.0
        size, times = np.unique(np.round(np.abs(values) / largest, 9), return_counts=True)
        return cls.spread(size * largest, times / max(len(values), 1))

    @classmethod
    def spread(cls, size: FloatArray, chance: FloatArray) -> ContributionSizes:
        """Return the contributions with these sizes, in ascending order and possibly 0, and their probabilities."""
        chance, size = chance[size > 0], size[size > 0]
        share = float(chance.sum())
        if not share:
            return cls(0.0, size, chance, 0.0)
        chance = chance / share
        step = _step(size)
        if len(size) > _SIZES:
            group = np.minimum((_SIZES * (np.cumsum(chance) - chance / 2)).astype(int), _SIZES - 1)
            inside = np.arange(_SIZES)[:, None] == group
            inside = inside[inside.any(axis=1)]
            size, chance = np.sqrt(inside @ (chance * np.square(size)) / (inside @ chance)), inside @ chance
        return cls(min(share, 1.0), size, chance, step)

    @cached_property
    def mean_size(self) -> float:
        """Mean size of the contributions that are not 0."""
        return float(self.size @ self.chance)

    @cached_property
    def second_moment(self) -> float:
        """Mean square of all contributions: the variance under the null hypothesis."""
        return self.share * float(np.square(self.size) @ self.chance)

    def leaning(self, lean: float, size: FloatArray | None = None) -> FloatArray:
        """Return half the log-odds of a positive sign for each size; for `self.size` if no sizes are given."""
        return lean * np.sqrt((self.size if size is None else size) / self.mean_size)

    def mean(self, lean: float) -> float:
        """Return the true difference for a lean of the signs."""
        return self.share * float((self.size * np.tanh(self.leaning(lean))) @ self.chance)

    def lean(self, difference: float) -> float:
        """Return the lean that gives a difference; at most `_LEAN`."""
        return _rising(self.mean, difference, 0.0, _LEAN)

    def reaching(self, difference: float) -> ContributionSizes:
        """Return the contributions with a share of discordant problems that is large enough for a difference."""
        share = min(1.0, max(self.share, difference / self.mean_size))
        return replace(self, share=share)


def power_of(made: ContributionSizes, problems: int, difference: float, level: float = LEVEL) -> float:
    """Compute the probability that the sign-flip test finds the better model of two.

    If the difference is larger than the share of discordant problems allows, that share is increased as far as
    necessary, and all discordant problems favour the better model. A difference that is larger than the mean size of
    their contributions is significant if there are enough problems for any difference.

    Args:
        made: The contributions of problems.
        problems: Number of problems.
        difference: The true difference, at least 0.
        level: Two-sided level of the test; Holm's smallest level is 5% divided by the number of tests.
    """
    if not made.share:
        return math.nan
    if difference > made.mean_size:
        return float(problems >= least(LEVEL / level))
    made = made.reaching(difference)
    return _Test(made, problems, level).power(made.lean(difference))


def detectable(made: ContributionSizes, problems: int, level: float = LEVEL, power: float = POWER) -> float:
    """Compute the smallest true difference that the sign-flip test detects with a given power.

    Args:
        made: The contributions of problems, such as those observed.
        problems: Number of problems.
        level: Two-sided level of the test.
        power: The power.

    Returns:
        The minimum detectable effect; NaN if no problem is discordant, or if there are too few problems for any
        difference.
    """
    if not made.share:
        return math.nan
    test = _Test(made, problems, level)
    if test.power(_LEAN) >= power:
        return made.mean(_rising(lambda lean: _probit(test.power(lean)), _probit(power), 0.0, _LEAN))
    if problems < (enough := least(LEVEL / level)):
        return math.nan
    # All discordant problems favour one model, and enough problems are discordant.
    return max(float(bdtri(enough - 1, problems, 1 - power)), made.share) * made.mean_size


def problems_needed(
    made: ContributionSizes, difference: float, level: float = LEVEL, power: float = POWER
) -> int | None:
    """Compute the smallest number of problems with which the sign-flip test detects a difference with a given power.

    Returns:
        The number; None if no problem is discordant, or if it exceeds a billion.
    """
    if not made.share:
        return None
    high = least(LEVEL / level)
    power -= 1e-6
    while power_of(made, high, difference, level) < power:
        high *= 2
        if high > _MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if power_of(made, middle, difference, level) < power else (low, middle)
    return max(high, least(LEVEL / level))


class _Test:
    """The test on a number of problems: its critical values for each number of discordant problems."""

    def __init__(self, made: ContributionSizes, problems: int, level: float) -> None:
        count, chance = _discordant(problems, made.share)
        enough = count >= least(LEVEL / level)
        self.made, self.count, self.chance = made, count[enough], chance[enough]
        if not len(self.count):
            return
        # The mean contribution whose upper tail has half the level, half a step of the sums beyond it, because sums
        # jump over the exact level; at most the largest sum, which is significant.
        mean = self._critical(-float(ndtri(level / 2))) + made.step / self.count
        most = made.mean_size - np.maximum(made.step / self.count, 1e-9 * made.mean_size)
        self.critical = np.minimum(mean, most)

    def power(self, lean: float) -> float:
        """Return the probability of a significant result for the better model."""
        if not len(self.count):
            return 0.0
        leaning = self.made.leaning(lean)
        point = self._saddle(leaning)
        return min(1.0, float(self.chance @ ndtr(-self._root(point, leaning, self.critical))))

    def _critical(self, bound: float) -> FloatArray:
        """Return the mean contributions that random signs exceed with the probability of a normal tail."""
        made, none = self.made, np.zeros(len(self.made.size))
        # Sums of random signs have lighter tails than a normal distribution, so the point is beyond the normal one.
        square = float(np.square(made.size) @ made.chance)
        low = np.log(bound / np.sqrt(self.count * square)) - 0.2
        high = np.maximum(low + 3, 4.0 - math.log(float(made.size.min())))
        for _ in range(20):
            middle = (low + high) / 2
            point = np.exp(middle)
            mean = self._moments(point, none)[1]
            beyond = self._root(point, none, mean) > bound
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        return self._moments(np.exp((low + high) / 2), none)[1]

    def _saddle(self, leaning: FloatArray) -> FloatArray:
        """Solve K'(u) = critical mean, by Newton's method on a scale on which K' is nearly linear, within a bracket."""
        made = self.made
        target = np.arctanh(self.critical / made.mean_size)
        ends = (target[:, None] - leaning) / made.size
        low, high = ends.min(axis=1), ends.max(axis=1)
        point: FloatArray = (low + high) / 2
        for _ in range(40):
            _, mean, curvature, _ = self._moments(point, leaning)
            share = np.clip(mean / made.mean_size, -1 + 1e-12, 1 - 1e-12)
            miss = target - np.arctanh(share)
            low, high = np.where(miss > 0, point, low), np.where(miss < 0, point, high)
            step = point + miss / np.maximum(curvature / made.mean_size / (1 - share**2), 1e-12)
            point = np.where((step >= low) & (step <= high), step, (low + high) / 2)
            if float(np.abs(miss).max()) < 1e-7:
                break
        return point

    def _moments(self, point: FloatArray, leaning: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return K(u), K'(u), K''(u) and K'''(u) of one contribution: K(u) = E log(cosh(ux + l) / cosh l)."""
        size, chance = self.made.size, self.made.chance
        tilted = np.multiply.outer(point, size) + leaning
        tangent = np.tanh(tilted)
        spread = size**2 * (1 - tangent**2)
        return (
            (_log_cosh(tilted) - _log_cosh(leaning)) @ chance,
            (size * tangent) @ chance,
            spread @ chance,
            (-2 * size * tangent * spread) @ chance,
        )

    def _root(self, point: FloatArray, leaning: FloatArray, mean: FloatArray) -> FloatArray:
        """Return the modified signed root r*, for which a normal distribution has the tail beyond the mean."""
        cumulant, _, curvature, third = self._moments(point, leaning)
        curvature = np.maximum(curvature, 1e-12 * self.made.mean_size**2)
        root = np.sign(point) * np.sqrt(np.maximum(2 * self.count * (point * mean - cumulant), 0.0))
        width = point * np.sqrt(self.count * curvature)
        near = np.abs(root) < 0.02
        safe, wide = np.where(near, 1.0, root), np.where(near, 1.0, width)
        skew = np.clip(third / (curvature**1.5 * np.sqrt(self.count)), -1, 1)
        change = np.where(near, skew / 6, np.log(wide / safe) / safe)
        found: FloatArray = root + change
        return found


def _step(size: FloatArray) -> float:
    """Return the largest number of which all sizes are multiples; 0 if it is less than a quarter of the smallest."""
    for parts in range(1, 5):
        ratio = parts * size / size[0]
        if np.allclose(ratio, np.round(ratio), rtol=0, atol=1e-6):
            return float(size[0]) / parts
    return 0.0


def _discordant(problems: int, share: float) -> tuple[FloatArray, FloatArray]:
    """Return numbers of discordant problems and their probabilities; a few nodes stand for a large binomial."""
    if share >= 1:
        return np.array([float(problems)]), np.ones(1)
    mean, spread = problems * share, math.sqrt(problems * share * (1 - share))
    if spread > 4 and mean > 60:
        node, weight = np.polynomial.hermite_e.hermegauss(7)
        return mean + spread * node, weight / weight.sum()
    count = np.arange(max(0, int(mean - 6 * spread)), min(problems, int(mean + 7 * spread + 2)) + 1)
    chance = np.diff(bdtr(count, problems, share), prepend=0.0)
    return count.astype(float), chance / chance.sum()


def _log_cosh(values: FloatArray) -> FloatArray:
    size = np.abs(values)
    found: FloatArray = size + np.log1p(np.exp(-2 * size)) - math.log(2)
    return found


def _probit(share: float) -> float:
    return float(ndtri(min(max(share, 1e-12), 1 - 1e-12)))


def _rising(function: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Solve function(x) = target for an increasing function; an end if the target is beyond it.

    This is the Illinois method (Dowell and Jarratt 1971, BIT 11:168): false position that never keeps an end twice.
    """
    below, above = function(low) - target, function(high) - target
    if below >= 0 or above <= 0:
        return low if below >= 0 else high
    enough, kept, point = 1e-7 * (above - below), 0, low
    for _ in range(60):
        point = high - above * (high - low) / (above - below)
        miss = function(point) - target
        if abs(miss) < enough:
            break
        if miss < 0:
            low, below, above = point, miss, above / (2 if kept == 1 else 1)
            kept = 1
        else:
            high, above, below = point, miss, below / (2 if kept == -1 else 1)
            kept = -1
    return point
