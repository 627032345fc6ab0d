"""Intervals and tests of weighted means of problems, by score tests at the constrained maximum of the likelihood.

A number is a weighted sum of means over strata, and each stratum is a sample of problems. A value is inside the
interval if the score test does not reject it: the distance of the estimate from the value, divided by the standard
error that the estimate has if the value is true, is below the critical value. That standard error belongs to the most
likely distribution of the problems whose number has this value. For a share of independent decisions, it is the
binomial distribution, and the interval is Wilson's (1927, JASA 22:209); for the difference of two shares on the same
decisions, the interval is Tango's (1998, Statistics in Medicine 17:891). In general the distribution is that of the
empirical likelihood (Owen 1988, Biometrika 75:237), which reweights the observed problems.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from rmeval.types import FloatArray, IntArray

__all__ = ["NEAR", "Sample", "limits", "p_values"]

NEAR = 2.0
"""Distance from a bound, in standard errors, below which the limit on that side is that of the likelihood ratio."""
_STEPS = 44
_MANY = 400_000
"""Number of values above which samples are solved one after the other, to bound memory."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The problems of a number, by stratum.

    Attributes:
        value: The number.
        bounds: Its smallest and largest possible value.
        atoms: float64[k], the distinct problems of each stratum: by how much the number changes if all problems of the
            stratum are like this one.
        weights: float64[k], the number of problems of each kind.
        lengths: int64[strata], the number of atoms of each stratum.
        problems: float64[strata], the number of problems.
        degrees: float64[strata], degrees of freedom of the estimated variance; infinite for independent decisions,
            whose variance follows from their mean.
        factors: float64[strata], correction of the variance for the estimated mean of a small stratum.
    """

    value: float
    bounds: tuple[float, float]
    atoms: FloatArray
    weights: FloatArray
    lengths: IntArray
    problems: FloatArray
    degrees: FloatArray
    factors: FloatArray


def limits(samples: Sequence[Sample], critical: FloatArray | None = None) -> FloatArray:
    """Compute the two limits of each number's interval.

    The critical value is that of the normal distribution, because the variance at the limit includes the distance of
    the limit from the estimate, as Student's t does. If problems have unequal weights, it is Student's t, multiplied by
    sqrt((d + 1) / (d + t²)) for this inclusion, to a power that is the smaller, the more unequal they are.

    Near a bound, the normal approximation of Wilson's interval is too short on the side of the bound (Brown, Cai and
    DasGupta 2001, Statistical Science 16:101, section 4.1.1); the limit of the likelihood ratio replaces it there, if
    it is farther.

    Args:
        samples: The samples.
        critical: float64[samples], the critical value for normal numbers, such as that of simultaneous intervals; by
            default that of 95% intervals.

    Returns:
        float64[samples, 2].
    """
    return _in_blocks(samples, _limits, critical)


def p_values(samples: Sequence[Sample], null: float) -> FloatArray:
    """Compute the probability, if the number is `null`, of an estimate at least as large as the observed one.

    The test is the one that `limits` inverts, so that it rejects on one side at 2.5% if and only if `null` is below the
    interval (except near a bound, where the interval is longer).

    Args:
        samples: The samples.
        null: The number under the null hypothesis.

    Returns:
        float64[samples], one-sided p-values.
    """
    return _in_blocks(samples, lambda block, _: _p_values(block, null))


def _in_blocks(
    samples: Sequence[Sample],
    compute: Callable[[Sequence[Sample], FloatArray | None], FloatArray],
    critical: FloatArray | None = None,
) -> FloatArray:
    found: list[FloatArray] = []
    start = size = 0
    for end, sample in enumerate(samples, 1):
        size += len(sample.atoms)
        if size > _MANY or end == len(samples):
            found.append(compute(samples[start:end], None if critical is None else critical[start:end]))
            start, size = end, 0
    return np.concatenate(found) if found else np.empty(0)


@dataclass(slots=True)
class _Distribution:
    """The most likely distributions for one multiplier per sample: the change of the number, and its variance."""

    change: FloatArray
    variance: FloatArray
    parts: FloatArray
    likelihood: FloatArray
    offset: FloatArray


class _Constrained:
    """Most likely distributions of many samples at once, indexed by a Lagrange multiplier for each sample.

    In each stratum the probability of an atom is w / (g + l a), where w is its weight, a its effect on the number, l
    the multiplier, and g makes the probabilities add up to 1. A positive multiplier decreases the number.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.atoms = np.concatenate([one.atoms for one in samples])
        self.weights = np.concatenate([one.weights for one in samples])
        lengths = np.concatenate([one.lengths for one in samples])
        self.problems = np.concatenate([one.problems for one in samples])
        self.degrees = np.concatenate([one.degrees for one in samples])
        self.factors = np.concatenate([one.factors for one in samples])
        counts = np.array([len(one.lengths) for one in samples])
        self.starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self.firsts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self.stratum = np.repeat(np.arange(len(lengths)), lengths)
        self.sample = np.repeat(np.arange(len(samples)), counts)
        self.total = np.add.reduceat(self.weights, self.starts)
        self.least = np.minimum.reduceat(self.atoms, self.starts)
        self.most = np.maximum.reduceat(self.atoms, self.starts)

    def free(self) -> _Distribution:
        """Return the distributions without a constraint: the observed ones."""
        return self.at(np.zeros(len(self.firsts)), self.total)

    def at(self, multiplier: FloatArray, offset: FloatArray) -> _Distribution:
        """Return the distributions for a multiplier per sample; `offset` is a first guess, such as the last result."""
        own = multiplier[self.sample]
        # Denominators are written as a distance from the smallest one, which keeps them positive.
        end = np.where(own > 0, self.least, self.most)
        apart = own[self.stratum] * (self.atoms - end[self.stratum])
        at_end = np.add.reduceat(np.where(self.atoms == end[self.stratum], self.weights, 0.0), self.starts)
        offset = np.clip(offset, at_end, self.total)
        for _ in range(100):
            # Newton's method on a convex function converges from below.
            share = self.weights / (offset[self.stratum] + apart)
            excess = np.add.reduceat(share, self.starts) - 1
            slope = np.add.reduceat(share / (offset[self.stratum] + apart), self.starts)
            new = np.clip(offset + excess / slope, at_end, self.total)
            done = bool((np.abs(new - offset) <= 1e-11 * offset).all())
            offset = new
            if done:
                break
        chance = self.weights / (offset[self.stratum] + apart)
        chance /= np.add.reduceat(chance, self.starts)[self.stratum]
        mean = np.add.reduceat(chance * self.atoms, self.starts)
        square = np.add.reduceat(chance * np.square(self.atoms - mean[self.stratum]), self.starts)
        parts = square / self.problems * self.factors
        return _Distribution(
            np.add.reduceat(mean, self.firsts),
            np.add.reduceat(parts, self.firsts),
            parts,
            np.add.reduceat(self.weights * np.log(np.maximum(chance, 1e-300)), self.starts),
            offset,
        )

    def likelihood(self, found: _Distribution) -> FloatArray:
        """Return the log-likelihood of each sample."""
        likelihood: FloatArray = np.add.reduceat(found.likelihood, self.firsts)
        return likelihood

    def freedom(self, parts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return degrees of freedom of the samples: of the variances, and if all problems had equal weight.

        The degrees of a sum of variances are Satterthwaite's (1946, Biometrics Bulletin 2:110).
        """
        even = np.where(np.isinf(self.degrees), np.inf, np.maximum(self.problems - 1, 1))
        square = np.square(np.add.reduceat(parts, self.firsts))
        found = []
        for degrees in (self.degrees, even):
            below = np.add.reduceat(np.square(parts) / degrees, self.firsts)
            found.append(np.divide(square, below, out=np.full(len(square), np.inf), where=below > 0))
        return found[0], np.maximum(found[1], found[0])

    def solve(self, sign: FloatArray, reached: Callable[[_Distribution], FloatArray]) -> FloatArray:
        """Return the change of each number at which `reached` becomes positive, in the direction of `sign`."""
        free = self.free()
        low, offset = np.zeros(len(sign)), free.offset
        high = 1 / np.sqrt(np.maximum(free.variance, 1e-24))
        for _ in range(_STEPS):
            found = self.at(-sign * high, offset)
            offset, short = found.offset, reached(found) < 0
            if not short.any():
                break
            low, high = np.where(short, high, low), np.where(short, 2 * high, high)
        for _ in range(_STEPS):
            middle = (low + high) / 2
            found = self.at(-sign * middle, offset)
            offset, over = found.offset, reached(found) > 0
            low, high = np.where(over, low, middle), np.where(over, middle, high)
        return found.change


def _limits(samples: Sequence[Sample], critical: FloatArray | None) -> FloatArray:
    """Compute the limits of samples that fit into memory together: the lower ones, then the upper ones."""
    both = _Constrained([*samples, *samples])
    count = len(samples)
    sign = np.repeat([-1.0, 1.0], count)
    free = both.free()
    degrees, even = both.freedom(free.parts)
    tail = np.full(2 * count, 0.975) if critical is None else ndtr(np.tile(critical, 2))
    reach = _critical(tail, degrees, even)
    change = both.solve(sign, lambda found: sign * found.change - reach * np.sqrt(found.variance))
    value = np.array([one.value for one in samples])
    bounds = np.array([one.bounds for one in samples])
    ends = value[:, None] + change.reshape(2, count).T
    near = _near(value, bounds, free.variance[:count]) & np.isinf(degrees[:count])[:, None]
    if near.any():
        nearest = both.likelihood(both.at(*_unchanged(both, sign)))

        def ratio(found: _Distribution) -> FloatArray:
            root = np.sqrt(np.maximum(2 * (nearest - both.likelihood(found)), 0))
            return np.where(sign * found.change > 0, root, -1.0) - reach

        farther = value[:, None] + both.solve(sign, ratio).reshape(2, count).T
        ends[:, 0] = np.where(near[:, 0], np.minimum(ends[:, 0], farther[:, 0]), ends[:, 0])
        ends[:, 1] = np.where(near[:, 1], np.maximum(ends[:, 1], farther[:, 1]), ends[:, 1])
    # Rounding must not move a limit across the number, or off a bound.
    ends = np.stack([np.minimum(ends[:, 0], value), np.maximum(ends[:, 1], value)], axis=1)
    return np.where(np.abs(ends - bounds) < 1e-9, bounds, np.clip(ends, bounds[:, :1], bounds[:, 1:]))


def _near(value: FloatArray, bounds: FloatArray, variance: FloatArray) -> FloatArray:
    """Return whether each number is near its lower and its upper bound, bool[samples, 2], but only the nearer one."""
    apart = np.abs(bounds - value[:, None])
    near: FloatArray = (np.square(apart) <= NEAR**2 * variance[:, None]) & (apart == apart.min(axis=1, keepdims=True))
    return near


def _unchanged(both: _Constrained, sign: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the multipliers, and offsets, of the most likely distributions whose number is the estimate."""
    low, high = np.full(len(sign), -1.0), np.full(len(sign), 1.0)
    scale = 1 / np.sqrt(np.maximum(both.free().variance, 1e-24))
    for _ in range(_STEPS):
        above, below = both.at(low * scale, both.total).change < 0, both.at(high * scale, both.total).change > 0
        if not (above | below).any():
            break
        low, high = np.where(above, 2 * low, low), np.where(below, 2 * high, high)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        over = both.at(middle * scale, both.total).change > 0
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return (low + high) / 2 * scale, both.total


def _critical(tail: FloatArray, degrees: FloatArray, even: FloatArray) -> FloatArray:
    """Compute critical values for distances in standard errors at the limit, see `limits`.

    Args:
        tail: float64[n], the probability below the quantile.
        degrees: float64[n], degrees of freedom of the variance.
        even: float64[n], degrees of freedom if all problems had equal weight. The more unequal they are, the less the
            variance at the limit depends on its distance, and the smaller the correction.
    """
    plain = np.where(np.isinf(degrees), ndtri(tail), stdtrit(np.minimum(degrees, 1e12), tail))
    student = stdtrit(np.minimum(even, 1e12), tail)
    with np.errstate(invalid="ignore"):
        factor = np.sqrt((even + 1) / (even + np.square(student)))
        power = np.minimum(degrees / even, 1.0)
    found: FloatArray = np.where(np.isinf(even), plain, np.maximum(ndtri(tail), plain * factor**power))
    return found


def _p_values(samples: Sequence[Sample], null: float) -> FloatArray:
    found = _Constrained(samples)
    free = found.free()
    degrees, even = found.freedom(free.parts)
    target = null - np.array([one.value for one in samples])
    sign = np.where(target < 0, -1.0, 1.0)
    at = np.empty(len(samples))

    def reached(one: _Distribution) -> FloatArray:
        at[:] = one.variance
        return sign * (one.change - target)

    found.solve(sign, reached)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.nan_to_num(-target / np.sqrt(at), nan=0.0)
    # The level at which the critical value is the score.
    low, high = np.zeros(len(score)), np.full(len(score), 0.5)
    for _ in range(50):  # 1 - 2^-51 is below 1.
        middle = (low + high) / 2
        beyond = _critical(1 - middle, degrees, even) > np.abs(score)
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return np.where(score > 0, low, 1 - low)
