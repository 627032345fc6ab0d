"""Simulate estimates from a sample and a cheap model: coverage, width and error, and print a Markdown table.

    python -m scripts.simulations.estimate --replications 2000
    python -m scripts.simulations.estimate --cheap RUN --expensive RUN --metric average --scope chat

Without runs, credits are 0 or 1 with a known correlation. With two complete runs, the truth is the expensive run's own
number, and samples are drawn from it at random and by `rmeval estimate --choose`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from rmeval.metrics.margins import margins
from rmeval.metrics.stats.active import draw, inclusion, uncertainty
from rmeval.metrics.stats.prediction_powered import Contributions, powered, strata_of
from rmeval.results.weights import weigh_run
from rmeval.types import FloatArray, IntArray

__all__ = ["Simulated", "macro_average", "population", "problems", "simulate"]

COLUMNS = ("coverage", "coverage alone", "width", "width alone", "error", "error alone", "bias")


@dataclass(frozen=True)
class Simulated:
    """What intervals and estimates of many samples do.

    Attributes:
        coverage: Share of intervals that contain the truth: from both models, and from the sample alone.
        width: Mean width of the intervals, likewise.
        error: Root mean square error of the estimates, likewise.
        bias: Mean error of the estimates from both models.
        replications: Number of samples.
    """

    coverage: tuple[float, ...]
    width: tuple[float, ...]
    error: tuple[float, ...]
    bias: float
    replications: int

    def cells(self) -> Iterator[str]:
        """Yield the cells of a table, in percent; coverages with the simulation error."""
        for share in self.coverage:
            spread = 100 * np.sqrt(max(share * (1 - share), 1 / self.replications) / self.replications)
            yield f"{100 * share:.1f} ± {spread:.1f}"
        yield from (f"{100 * length:.1f}" for length in (*self.width, *self.error))
        yield f"{100 * self.bias:+.2f}"


def population(count: int, truth: float, cheap: float, correlation: float) -> Contributions | None:
    """Return items with one comparison each, on which two models have these accuracies and correlation, or None."""
    joint = truth * cheap + correlation * np.sqrt(truth * (1 - truth) * cheap * (1 - cheap))
    cells = np.array([joint, truth - joint, cheap - joint, 1 - truth - cheap + joint])
    if (cells < -1e-9).any():
        return None
    times = np.round(cells.clip(0) * count).astype(int)
    times[3] = count - times[:3].sum()
    return Contributions(
        np.full(count, 1 / count),
        np.repeat([1.0, 0.0, 1.0, 0.0], times) / count,
        np.repeat([1.0, 1.0, 0.0, 0.0], times) / count,
        np.full(count, 1 / count),
        np.ones(count, bool),
        np.zeros(count, np.int64),
        np.arange(count),
    )


def macro_average(
    sizes: Sequence[int], ease: float, shared: float, random: np.random.Generator
) -> tuple[Contributions, FloatArray]:
    """Return items of parts with equal weights, and the need of each item from the cheap model's margin.

    Args:
        sizes: Number of items of each part.
        ease: How easy the items are for the expensive model, in standard deviations.
        shared: Share of what decides that is common to both models.
        random: The source of the items.
    """
    part = np.repeat(np.arange(len(sizes)), sizes)
    weight = (1 / len(sizes) / np.array(sizes))[part]
    common = np.sqrt(shared) * random.normal(size=len(part)) + random.normal(0, 0.4, len(sizes))[part]
    margin, other = (common + np.sqrt(1 - shared) * random.normal(size=len(part)) + own for own in (0.8, ease))
    whole = Contributions(
        weight,
        weight * (margin > 0),
        weight * (other > 0),
        weight,
        np.ones(len(part), bool),
        part,
        np.arange(len(part)),
    )
    return whole, weight * uncertainty(margin)


def simulate(
    whole: Contributions,
    size: int,
    replications: int,
    random: np.random.Generator,
    probability: FloatArray | None = None,
    proportion: bool = True,
) -> Simulated:
    """Draw samples, estimate from each, and compare with the truth.

    Args:
        whole: The contributions of all items, all of them sampled; `stratum` is the part of each item.
        size: Number of items of a sample.
        replications: Number of samples.
        random: The source of the draws.
        probability: The probability of each item; None for simple random samples.
        proportion: Whether the number is a mean of credits.
    """
    truth, count = float(whole.expensive.sum()), len(whole.size)
    inside, ends, errors = np.zeros((replications, 2), bool), np.zeros((replications, 2)), np.zeros((replications, 2))
    for k in range(replications):
        order: IntArray = random.permutation(count)
        places = order[:size] if probability is None else draw(probability, order, random)
        sampled = np.zeros(count, bool)
        sampled[places] = True
        found = powered(
            replace(
                whole,
                expensive=np.where(sampled, whole.expensive, 0),
                known=np.where(sampled, whole.known, 0),
                sampled=sampled,
                stratum=strata_of(whole.stratum, sampled),
                probability=probability,
            ),
            proportion=proportion,
        )
        for place, own in enumerate((found.combined, found.alone)):
            inside[k, place] = own.ci[0] - 1e-12 <= truth <= own.ci[1] + 1e-12
            ends[k, place], errors[k, place] = own.ci[1] - own.ci[0], own.value - truth
    return Simulated(
        tuple(inside.mean(axis=0).tolist()),
        tuple(ends.mean(axis=0).tolist()),
        tuple(np.sqrt(np.square(errors).mean(axis=0)).tolist()),
        float(errors[:, 0].mean()),
        replications,
    )


def _designs(replications: int) -> Iterator[tuple[str, ...]]:
    """Simulate samples of 2,000 items with one comparison each."""
    yield ("truth", "cheap", "correlation", "items of 2,000", *COLUMNS)
    for truth, correlation, size in product((0.5, 0.7, 0.9, 0.95), (0.0, 0.3, 0.6, 0.9), (30, 100, 200)):
        cheap = truth if correlation > 0.5 or truth < 0.7 else 0.7
        whole = population(2000, truth, cheap, correlation)
        if whole is not None:
            found = simulate(whole, size, replications, np.random.default_rng(size))
            yield (f"{100 * truth:.0f}", f"{100 * cheap:.0f}", f"{correlation}", f"{size}", *found.cells())


_SECTIONS = (20, 30, 40, 60, 100, 150, 300, 500, 800)


def _unequal(replications: int) -> Iterator[tuple[str, ...]]:
    """Simulate the average of nine parts with 20 to 800 items, at random and drawn by weight and margin."""
    yield ("truth", "correlation", "items of 2,000", "drawn", *COLUMNS)
    for ease, shared in ((0.2, 0.3), (1.4, 0.3), (1.4, 0.9), (2.0, 0.6)):
        whole, need = macro_average(_SECTIONS, ease, shared, np.random.default_rng(0))
        truth = f"{100 * whole.expensive.sum():.0f}"
        both = f"{np.corrcoef(whole.cheap / whole.size, whole.expensive / whole.size)[0, 1]:.2f}"
        for size, how in product((30, 100, 200), ("at random", "by margins")):
            chance = inclusion(need, size) if how == "by margins" else None
            found = simulate(whole, size, replications, np.random.default_rng(size), chance)
            yield (truth, both, f"{size}", how, *found.cells())


def problems(total: int, copies: int, ease: float, random: np.random.Generator) -> Contributions:
    """Return items of a population of problems with several items each, whose truth is the normal integral of `ease`.

    Half of what decides is common to both models, and half of that to the items of a problem.

    Args:
        total: Number of items.
        copies: Number of items of each problem.
        ease: How easy the items are for the expensive model, in standard deviations.
        random: The source of the items.
    """
    cluster = np.repeat(np.arange(total // copies), copies)
    common = (random.normal(size=total // copies)[cluster] + random.normal(size=total)) / 2
    cheap, expensive = (common + np.sqrt(0.5) * random.normal(size=total) + own > 0 for own in (0.5, ease))
    size = np.full(total, 1 / total)
    everything = np.ones(total, bool)
    return Contributions(size, size * cheap, size * expensive, size, everything, np.zeros(total, np.int64), cluster)


def _populations(replications: int) -> Iterator[tuple[str, ...]]:
    """Simulate intervals for the population of problems, from new items each time."""
    yield ("truth", "items of a problem", "items", "coverage", "coverage alone")
    for ease, copies, size in product((0.25, 1.28), (1, 3, 6), (50, 200)):
        random, inside = np.random.default_rng(size), np.zeros((replications, 2), bool)
        for k in range(replications):
            whole = problems(600, copies, ease, random)
            sampled = np.isin(np.arange(600), random.permutation(600)[:size])
            expensive, known = (np.where(sampled, own, 0) for own in (whole.expensive, whole.known))
            found = powered(replace(whole, expensive=expensive, known=known, sampled=sampled), population=True)
            inside[k] = [own.ci[0] <= ndtr(ease) <= own.ci[1] for own in (found.combined, found.alone)]
        shares = (f"{100 * share:.1f}" for share in inside.mean(axis=0))
        yield (f"{100 * ndtr(ease):.0f}", f"{copies}", f"{size} of 600", *shares)


def _runs(options: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Draw samples of the items of two complete runs."""
    cheap, expensive = (
        weigh_run(place, options.metric, options.scope, None, None, None, None)
        for place in (options.cheap, options.expensive)
    )
    inside = cheap.inside
    place = {name: k for k, name in enumerate(expensive.run.items.table.ids)}
    same = [place[name] for name, kept in zip(cheap.run.items.table.ids, inside, strict=True) if kept]
    contributions = [
        cheap.sums(cheap.weight * cheap.credit)[inside],
        expensive.sums(expensive.weight * expensive.credit)[same],
    ]
    whole = Contributions(
        cheap.size[inside],
        contributions[0],
        contributions[1],
        cheap.size[inside],
        np.ones(int(inside.sum()), bool),
        cheap.parts[inside],
        cheap.outcomes.cluster[inside],
    )
    need = cheap.sums(np.abs(cheap.weight) * uncertainty(margins(cheap.evidence).margin))[inside]
    names = f"{cheap.name}, {expensive.name}: {' '.join(cheap.measure)}"
    truth = f"{100 * whole.expensive.sum():.1f}"
    deviations = [own / whole.size for own in contributions]
    correlation = f"{np.corrcoef(deviations[0], deviations[1])[0, 1]:.2f}"
    proportion = bool((cheap.weight >= 0).all())
    yield ("runs", "truth", "correlation", "items", "drawn", *COLUMNS)
    for size in options.sizes:
        for how, probability in (("at random", None), ("by margins", inclusion(need, size))):
            random = np.random.default_rng(size)
            found = simulate(whole, size, options.replications, random, probability, proportion)
            yield (names, truth, correlation, f"{size} of {len(whole.size)}", how, *found.cells())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--cheap", type=Path)
    parser.add_argument("--expensive", type=Path)
    parser.add_argument("--metric")
    parser.add_argument("--scope", default="all")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100])
    options = parser.parse_args()
    if options.cheap is not None:
        _print(_runs(options))
        return
    _print(_designs(options.replications))
    _print(_unequal(options.replications))
    _print(_populations(options.replications))


def _print(rows: Iterator[tuple[str, ...]]) -> None:
    """Print a Markdown table."""
    head = next(rows)
    for row in (head, ("---",) * len(head)):
        sys.stdout.write(f"| {' | '.join(row)} |\n")
    for row in rows:
        sys.stdout.write(f"| {' | '.join(row)} |\n")
        sys.stdout.flush()
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
