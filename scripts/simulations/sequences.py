"""Simulates runs that stop early: false leads, power, coverage at the stopping time, and the items that they save.

    python -m scripts.simulations.sequences --replications 2000
    python -m scripts.simulations.sequences --runs runs/rm-bench/a runs/rm-bench/b --subset chat

The first form draws outcomes from known truths. The second one takes two runs of a benchmark and draws the order of
their problems 200 times.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr

from rmeval.metrics.stats.sequences import (
    difference_bounds,
    lead_p_values,
    look_after,
    looks,
    problems_needed,
    sum_bounds,
)
from rmeval.results.align import scored_runs
from rmeval.results.lead_sequence import contributions_of
from rmeval.results.leads import sequence_of
from rmeval.store.problems import problem_order

EVERY = 50
"""Problems between the looks of the ordinary tests."""


class Design(NamedTuple):
    """Problems of a benchmark: the weight of each in the number, and its kind."""

    name: str
    weights: Any
    kind: Any


def flat(problems: int) -> Design:
    """Problems that weigh the same."""
    return Design(f"{problems:,} equal problems", np.full(problems, 1 / problems), np.zeros(problems, int))


def four_domains() -> Design:
    """The mean of four domains of RM-Bench's sizes; code has 1 to 6 items a problem."""
    sizes = [np.ones(129), np.ones(529), np.resize([1, 1, 1, 2, 3, 6], 109).astype(float), np.ones(441)]
    weights = np.concatenate([own / own.sum() / 4 for own in sizes])
    return Design("four domains as in RM-Bench", weights, np.repeat(range(4), list(map(len, sizes))))


def many_subsets() -> Design:
    """The mean of four sections of RewardBench's sizes."""
    sizes = [358, 456, 740, 447, 164]
    shares = [0.25, 0.25, 0.25, 0.125, 0.125]
    weights = np.concatenate([np.full(n, share / n) for n, share in zip(sizes, shares, strict=True)])
    return Design("sections as in RewardBench", weights, np.repeat(range(5), sizes))


def rate(hits: int, of: int) -> str:
    """A percentage with its simulation error."""
    share = hits / of
    return f"{100 * share:.1f} ± {100 * math.sqrt(max(share * (1 - share), 1 / of) / of):.1f}"


