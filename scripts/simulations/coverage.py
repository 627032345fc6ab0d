"""Simulate how often 95% intervals contain the true value, and print a Markdown table.

    python -m scripts.simulations.coverage --replications 2000

Every design has a known truth: domains of RM-Bench whose comparisons share a problem's difficulty and six scores,
subsets with few independent decisions (RewardBench), problems with several and with unequal numbers of comparisons, and
differences between two models.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, ndtr, ndtri

from rmeval.metrics.scoring.ties import PARTS
from rmeval.metrics.stats.likelihood import Sample, limits
from rmeval.metrics.stats.samples import Strata, sample
from rmeval.types import FloatArray, IntArray

__all__ = [
    "Data",
    "Design",
    "clusters",
    "covered",
    "designs",
    "rm_bench",
    "sampled",
    "subsets",
    "ties",
    "two_accuracies",
    "two_models",
    "zipf",
]

_STEPS = np.subtract.outer(np.arange(3), np.arange(3)).ravel()
"""Style of the chosen response minus that of the rejected one, in the nine cells of RM-Bench's matrix."""
_LEVELS: dict[str, FloatArray] = {
    "Easy": (_STEPS > 0) / 3,
    "Normal": (_STEPS == 0) / 3,
    "Hard": (_STEPS < 0) / 3,
    "average": np.full(9, 1 / 9),
    "style gap": ((_STEPS > 0) * 1.0 - (_STEPS < 0)) / 3,
}


@dataclass(frozen=True)
class Data:
    """One simulated evaluation: values (credits, or differences of credits), and their parts and problems."""

    values: FloatArray
    part: IntArray
    cluster: IntArray


@dataclass(frozen=True)
class Design:
    """A design, with the shares and the true value of each number.

    Attributes:
        name: What is simulated.
        draw: Draws one evaluation.
        numbers: The share of each part, by the name of the number.
        truths: The true value of each number.
        difference: Whether values are differences of two models.
    """

    name: str
    draw: Callable[[np.random.Generator], Data]
    numbers: Mapping[str, FloatArray]
    truths: Mapping[str, float]
    difference: bool = False


def sampled(design: Design, data: Data, number: str) -> Sample:
    """Return the problems of a number in one evaluation."""
    strata = Strata.of(data.part, data.cluster, len(design.numbers[number]))
    return sample(data.values, data.part, data.cluster, design.numbers[number], strata, design.difference)


