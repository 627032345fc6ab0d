"""Plans of evaluations: what problems contribute to a difference and to an accuracy, before they are evaluated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.special import ndtri

from rmeval.metrics.stats.flips import sign_flips
from rmeval.metrics.stats.intervals import share_interval
from rmeval.metrics.stats.power import ContributionSizes, detectable
from rmeval.types import FloatArray

__all__ = [
    "Assumed",
    "Observed",
    "Population",
    "Precision",
    "detectable_of",
    "pilot_range",
    "replications",
    "simulated_power",
]

_Z = float(ndtri(0.975))
_REPLICATIONS = 1_000
_DRAWN = 5_000_000
"""Maximum number of problems that a simulation draws; with more problems it has fewer replications."""
_FEWEST = 100
"""Number of replications below which nothing is simulated."""
_GRID = 200
"""ContributionSizes are multiples of the largest one divided by this number, which makes exact tests fast."""
_RESAMPLES = 999
_ROUNDS = 4


class Population(Protocol):
    """Problems from which data sets are drawn."""

    def contributions(self, difference: float = 0.0) -> ContributionSizes:
        """Return the contributions of problems to the difference of two models whose true difference is given."""
        ...

    def draw(self, random: np.random.Generator, problems: int, difference: float) -> FloatArray:
        """Draw the contributions of problems to the difference of two models whose true difference is given."""
        ...


@dataclass(frozen=True)
class Assumed:
    """Problems with a number of comparisons each, according to assumptions.

    A share `alike` of the problems has equal outcomes in all its comparisons, and all comparisons of the others are
    independent. This gives a design effect of 1 + (comparisons - 1) alike (Kish 1965, "Survey Sampling", chapter 5).

    Attributes:
        discordance: Share of the comparisons that one model wins and the other loses.
        design_effect: The variance of a mean divided by its variance if all comparisons were independent.
        comparisons: Number of comparisons of a problem.
    """

    discordance: float
    design_effect: float = 1.0
    comparisons: int = 1

    @property
    def alike(self) -> float:
        """The share of problems with equal outcomes."""
        return (self.design_effect - 1) / (self.comparisons - 1) if self.comparisons > 1 else 1.0

    def contributions(self, difference: float = 0.0) -> ContributionSizes:
        """Return the contributions of problems, from the distribution of a sum of independent wins, losses and ties."""
        lost, won = self._chances(difference)
        one = np.array([lost, 1 - lost - won, won])
        several = np.ones(1)
        for _ in range(self.comparisons):
            several = np.convolve(several, one)
        chance = (1 - self.alike) * several
        chance[[0, self.comparisons, -1]] += self.alike * one
        folded = chance[self.comparisons :] + np.append(0.0, chance[: self.comparisons][::-1])
        size = np.arange(self.comparisons + 1) / self.comparisons
        return ContributionSizes.spread(size[folded > 0], folded[folded > 0])

    def _chances(self, difference: float) -> tuple[float, float]:
        """Return the chances of a loss and of a win, with as much discordance as assumed or as the difference needs."""
        discordance = max(self.discordance, difference)
        return (discordance - difference) / 2, (discordance + difference) / 2

    def draw(self, random: np.random.Generator, problems: int, difference: float) -> FloatArray:
        """Draw contributions from their distribution."""
        lost, won = self._chances(difference)
        chance = [lost, won, 1 - lost - won]
        counts = random.multinomial(self.comparisons, chance, problems)
        together = random.random(problems) < self.alike
        counts[together] = random.multinomial(1, chance, int(together.sum())) * self.comparisons
        net: FloatArray = (counts[:, 1] - counts[:, 0]) / self.comparisons
        return net


@dataclass(frozen=True)
class Observed:
    """Problems like those of a pilot.

    Attributes:
        values: float64[n], the contributions of the pilot's problems; the difference is their mean.
    """

    values: FloatArray

    def contributions(self, difference: float = 0.0) -> ContributionSizes:
        """Return the contributions of the pilot's problems, with as many as the difference needs."""
        return self._made.reaching(difference)

    @cached_property
    def _made(self) -> ContributionSizes:
        return ContributionSizes.of(self.values)

    @cached_property
    def _sizes(self) -> FloatArray:
        size: FloatArray = np.sort(np.abs(self.values))
        return size

    def draw(self, random: np.random.Generator, problems: int, difference: float) -> FloatArray:
        """Draw the sizes of contributions from the pilot, with signs that lean as much as the difference needs."""
        sizes, made = self._sizes, self.contributions(difference)
        size = random.choice(sizes[sizes > 0], problems) * (random.random(problems) < made.share)
        half = made.leaning(made.lean(difference), size)
        values: FloatArray = np.where(random.random(problems) < 1 / (1 + np.exp(-2 * half)), size, -size)
        unit = float(sizes[-1]) / _GRID
        return values if made.step else np.rint(values / unit) * unit