def show(line: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def table(columns: list[str], rows: Iterator[list[str]]) -> None:
    """Print a Markdown table row by row."""
    show(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        show(f"| {' | '.join(row)} |")
    show("")


def paired(design: Design, means: list[float], discordant: float, random: np.random.Generator) -> Any:
    """Differences of two models on the problems, by kind: 1, 0 and -1."""
    mean = np.array(means)[design.kind]
    drawn = random.random(len(mean))
    return np.where(drawn < (discordant + mean) / 2, 1.0, np.where(drawn < discordant, -1.0, 0.0))


def ordinary(added: Any, ends: Any) -> Any:
    """Two-sided p-values of the sum of the differences so far, as if each were the only one."""
    total, squares = np.cumsum(added)[ends - 1], np.cumsum(added**2)[ends - 1]
    return 2 * ndtr(-np.abs(total) / np.sqrt(np.maximum(squares, 1e-300)))


def leads(replications: int) -> None:
    """False leads and power."""
    random = np.random.default_rng(1)
    cases = [
        (flat(228), [0.0], 0.3),
        (flat(1000), [0.0], 0.1),
        (flat(1000), [0.0], 0.3),
        (four_domains(), [0.0] * 4, 0.3),
        (four_domains(), [0.2, -0.2, 0.2, -0.2], 0.4),
        (many_subsets(), [0.0] * 5, 0.2),
        (flat(228), [0.15], 0.3),
        (flat(1000), [0.05], 0.2),
        (flat(1000), [0.1], 0.3),
        (flat(1000), [0.2], 0.4),
        (four_domains(), [0.1] * 4, 0.3),
        (many_subsets(), [0.05] * 5, 0.2),
        (many_subsets(), [0.1] * 5, 0.2),
    ]

    def rows() -> Iterator[list[str]]:
        for design, means, discordant in cases:
            n = len(design.weights)
            ends, every = np.array(looks(n)), np.append(np.arange(EVERY, n, EVERY), n)
            most = n * float(design.weights.max())
            counts = dict.fromkeys(("peeking", "sequence", "both", "once", "wrong"), 0)
            needed = []
            for _ in range(replications):
                order = random.permutation(n)
                difference = (n * design.weights * paired(design, means, discordant, random))[order]
                first, second = lead_p_values(difference, most, n, ends)
                hits = np.flatnonzero(np.minimum(first, second) < 0.05)
                p = ordinary(difference, every)
                counts["peeking"] += bool((p < 0.05).any())
                counts["once"] += bool(p[-1] < 0.05)
                counts["sequence"] += bool(hits.size)
                counts["both"] += bool(hits.size or p[-1] < 0.05)
                if hits.size:
                    needed.append(ends[hits[0]] / n)
                    counts["wrong"] += bool(second[hits[0]] < first[hits[0]])
            truth = float(sum(mean * design.weights[design.kind == k].sum() for k, mean in enumerate(means)))
            spread = "" if len(set(means)) == 1 else f" ({', '.join(f'{100 * one:+g}' for one in means)})"
            yield [
                design.name,
                f"{round(100 * truth, 6) + 0:g}{spread}",
                *(rate(counts[name], replications) for name in ("peeking", "once", "sequence", "both")),
                f"{100 * (1 - np.mean(needed)):.0f}" if abs(truth) > 1e-9 and needed else "-",
            ]

    show(f"Leads, in % of {replications} replications ({EVERY} problems between looks of the ordinary test)\n")
    table(
        [
            "design",
            "true difference",
            "ordinary, each look",
            "ordinary, at the end",
            "sequence",
            "sequence or end",
            "saved if decided",
        ],
        rows(),
    )


def coverage(replications: int) -> None:
    """Coverage of the number of all problems at the stopping time."""
    random = np.random.default_rng(2)
    cases = [
        (flat(300), [0.7], 0.1),
        (flat(1000), [0.5], 0.05),
        (flat(1000), [0.8], 0.05),
        (flat(1000), [0.97], 0.02),
        (flat(10_000), [0.8], 0.02),
        (four_domains(), [0.67, 0.6, 0.53, 0.9], 0.05),
        (four_domains(), [0.67, 0.6, 0.53, 0.9], 0.03),
        (four_domains(), [0.98] * 4, 0.03),
        (many_subsets(), [0.95, 0.65, 0.88, 0.9, 0.85], 0.03),
        (many_subsets(), [0.95, 0.65, 0.88, 0.9, 0.85], 0.05),
    ]

    def rows() -> Iterator[list[str]]:
        for design, means, width in cases:
            n, covered, scored = len(design.weights), 0, []
            mean = np.array(means)[design.kind]
            nine = design.name.startswith("four")
            for _ in range(replications):
                # Nine comparisons of one item agree more often than independent ones would.
                chance = random.beta(1.5 * mean, 1.5 * (1 - mean)) if nine else mean
                credit = random.binomial(9, chance) / 9 if nine else (random.random(n) < chance).astype(float)
                order = random.permutation(n)
                bounds, done = stopped(credit[order], design.weights[order], width)
                covered += bounds[0] - 1e-9 <= design.weights @ credit <= bounds[1] + 1e-9
                scored.append(done / n)
            truth = ", ".join(f"{100 * one:g}" for one in means)
            yield [
                design.name,
                truth,
                f"{100 * width:g}",
                rate(covered, replications),
                f"{100 * (1 - np.mean(scored)):.0f}",
            ]

    show(f"Number of all problems, when the interval has the width, in % of {replications} replications\n")
    table(["design", "truth by part", "width", "coverage", "saved"], rows())


def stopped(credit: Any, weights: Any, width: float) -> tuple[tuple[float, float], int]:
    """The bounds at the first look at which they are narrow enough, and the number of problems."""
    done = look_after(0, 0, len(weights))
    low, high = sum_bounds(credit[:done], weights, width)
    while high - low > width:
        done = look_after(done, problems_needed(credit[:done], weights, width), len(weights))
        low, high = sum_bounds(credit[:done], weights, width)
    return (low, high), done


def real(folders: list[Path], metric: tuple[str, str] | None, widths: list[float], orders: int) -> None:
    """Two runs, whose problems come in random orders."""
    (one, other), _ = scored_runs(
        [path.resolve() for path in folders], {path.resolve() for path in folders}, None, None, None
    )
    benchmark, items, rule = one.run.benchmark, one.run.items, one.run.benchmark.card.rule
    names = [str(own.run.manifest["model"]["name"]) for own in (one, other)]
    every = contributions_of(benchmark, items, rule, metric, "give --metric and --scope")
    weights, problem = every.high - every.low, items.table.cluster
    added = [every.added(benchmark.outcomes(own.run.items.table, own.evidence, rule), problem) for own in (one, other)]
    numbers = [float(own.sum()) for own in added]
    order_of: Callable[[int], Any] = lambda seed: problem_order(items, seed)  # noqa: E731
    decided, wrong, covered, saved = 0, 0, 0, []
    for seed in range(orders):
        sequence = sequence_of(one, other, rule, metric, seed)
        at = sequence.decided(1)
        ends = sequence.ends if at is None else sequence.ends[sequence.ends <= at]
        low, high = difference_bounds(sequence.difference, sequence.most, sequence.problems, ends)
        covered += low <= numbers[0] - numbers[1] <= high
        if at is not None:
            decided += 1
            wrong += (low + high) * (numbers[0] - numbers[1]) < 0
        saved.append(0.0 if at is None else 1 - sequence.items[at - 1] / sequence.items[-1])
    what = f"{benchmark.card.id}, {' '.join(every.measure)}, {np.count_nonzero(weights)} problems, {orders} orders"
    show(f"{what}: {names[0]} {100 * numbers[0]:.1f}, {names[1]} {100 * numbers[1]:.1f}\n")

    def rows() -> Iterator[list[str]]:
        yield [
            "better model decided",
            f"{rate(decided, orders)} decided, {rate(wrong, orders)} wrong",
            rate(covered, orders),
            f"{100 * np.mean(saved):.0f}",
        ]
        for name, own, number in zip(names, added, numbers, strict=True):
            for width in widths:
                hits, left = 0, []
                for seed in range(orders):
                    order = order_of(seed)
                    order = order[weights[order] > 0]
                    credit = (own - every.low)[order] / weights[order]
                    bounds, done = stopped(credit, weights[order], width)
                    low, high = (float(every.low.sum()) + end for end in bounds)
                    hits += low - 1e-9 <= number <= high + 1e-9
                    left.append(1 - done / len(order))
                yield [f"{name}, {100 * width:g} points wide", "", rate(hits, orders), f"{100 * np.mean(left):.0f}"]

    table(["until", "", "coverage", "saved"], rows())


def main() -> None:
    """Run the simulations that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--runs", type=Path, nargs=2, help="Two run folders of one benchmark.")
    parser.add_argument("--metric", help="The number, as metric:scope. Default: the headline.")
    parser.add_argument("--widths", type=float, nargs="+", default=[0.05, 0.1])
    parser.add_argument("--orders", type=int, default=200)
    given = parser.parse_args()
    if given.runs:
        metric = tuple(given.metric.split(":", 1)) if given.metric else None
        real(given.runs, metric, given.widths, given.orders)
        return
    leads(given.replications)
    coverage(max(200, given.replications // 4))


if __name__ == "__main__":
    main()
