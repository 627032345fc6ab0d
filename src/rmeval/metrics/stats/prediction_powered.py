"""Prediction-powered estimates: the number of a model on a sample, with the scores of a cheap model on all items."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import stdtrit

from rmeval.data.tables import Codes, Mask
from rmeval.types import FloatArray, IntArray

__all__ = ["FEWEST", "METHOD", "Contributions", "Estimated", "Powered", "equivalent", "powered", "strata_of"]

FEWEST = 10
"""Fewest items of the sample in a stratum, and in all."""
METHOD = "prediction-powered(jackknife, score interval)"
_ROUNDING = 1e-12
"""Differences of credits below this are rounding errors."""
_PSEUDO = 1.0
"""Number of pseudo-items of the interval, a quarter of one in each combination of right and wrong decisions."""
_POOLED = 10.0
"""Number of items with which the variance in all strata counts in the variance of one."""
_LARGEST_LEVERAGE = 0.9


@dataclass(frozen=True, slots=True)
class Contributions:
    """What each item contributes to a number: sums over its comparisons of weight times credit, one entry per item.

    Attributes:
        size: float64[n], the sum of the absolute weights, above 0.
        cheap: float64[n], the sum for the cheap model.
        expensive: float64[n], the sum for the expensive model; 0 outside the sample.
        known: float64[n], the sum of the absolute weights of comparisons for which the expensive model has a credit.
        sampled: bool[n], whether the item is in the sample.
        stratum: int[n], the stratum, from `strata_of`.
        cluster: int[n], the underlying problem.
        probability: float64[n], the probability with which the sample contains each item; None for a simple random
            sample.
    """

    size: FloatArray
    cheap: FloatArray
    expensive: FloatArray
    known: FloatArray
    sampled: Mask
    stratum: Codes | IntArray
    cluster: Codes | IntArray
    probability: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Estimated:
    """An estimate with its 95% interval."""

    value: float
    ci: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Powered:
    """Estimates of a number of the expensive model.

    Attributes:
        combined: The estimate from both models.
        alone: The estimate from the sample of the expensive model alone.
        correlation: Correlation of the models' contributions within strata; NaN if one of them does not vary.
        slope: The factor lambda of the cheap model.
        saved: Expected share of the variance that the cheap model saves; below 0 if it costs more than it saves.
        worth: Number of further items of the expensive model that would save as much.
        cheap: The cheap model's number.
        cheap_on_sample: The estimate of that number from the sample.
        surprise: The distance of these two in standard errors; 0 if items have different probabilities.
    """

    combined: Estimated
    alone: Estimated
    correlation: float
    slope: float
    saved: float
    worth: float
    cheap: float
    cheap_on_sample: float
    surprise: float


def strata_of(part: Codes | IntArray, sampled: Mask) -> IntArray:
    """Return the stratum of each item: its part, where parts with fewer than `FEWEST` sampled items are merged.

    Args:
        part: int[n], the part of each item.
        sampled: bool[n], whether the item is in the sample.
    """
    counts = np.bincount(part[sampled], minlength=int(part.max()) + 1)
    merged: list[int] = []
    for code in np.argsort(counts, kind="stable").tolist():
        if counts[code] >= FEWEST and (not merged or counts[merged].sum() >= FEWEST):
            break
        merged.append(code)
    label = np.arange(len(counts))
    label[merged] = min(merged, default=0)
    found: IntArray = np.unique(label[part], return_inverse=True)[1]
    return found


def powered(found: Contributions, population: bool = False, proportion: bool = True) -> Powered:
    """Estimate a number of the expensive model from its sample and the cheap model's contributions of all items.

    The estimate is T(y) - lambda (T(f) - F): T(y) and T(f) estimate the two models' numbers from the sample, and F is
    the cheap model's number. This is PPI++ with power tuning (Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453)
    for a sample of the very items that the cheap model has scored, and the difference estimator of survey sampling
    (Saerndal, Swensson and Wretman 1992, "Model Assisted Survey Sampling", section 6.3). T is the separate ratio
    estimator (Cochran 1977, "Sampling Techniques", section 6.10): in each stratum the sampled contributions are divided
    by their sizes, with the inverse of the probability as weight. Lambda minimises the estimated variance; it is not
    limited to values from 0 to 1, since a negative correlation helps as well, and it is 0 if the cheap model does not
    vary. The interval is valid for any lambda.

    Variances are those of the linearised contributions u and v of both models, in which sampled items are independent
    apart from the fixed size of the sample (Hajek 1964, Annals of Mathematical Statistics 35:1491):
    n/(n-1) sum of (1 - probability) u v. The estimation of lambda is accounted for by the jackknife in the form HC3
    (MacKinnon and White 1985, Journal of Econometrics 29:305). For the interval see `_Drawn.interval`.

    Args:
        found: The contributions.
        population: Whether to estimate the number of the population of problems from which the items were drawn
            instead of the number of the items.
        proportion: Whether the number is a mean of credits between 0 and 1.
    """
    drawn = _Drawn(found)
    both = drawn.variance(drawn.expensive * drawn.cheap)
    own, other = (drawn.variance(one * one) for one in (drawn.expensive, drawn.cheap))
    # The pseudo-items of `interval` are part of the variance that lambda minimises.
    slope = both / (other + drawn.pseudo * drawn.unit) if other > 0 else 0.0
    between = drawn.between if population else 0.0
    correlation = both / np.sqrt(own * other) if own > 0 and other > 0 else np.nan
    count = drawn.effective
    # The correlation of a sample is too large on average, and the estimation of lambda costs variance: no gain at 0.
    square = 1 - (1 - correlation**2) * (count - 1) / max(count - 3, 1)
    return Powered(
        drawn.estimated(slope, population, proportion),
        drawn.estimated(0.0, population, proportion),
        float(correlation),
        float(slope),
        float(square * own / (own + between)) if own > 0 else np.nan,
        equivalent(len(drawn.place), len(found.size), square) - len(drawn.place),
        float(found.cheap.sum()),
        drawn.totals[1],
        _surprise(found, drawn),
    )


def _apart(values: FloatArray, size: FloatArray, ratio: FloatArray) -> FloatArray:
    """Return contributions less their expectation; rounding must not make items with equal credits vary."""
    apart: FloatArray = values - size * ratio
    apart[np.abs(apart) <= _ROUNDING * size] = 0.0
    return apart


def _surprise(found: Contributions, drawn: _Drawn) -> float:
    """Return the distance of the cheap model's number from its estimate in standard errors, which are known exactly."""
    if found.probability is not None:
        return 0.0
    totals = np.bincount(found.stratum)
    ratio = _sums(found.stratum, found.cheap) / _sums(found.stratum, found.size)
    squares = _sums(found.stratum, np.square(_apart(found.cheap, found.size, ratio[found.stratum])))
    error = float(np.sqrt(((totals / drawn.counts - 1) * totals / np.maximum(totals - 1, 1)) @ squares))
    return drawn.gap / error if error > 0 else 0.0