def replications(problems: int) -> int:
    """Return the number of data sets that a simulation draws; 0 if there are too many problems to simulate."""
    count = min(_REPLICATIONS, _DRAWN // max(problems, 1))
    return count if count >= _FEWEST else 0


def simulated_power(drawn: Population, problems: int, difference: float, level: float) -> tuple[float, float]:
    """Simulate how often the sign-flip test finds the better model of two.

    The draws have a fixed seed.

    Args:
        drawn: The problems.
        problems: Number of problems of a data set.
        difference: The true difference.
        level: Two-sided level of the test.

    Returns:
        The share of data sets with a significant difference in favour of the better model, and its standard error; NaN
        if there are too many problems, see `replications`.
    """
    count = replications(problems)
    if not count:
        return math.nan, math.nan
    random = np.random.default_rng(0)
    favoured = []

    def data_sets() -> Iterator[FloatArray]:
        for _ in range(count):
            values = drawn.draw(random, problems, difference)
            favoured.append(float(values.sum()) > 0)
            yield values

    p = sign_flips(data_sets())
    share = float(np.mean((p < level) & np.array(favoured)))
    return share, math.sqrt(share * (1 - share) / count)


@dataclass(frozen=True)
class Precision:
    """How precisely problems estimate an accuracy.

    Attributes:
        accuracy: The accuracy.
        information: Number of independent comparisons to which one problem is equivalent: its number of comparisons,
            divided by the design effect.
    """

    accuracy: float
    information: float

    def width(self, problems: int) -> float:
        """Return the width of Wilson's 95% interval with the effective number of values."""
        low, high = share_interval(self.accuracy, problems * self.information)
        return high - low

    def problems(self, width: float) -> int:
        """Return the smallest number of problems for a width.

        This is Wilson's interval (1927, JASA 22:209) solved for the number of values: with w = width / z, it is the
        larger solution of (w(n + z²))² = 4n p(1 - p) + z².
        """
        w2, z2 = (width / _Z) ** 2, _Z**2
        spread = 4 * self.accuracy * (1 - self.accuracy)
        half = (2 * w2 * z2 - spread) / 2
        count = (-half + math.sqrt(max(0.0, half**2 - w2 * (w2 * z2**2 - z2)))) / w2
        return max(1, math.ceil(count / self.information - 1e-9))


def pilot_range(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return two resamples of a pilot's values: those with small and with large squares.

    Among resamples with replacement (Efron 1979, Annals of Statistics 7:1), they have the 2.5th and the 97.5th
    percentile of the mean square, from which the ends of the range of an answer are computed.

    Args:
        values: float64[n], the contributions of problems. Their order does not matter.
    """
    ordered = np.sort(np.abs(values))
    drawn = np.random.default_rng(0).integers(0, len(ordered), (_RESAMPLES, len(ordered)))
    squares = np.argsort(np.square(ordered)[drawn].mean(axis=1), kind="stable")
    low, high = (ordered[drawn[squares[round(share * (_RESAMPLES - 1))]]] for share in (0.025, 0.975))
    return low, high


def detectable_of(drawn: Population, problems: int, level: float, power: float) -> float:
    """Compute the smallest difference that problems detect, as `detectable`, for contributions that depend on it."""
    smallest = detectable(drawn.contributions(), problems, level, power)
    for _ in range(_ROUNDS):
        if math.isnan(smallest):
            break
        smallest = detectable(drawn.contributions(min(smallest, 1.0)), problems, level, power)
    return smallest
