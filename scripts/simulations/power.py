"""Power at the minimum detectable effect that `compare` prints, by simulation; prints a Markdown table.

python -m scripts.simulations.power [--replications 2000]
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from rmeval.metrics.stats.flips import sign_flips
from rmeval.metrics.stats.power import ContributionSizes, detectable
from rmeval.types import FloatArray

Draw = Callable[[np.random.Generator, int, float], FloatArray]
"""Draws the contributions of problems, for a lift that makes the first model better."""
PROBLEMS = (15, 30, 60, 150)
TESTS = (1, 6, 45)
_PRINTED = 200
"""Number of data sets whose printed effect is computed."""
_LIFTS = 12


def single(discordance: float) -> Draw:
    """One comparison in each problem; the lift is the difference."""

    def draw(random: np.random.Generator, problems: int, lift: float) -> FloatArray:
        share = max(discordance, lift)
        chance = random.random(problems)
        return (chance < (share + lift) / 2).astype(float) - (chance > 1 - (share - lift) / 2)

    return draw


def wordings(random: np.random.Generator, problems: int, lift: float) -> FloatArray:
    """Four wordings of each problem, whose difficulty both models share; the lift is in log-odds."""
    level, taste = random.normal(0.7, 1.2, problems), random.normal(0, 0.5, (2, problems))
    wins = [random.binomial(4, 1 / (1 + np.exp(-level - taste[k] - sign * lift / 2))) for k, sign in enumerate((1, -1))]
    found: FloatArray = (wins[0] - wins[1]) / 4
    return found


def weighted(random: np.random.Generator, problems: int, lift: float) -> FloatArray:
    """Comparisons of three subsets with unequal weights, and a discordance of 40%."""
    return random.choice([0.6, 1.0, 2.0], problems, p=[0.4, 0.4, 0.2]) * single(0.4)(random, problems, lift)


KINDS: dict[str, tuple[Draw, float]] = {
    "one comparison, 10% discordant": (single(0.1), 0.95),
    "one comparison, 30% discordant": (single(0.3), 0.95),
    "four comparisons": (wordings, 6.0),
    "unequal weights": (weighted, 0.95),
}
"""Populations, each with the largest lift."""


def normal_effect(values: FloatArray, level: float) -> float:
    """Compute the effect by the formula for a normal distribution with a known variance, which was printed before."""
    return float((-ndtri(level / 2) + ndtri(0.8)) * values.std() / math.sqrt(len(values)))


@dataclass(frozen=True)
class Powers:
    """Simulated power of one population and number of problems, for several true differences."""

    difference: FloatArray
    p: FloatArray
    ahead: FloatArray

    def at(self, difference: FloatArray, level: float) -> FloatArray:
        """Return the power for true differences, by interpolation."""
        power = ((self.p < level) & (self.ahead > 0)).mean(axis=1)
        found: FloatArray = np.interp(difference, self.difference, np.maximum.accumulate(power))
        return found


def mean_of(draw: Draw, lift: float) -> float:
    """Return the true difference of a lift."""
    return float(draw(np.random.default_rng(1), 200_000, lift).mean())


def lift_of(draw: Draw, most: float, problems: int, level: float) -> float:
    """Return the lift whose true difference is the one that its contributions make detectable."""
    low, high = 0.0, most
    for _ in range(11):
        middle = (low + high) / 2
        values = draw(np.random.default_rng(1), 100_000, middle)
        reached = values.mean() >= detectable(ContributionSizes.of(values), problems, level)
        low, high = (low, middle) if reached else (middle, high)
    return high


def simulated(draw: Draw, lifts: FloatArray, problems: int, replications: int) -> Powers:
    """Simulate the test for several lifts."""
    random = np.random.default_rng(problems)
    data = [[draw(random, problems, lift) for _ in range(replications)] for lift in lifts]
    return Powers(
        np.array([mean_of(draw, lift) for lift in lifts]),
        np.stack([sign_flips(own) for own in data]),
        np.array([[values.sum() for values in own] for own in data]),
    )


def rows(replications: int) -> Iterator[list[str]]:
    """Yield the rows of the table."""
    for kind, (draw, most) in KINDS.items():
        for problems in PROBLEMS:
            at = {tests: lift_of(draw, most, problems, 0.05 / tests) for tests in TESTS}
            lifts = np.geomspace(0.4 * at[TESTS[0]], min(most, 1.5 * at[TESTS[-1]]), _LIFTS)
            every = np.unique([*lifts, *at.values()])
            powers = simulated(draw, every, problems, replications)
            for tests in TESTS:
                level, place = 0.05 / tests, int(np.searchsorted(every, at[tests]))
                power = float(((powers.p[place] < level) & (powers.ahead[place] > 0)).mean())
                random = np.random.default_rng(tests)
                data = [draw(random, problems, at[tests]) for _ in range(_PRINTED)]
                printed = np.array([detectable(ContributionSizes.of(own), problems, level) for own in data])
                before = np.array([normal_effect(own, level) for own in data])
                low, median, high = np.nanquantile(printed, [0.05, 0.5, 0.95])
                yield [
                    kind,
                    str(problems),
                    str(tests),
                    f"{100 * powers.difference[place]:.1f}",
                    f"{100 * power:.1f} ± {100 * math.sqrt(power * (1 - power) / replications):.1f}",
                    f"{100 * median:.1f} ({100 * low:.1f}-{100 * high:.1f})",
                    f"{100 * np.nanmean(powers.at(printed, level)):.0f}",
                    f"{100 * powers.at(before, level).mean():.0f}",
                ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=2_000)
    columns = (
        "problems with", "problems", "tests", "true difference = MDE", "power at it, %", "printed MDE: median (5-95%)",
        "mean power at the printed MDE", "before: mean power at the printed MDE",
    )  # fmt: skip
    replications = parser.parse_args().replications
    for row in (columns, ["---"] * len(columns), *rows(replications)):
        sys.stdout.write(f"| {' | '.join(row)} |\n")


if __name__ == "__main__":
    main()