def equivalent(count: int, total: int, square: float) -> float:
    """Return the number of sampled items that have the same variance without a cheap model.

    The variance of a mean of n of N items is (1/n - 1/N) s², and with a cheap model (1 - r²) times that (Cochran 1977,
    section 7.3).

    Args:
        count: Number of sampled items.
        total: Number of all items.
        square: The square of the correlation.
    """
    return float(1 / (1 / total + (1 / count - 1 / total) * (1 - square)))


class _Drawn:
    """The sampled items, with linearised contributions."""

    def __init__(self, found: Contributions) -> None:
        self.place = np.flatnonzero(found.sampled)
        self.stratum = found.stratum[self.place]
        strata = int(found.stratum.max()) + 1
        self.counts = np.bincount(self.stratum, minlength=strata)
        self.cluster = found.cluster[self.place]
        if found.probability is None:
            self.probability = (self.counts / np.bincount(found.stratum, minlength=strata))[self.stratum]
        else:
            self.probability = found.probability[self.place]
        sizes = _sums(found.stratum, found.size)
        own = self._ratio(sizes, found.expensive[self.place], found.known[self.place])
        other = self._ratio(sizes, found.cheap[self.place], found.size[self.place])
        self.totals, (self.expensive, self.cheap) = (own[0], other[0]), (own[1], other[1])
        self.weights = other[2]
        self.gap = self.totals[1] - float(found.cheap.sum())

    def _ratio(self, sizes: FloatArray, values: FloatArray, size: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Estimate a number; return it, the linearised contributions and the weights of the items."""
        each = 1 / self.probability
        seen = _sums(self.stratum, each * size)
        ratio = _sums(self.stratum, each * values) / seen
        factor = (sizes / seen)[self.stratum] * each
        return float(sizes @ ratio), factor * _apart(values, size, ratio[self.stratum]), factor * size

    @cached_property
    def effective(self) -> float:
        """The number of items with equal weights that have the same variance (Kish 1992, J. Official Stat. 8:183)."""
        return float(self.weights.sum() ** 2 / np.square(self.weights).sum())

    @cached_property
    def pseudo(self) -> float:
        """What the pseudo-items add to the variance of the credits of one item."""
        return _PSEUDO / 4 / self.effective

    @cached_property
    def left(self) -> FloatArray:
        """The share of each item's variance that remains in a finite population, without replacement."""
        return np.asarray(1 - self.probability, np.float64)

    @cached_property
    def factor(self) -> FloatArray:
        """The factor of squared contributions in the variance."""
        return self.left * (self.counts / np.maximum(self.counts - 1, 1))[self.stratum]

    @cached_property
    def units(self) -> FloatArray:
        """The variance in each stratum if the credits of an item had the variance 1."""
        return _sums(self.stratum, self.left * self.weights**2)

    @cached_property
    def unit(self) -> float:
        """The variance if the credits of an item had the variance 1."""
        return float(self.units.sum())

    def variance(self, products: FloatArray) -> float:
        """Sum products of contributions over the strata; the variance in a small stratum is drawn towards that in all.

        A stratum in which all decisions of the sample are right would otherwise add no variance.
        """
        found = _sums(self.stratum, self.factor * products)
        drawn = self.units > 0
        found, units, counts = found[drawn], self.units[drawn], self.counts[drawn]
        if len(found) == 1:
            return float(found[0])
        each = found / units
        pooled = float(counts @ each) / counts.sum()
        return float(units @ ((counts * each + _POOLED * pooled) / (counts + _POOLED)))

    @cached_property
    def between(self) -> float:
        """The variance between populations of problems: that of all items' number, from the sampled pairs of items."""
        count = len(self.place)
        together = np.square(_sums(self.cluster, self.expensive)).sum()
        apart = (self.left * np.square(self.expensive)).sum()
        return float(count / (count - 1) * max(0.0, together - apart))

    def estimated(self, slope: float, population: bool, proportion: bool) -> Estimated:
        """Return the estimate with a factor of the cheap model, and its interval."""
        value = self.totals[0] - slope * self.gap
        remaining = self.expensive - slope * self.cheap
        scale = np.ones(len(self.place))
        if slope:
            leverage = self.factor * self.cheap**2 / (self.variance(self.cheap**2) + self.pseudo * self.unit)
            scale = (1 - np.minimum(leverage, _LARGEST_LEVERAGE)) ** -2
        variance = self.variance(scale * remaining**2)
        between = 0.0
        if population:
            variance += self.between
            between = float((self.probability * self.weights**2).sum())
        freedom = max(2.0, self.effective * (1 - len(self.counts) / len(self.place)) - bool(slope))
        if proportion:
            value = min(1.0, max(0.0, value))
        return Estimated(value, self.interval(value, variance, slope, between, freedom, proportion))

    def interval(
        self, value: float, variance: float, slope: float, between: float, freedom: float, proportion: bool
    ) -> tuple[float, float]:
        """Compute the 95% interval.

        Wilson's score interval (1927, JASA 22:209) for the number of items for which a share would have this variance
        (Korn and Graubard 1998, Survey Methodology 24:193), with Student's t. So that a sample without errors, or
        without a difference between the models, does not have the variance 0, the variance and the share with which it
        is compared contain a quarter of an item for each combination of right and wrong decisions of the two models
        (after Agresti and Min 2005, Statistics in Medicine 24:729, who add one half each). Without a cheap model and
        with items of one comparison this is Wilson's interval with Student's t and the number of items that sampling
        without replacement is worth.
        """
        t = float(stdtrit(freedom, 0.975))
        added = self.pseudo * (self.unit * (1 + slope**2) + between)
        if not proportion:
            half = t * float(np.sqrt(variance + added))
            return value - half, value + half
        alike = (self.unit + between) * (value * (1 - value) + self.pseudo)
        count = alike / (variance + added) / (self.unit + between)
        centre = value + t**2 / (2 * count)
        half = t * float(np.sqrt(value * (1 - value) / count + t**2 / (4 * count**2)))
        scale = 1 + t**2 / count
        return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def _sums(code: Codes | IntArray, values: FloatArray) -> FloatArray:
    """Return the sum of the values of each code."""
    return np.asarray(np.bincount(code, values), np.float64)
