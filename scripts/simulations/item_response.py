"""Simulate item response: recovery of planted items, flipped labels, and errors of short forms.

python -m scripts.simulations.item_response [--replications 20] [--runs FOLDER ...]

With --runs, the errors of short forms on real runs are computed instead.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tests.metrics.stats.planted import Planted, plant

from rmeval.metrics.stats.abilities import ability_errors
from rmeval.metrics.stats.item_response import ItemResults, fit_items
from rmeval.metrics.stats.short_forms import chosen_errors, held_out, random_errors
from rmeval.results.item_results import results_of_runs
from rmeval.types import FloatArray

ITEMS = 500
DESIGNS = ((1, 0.0), (9, 0.4))
"""Comparisons of an item, and their correlation."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replications", type=int, default=20)
    parser.add_argument("--runs", nargs="*", default=[], help="folders of runs, each of one benchmark")
    given = parser.parse_args()
    if given.runs:
        table(
            ("runs", "models", "items", "short form", "by item response", "by results", "better way", "random"),
            real(given.runs),
        )
        return
    names = ("models", "comparisons", "difficulty r", "discrimination r", "ability r", "cover", "flipped found")
    table(names, recovery(given.replications))
    table(
        ("models", "abilities", "items", "by item response", "by results", "better way", "random"),
        short(given.replications),
    )


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    for row in (names, ["---"] * len(names), *rows):
        print(f"| {' | '.join(row)} |", flush=True)  # noqa: T201
    print()  # noqa: T201


def measured(values: Sequence[float], digits: int = 2) -> str:
    """Return the mean and its standard error."""
    error = np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):.{digits}f} ± {error:.{digits}f}"


def recovery(replications: int) -> list[list[str]]:
    """Return correlations with the truth, and which share of the most suspect items have flipped labels."""
    rows = []
    for comparisons, alike in DESIGNS:
        for models in (5, 10, 20, 30, 50):
            found = [recovered(plant(seed, models, ITEMS, comparisons, alike)) for seed in range(replications)]
            rows.append([str(models), str(comparisons), *(measured(own) for own in zip(*found, strict=True))])
    return rows


def recovered(truth: Planted) -> tuple[float, ...]:
    """Return the numbers of one replication."""
    found = fit_items(ItemResults.of(truth.share, truth.count))
    kind = found.results.kind
    real = truth.ability[found.results.order]
    error = ability_errors(found, np.arange(ITEMS))
    first = np.argsort(-found.negative[kind], kind="stable")[: int(truth.flipped.sum())]
    return (
        correlation(found.difficulty[kind], truth.difficulty),
        correlation(found.discrimination[kind], truth.discrimination),
        correlation(found.ability, real),
        float(np.mean(np.abs(found.ability - (real - real.mean()) / real.std()) < 1.96 * error)),
        float(truth.flipped[first].mean()),
    )


def correlation(one: FloatArray, other: FloatArray) -> float:
    """Return Pearson's correlation."""
    return float(np.corrcoef(one, other)[0, 1])


def short(replications: int) -> list[list[str]]:
    """Return errors of short forms in points, for models that one ability describes, and for a mixture of two."""
    rows = []
    for models in (12, 30):
        for abilities in (1, 2):
            for size in (50, 100):
                found = []
                for seed in range(max(2, replications // 4)):
                    share = [plant(2 * seed + k, models, ITEMS).share for k in range(abilities)]
                    # Each item measures one of the abilities.
                    own = np.random.default_rng(seed).integers(0, abilities, ITEMS)
                    found.append(errors(np.choose(own, share), np.ones(ITEMS), np.full(ITEMS, 1 / ITEMS), size))
                rows.append(
                    [str(models), str(abilities), str(size), *(measured(one, 1) for one in zip(*found, strict=True))]
                )
    return rows


def errors(share: FloatArray, count: FloatArray, mass: FloatArray, size: int) -> tuple[float, ...]:
    """Return root mean square errors on held-out models, in points, and that of random samples."""
    results = ItemResults.of(share, count)
    left = held_out(results, mass, np.arange(len(mass)), size)
    found = [*(one.error for one in left), float(np.sqrt(np.mean(chosen_errors(left) ** 2)))]
    random = random_errors(results, mass, size)
    return (*(100 * one for one in found), 100 * float(np.sqrt(np.mean(random**2))))


def real(folders: Sequence[str]) -> list[list[str]]:
    """Return errors of short forms on runs."""
    rows = []
    for folder in folders:
        known = results_of_runs(
            [folder], rule=None, variant=None, metric=None, scope="all", benchmark=None, protocol=None
        )
        for size in (50, 100):
            found = errors(known.share, known.count, known.mass, size)
            models, items = known.share.shape
            rows.append([Path(folder).name, str(models), str(items), str(size), *(f"{one:.1f}" for one in found)])
    return rows


if __name__ == "__main__":
    main()
