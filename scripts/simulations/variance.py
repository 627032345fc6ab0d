"""Bias and coverage of variance components, and of the standard errors that follow from them.

python -m scripts.simulations.variance --replications 2000

Outcomes are 0 or 1. The chance of a right decision is 0.6 plus an effect of the problem (-0.25, 0 or 0.25), of the
level (normal) and of both (-0.1 or 0.1); so every true component is known. Items of one problem share its effect.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from rmeval.metrics.stats.variance import Component, crossed_components, nested_components, standard_error

MEAN, PROBLEM, BOTH = 0.6, 0.25, 0.1


class Design(NamedTuple):
    """Problems under levels; the spread of the levels; and the share of missing values."""

    problems: int
    levels: int
    spread: float
    missing: float


CROSSED = [
    Design(problems, levels, spread, missing)
    for problems, levels, spread, missing in (
        (30, 3, 0.03, 0.0),
        (100, 2, 0.03, 0.0),
        (100, 3, 0.03, 0.0),
        (100, 3, 0.03, 0.2),
        (100, 5, 0.03, 0.4),
        (100, 5, 0.03, 0.0),
        (400, 3, 0.03, 0.0),
        (400, 3, 0.0, 0.0),
        (400, 10, 0.03, 0.0),
    )
]
SIZES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "2 items each": lambda random, count: np.full(count, 2),
    "5 items each": lambda random, count: np.full(count, 5),
    "1 to 6 items": lambda random, count: random.integers(1, 7, count),
    "geometric, mean 3": lambda random, count: random.geometric(1 / 3, count),
}


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=2000)
    replications = parser.parse_args().replications
    lines = [
        "| problems | levels | spread of levels | missing | coverage: problem | level | both | bias: problem | both | "
        "standard error / true |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(crossed_row(design, replications) for design in CROSSED),
        "",
        "| problems | items | coverage: problem | item | correlation | bias: problem | standard error / true |",
        "|---|---|---|---|---|---|---|",
        *(nested_row(name, problems, replications) for name in SIZES for problems in (30, 100, 400)),
        "",
        f"simulation error of a coverage of 95: {100 * math.sqrt(0.95 * 0.05 / replications):.1f}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def crossed_row(design: Design, replications: int) -> str:
    """Simulate one design of problems under levels."""
    random = np.random.default_rng([*design[:2], round(1000 * design.spread), round(100 * design.missing)])
    between = 2 / 3 * PROBLEM**2
    true = [between, design.spread**2, MEAN * (1 - MEAN) - between - design.spread**2]
    found = [crossed(design, random) for _ in range(replications)]
    means = np.array([mean for mean, _ in found])
    components = [own for _, own in found]
    hits = [covered([own[k] for own in components], value) for k, value in enumerate(true)]
    bias = [np.mean([own[k].estimate for own in components]) / value - 1 for k, value in enumerate(true) if k != 1]
    sizes = {"problem": design.problems, "level": design.levels}
    error = math.sqrt(np.mean([standard_error(own, sizes) ** 2 for own in components]))
    ratio = f"{error / means.std():.2f}" if not design.missing else "-"
    return (
        f"| {design.problems} | {design.levels} | {design.spread} | {design.missing:.0%} | "
        f"{' | '.join(hits)} | {' | '.join(f'{100 * one:+.1f}%' for one in bias)} | {ratio} |"
    )


def crossed(design: Design, random: np.random.Generator) -> tuple[float, tuple[Component, ...]]:
    """Draw values of problems under levels; return their mean and the components."""
    shape = design.problems, design.levels
    chance = (
        MEAN
        + PROBLEM * random.integers(-1, 2, (design.problems, 1))
        + design.spread * random.normal(size=(1, design.levels))
        + BOTH * random.choice([-1, 1], shape)
    )
    values = (random.random(shape) < chance).astype(float)
    values[random.random(shape) < design.missing] = np.nan
    return float(np.nanmean(values)), crossed_components(values, ["level"])


def covered(components: list[Component], true: float) -> str:
    """Return how many intervals contain the true value, in %; there is none if the means of all levels are equal."""
    inside = [one.ci[0] <= true <= one.ci[1] for one in components if one.ci]
    return f"{100 * float(np.mean(inside)):.1f}"


def nested_row(name: str, problems: int, replications: int) -> str:
    """Simulate one design of items of problems."""
    random = np.random.default_rng([problems, *name.encode()])
    between = 2 / 3 * PROBLEM**2
    true = between, MEAN * (1 - MEAN) - between
    correlation = between / sum(true)
    hits, errors, means, estimates = np.zeros(3), [], [], []
    for values, cluster in drawn(name, problems, random, replications):
        found = nested_components(values, cluster)
        ends = (*(one.ci for one in found.components), found.correlation_ci)
        hits += [
            ci is not None and ci[0] <= value <= ci[1] for ci, value in zip(ends, (*true, correlation), strict=True)
        ]
        means.append(values.mean())
        estimates.append(found.components[0].estimate)
        errors.append(sum(one.variance for one in found.components) * found.design_effect / len(values))
    shown = " | ".join(f"{100 * one / replications:.1f}" for one in hits)
    ratio = math.sqrt(np.mean(errors)) / float(np.std(means))
    return f"| {problems} | {name} | {shown} | {100 * (np.mean(estimates) / between - 1):+.1f}% | {ratio:.2f} |"


def drawn(
    name: str, problems: int, random: np.random.Generator, replications: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield values of items, and their problems."""
    for _ in range(replications):
        cluster = np.repeat(np.arange(problems), SIZES[name](random, problems))
        chance = MEAN + PROBLEM * random.integers(-1, 2, problems)[cluster]
        yield (random.random(len(cluster)) < chance).astype(float), cluster


if __name__ == "__main__":
    main()