def covered(design: Design, replications: int, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """Return for each number the shares of intervals below and above the truth, and the mean width."""
    random = np.random.default_rng(seed)
    evaluations = [design.draw(random) for _ in range(replications)]
    found = {}
    for number, truth in design.truths.items():
        ends = limits([sampled(design, data, number) for data in evaluations])
        below, above = ends[:, 1] < truth - 1e-12, ends[:, 0] > truth + 1e-12
        found[number] = float(below.mean()), float(above.mean()), float(np.diff(ends).mean())
    return found


def _shift(target: float, chance: Callable[[float], float]) -> float:
    return float(brentq(lambda x: chance(x) - target, -30, 30))


_SPREAD, _NOISE = 1.0, 0.5
_TOTAL = float(np.sqrt(_SPREAD**2 + 2 * _NOISE**2))


def _matrices(random: np.random.Generator, problems: int, ability: float, style: float, own: FloatArray) -> FloatArray:
    """Draw the nine credits of each problem from six scores and the problem's difficulty."""
    chosen, rejected = random.normal(0, _NOISE, (2, problems, 3))
    margin = ability + own[:, None] + np.repeat(chosen, 3, axis=1) - np.tile(rejected, 3) + style * _STEPS
    return np.asarray(margin > 0, np.float64)


def _domains(problems: Sequence[int]) -> tuple[IntArray, IntArray]:
    cluster = np.repeat(np.arange(sum(problems)), 9)
    domain = np.repeat(np.arange(len(problems)), problems)
    return np.tile(np.arange(9), sum(problems)) + 9 * np.repeat(domain, 9), cluster


def rm_bench(problems: Sequence[int], easy: float, style: float = 0.8) -> Design:
    """Domains of RM-Bench with a true Easy accuracy; the truth differs between domains around it."""
    ability = _shift(easy, lambda x: float(ndtr((x + style * _STEPS) / _TOTAL) @ _LEVELS["Easy"]))
    abilities = ability + 0.3 * (np.arange(len(problems)) - (len(problems) - 1) / 2)
    part, cluster = _domains(problems)

    def draw(random: np.random.Generator) -> Data:
        credit = [
            _matrices(random, n, own, style, random.normal(0, _SPREAD, n))
            for n, own in zip(problems, abilities, strict=True)
        ]
        return Data(np.concatenate(credit).ravel(), part, cluster)

    chance = ndtr((abilities[:, None] + style * _STEPS) / _TOTAL)
    numbers = {level: np.tile(shares, len(problems)) / len(problems) for level, shares in _LEVELS.items()}
    truths = {level: float(chance.ravel() @ shares) for level, shares in numbers.items()}
    name = f"RM-Bench, {problems[0]} problems" if len(problems) == 1 else f"RM-Bench, domains of {_listed(problems)}"
    return Design(name, draw, numbers, truths)


def two_models(problems: Sequence[int], easy: float, gap: float, style: float = 0.8) -> Design:
    """Difference of two models on domains of RM-Bench; the first is better by `gap` in the latent scale."""
    base = rm_bench([1], easy, style)
    ability = _shift(easy, lambda x: float(ndtr((x + style * _STEPS) / _TOTAL) @ _LEVELS["Easy"]))
    part, cluster = _domains(problems)
    count = sum(problems)

    def draw(random: np.random.Generator) -> Data:
        shared = random.normal(0, np.sqrt(0.5), count)
        first, second = (
            _matrices(random, count, own, style, shared + random.normal(0, np.sqrt(0.5), count))
            for own in (ability + gap, ability)
        )
        return Data((first - second).ravel(), part, cluster)

    chance = [ndtr((own + style * _STEPS) / _TOTAL) for own in (ability + gap, ability)]
    numbers = {level: np.tile(shares, len(problems)) / len(problems) for level, shares in base.numbers.items()}
    truths = {level: float((chance[0] - chance[1]) @ _LEVELS[level]) for level in numbers}
    return Design(f"two models, RM-Bench, {_listed(problems)} problems", draw, numbers, truths, difference=True)


def subsets(sizes: Sequence[int], weights: Sequence[float], truth: float, spread: float) -> Design:
    """A weighted mean of subsets with few independent decisions; the accuracies differ by `spread` log-odds."""
    share = np.array(weights, float) / sum(weights)
    apart = spread * ndtri((np.arange(len(sizes)) * 0.618034) % 1 * 0.98 + 0.01)
    centre = _shift(truth, lambda x: float(share @ expit(x + apart)))
    part = np.repeat(np.arange(len(sizes)), sizes)
    chance = expit(centre + apart)[part]
    cluster = np.arange(len(part))

    def draw(random: np.random.Generator) -> Data:
        return Data((random.random(len(part)) < chance).astype(float), part, cluster)

    name = f"{len(sizes)} subsets of {min(sizes)} to {max(sizes)} decisions"
    return Design(name, draw, {"mean": share}, {"mean": truth})


def clusters(name: str, size: Callable[[np.random.Generator], IntArray], truth: float, correlation: float) -> Design:
    """Problems with several comparisons, whose credits are correlated (beta-binomial)."""
    first, second = truth * (1 - correlation) / correlation, (1 - truth) * (1 - correlation) / correlation

    def draw(random: np.random.Generator) -> Data:
        sizes = size(random)
        chance = np.repeat(random.beta(first, second, len(sizes)), sizes)
        cluster = np.repeat(np.arange(len(sizes)), sizes)
        values = (random.random(len(chance)) < chance).astype(float)
        return Data(values, np.zeros(len(values), np.int64), cluster)

    return Design(f"{name}, correlation {correlation:g}", draw, {"accuracy": np.ones(1)}, {"accuracy": truth})


def ties(problems: int, ability: float) -> Design:
    """RewardBench 2's Ties composite: prompts with four right responses, each with a reference that has one."""
    shares = np.array(list(PARTS.values()))

    def drawn(random: np.random.Generator, count: int) -> FloatArray:
        level = random.normal(ability, 0.7, (count, 1))
        right, wrong = level + random.normal(0, 0.3, (count, 4)), random.normal(0, 0.5, (count, 5))
        gap, spread = right.min(axis=1) - wrong.max(axis=1), np.ptp(right, axis=1)
        one = level[:, 0] + random.normal(0, 0.3, count) - random.normal(0, 0.5, (count, 5)).max(axis=1)
        least = np.minimum(gap, one)
        decided = np.stack([gap > 0, one > 0, gap > spread, least > spread], axis=1)
        return np.column_stack([decided, np.tanh(least / spread - 1)])

    part, cluster = np.tile(np.arange(5), problems), np.repeat(np.arange(problems), 5)

    def draw(random: np.random.Generator) -> Data:
        return Data(drawn(random, problems).ravel(), part, cluster)

    truth = float(drawn(np.random.default_rng(1), 400_000).mean(axis=0) @ shares)
    return Design(f"RewardBench 2 Ties, {problems} prompts", draw, {"composite": shares}, {"composite": truth})


def two_accuracies(sizes: Sequence[int], first: float, second: float) -> Design:
    """Difference of two models in independent decisions, in subsets of equal weight."""
    part = np.repeat(np.arange(len(sizes)), sizes)
    cluster = np.arange(len(part))

    def draw(random: np.random.Generator) -> Data:
        shared, *own = random.normal(0, np.sqrt(0.5), (3, len(part)))
        one, other = (shared + more < ndtri(chance) for more, chance in zip(own, (first, second), strict=True))
        return Data(one.astype(float) - other, part, cluster)

    name = (
        f"two models, {len(sizes)} subsets of {min(sizes)} to {max(sizes)}"
        if len(sizes) > 1
        else (f"two models, {sizes[0]} decisions")
    )
    share = np.full(len(sizes), 1 / len(sizes))
    return Design(f"{name}, {100 * first:g} and {100 * second:g}", draw, {"difference": share},
                  {"difference": first - second}, difference=True)  # fmt: skip


def two_unequal(name: str, sizes: IntArray, first: float, second: float, own: float = 0.1) -> Design:
    """Difference of two models on problems of unequal sizes; `own` is the problem's share of a model's variance."""
    cluster = np.repeat(np.arange(len(sizes)), sizes)

    def draw(random: np.random.Generator) -> Data:
        problem, item = random.normal(0, 1, len(sizes))[cluster], random.normal(0, 1, len(cluster))
        found = []
        for chance in (first, second):
            of_model = np.sqrt(own) * random.normal(0, 1, len(sizes))[cluster] + np.sqrt(0.2) * problem
            rest = (item + random.normal(0, 1, len(cluster))) * np.sqrt((0.8 - own) / 2)
            found.append((of_model + rest < ndtri(chance)).astype(float))
        return Data(found[0] - found[1], np.zeros(len(cluster), np.int64), cluster)

    name = f"two models, {name}, {100 * first:g} and {100 * second:g}"
    return Design(name, draw, {"difference": np.ones(1)}, {"difference": first - second}, difference=True)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def zipf(count: int, largest: int = 20) -> IntArray:
    """Return sizes of problems that are the largest one divided by their rank."""
    return np.maximum(1, np.round(largest / np.arange(1, count + 1))).astype(np.int64)


CHAT, CHAT_HARD = (100, 95, 95, 28, 40), (37, 100, 134, 92, 47, 46)
SMALL = (2, 9, 4, 15, 3, 6, 12, 2, 7, 5, 10, 3, 14, 8, 2, 11, 4, 6, 13, 3, 9, 5, 2)
"""Sizes of RewardBench's 23 subsets in a small selection."""


def designs() -> Iterator[Design]:
    """Yield the designs, for truths from 50 to 99."""
    yield from _one_model()
    yield from _clusters()
    yield from _two_models()


def _one_model() -> Iterator[Design]:
    for truth in (0.6, 0.8, 0.9, 0.97, 0.99):
        for problems in ([20], [60], [150], [15, 15, 15, 15], [60, 40, 20, 100]):
            yield rm_bench(problems, truth)
    for ability in (1.5, 2.5, 3.5, 4.5):
        for problems_ in (20, 50, 100):
            yield ties(problems_, ability)
    for truth in (0.5, 0.7, 0.9, 0.97, 0.99):
        for weights in (CHAT, CHAT_HARD, tuple(np.linspace(28, 400, 23))):
            for sizes in ((2,) * len(weights), SMALL[: len(weights)], (12,) * len(weights)):
                for spread in (0.0, 1.5):
                    yield subsets(sizes, weights, truth, spread)


def _clusters() -> Iterator[Design]:
    for truth in (0.6, 0.75, 0.9, 0.97):
        for correlation in (0.1, 0.5):
            yield clusters("10 problems of 4", lambda _: np.full(10, 4), truth, correlation)
            yield clusters("60 problems of 4", lambda _: np.full(60, 4), truth, correlation)
            yield clusters("20 problems, geometric sizes", lambda r: r.geometric(0.3, 20), truth, correlation)
            yield clusters("60 problems, geometric sizes", lambda r: r.geometric(0.3, 60), truth, correlation)
            yield clusters("20 problems, Zipf sizes", lambda _: zipf(20), truth, correlation)
            yield clusters("60 problems, Zipf sizes", lambda _: zipf(60), truth, correlation)


def _two_models() -> Iterator[Design]:
    for problems in ([10], [20], [60], [40, 40, 40, 40]):
        for easy, gap in ((0.6, 0.0), (0.6, 0.4), (0.9, 0.3), (0.99, 0.0)):
            yield two_models(problems, easy, gap)
    for sizes in ((20,), (60,), (200,), (4,) * 6, (10, 5, 15, 8, 3, 12)):
        for chances in ((0.6, 0.6), (0.8, 0.7), (0.97, 0.97), (0.97, 0.9), (0.99, 0.98)):
            yield two_accuracies(sizes, *chances)
    for chances in ((0.7, 0.7), (0.9, 0.7), (0.97, 0.95), (0.98, 0.9)):
        yield two_unequal("20 problems of 1 to 20, Zipf", zipf(20), *chances)
        yield two_unequal("20 problems of 3 to 60, Zipf", zipf(20, 60), *chances)
        yield two_unequal("60 problems of 1 to 20, Zipf", zipf(60), *chances)
        yield two_unequal("40 problems of 2 to 100, Zipf", zipf(40, 100), *chances, own=0.4)


def main() -> None:
    """Simulate all designs and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--only", default="", help="part of a design's name")
    options = parser.parse_args()
    error = 100 * np.sqrt(0.05 * 0.95 / options.replications)
    sys.stdout.write(f"{options.replications} evaluations each; simulation error {error:.1f}\n\n")
    sys.stdout.write("| design | number | truth | coverage | too low | too high | width |\n")
    sys.stdout.write("|---|---|---|---|---|---|---|\n")
    for design in designs():
        if options.only in design.name:
            for number, (below, above, width) in covered(design, options.replications).items():
                cells = (100 * design.truths[number], 100 * (1 - below - above), 100 * below, 100 * above, 100 * width)
                sys.stdout.write(
                    f"| {design.name} | {number} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
