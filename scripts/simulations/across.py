"""Simulate models on several benchmarks: intervals of mean ranks, corrections, and tests of mean ranks.

python -m scripts.simulations.across [--replications 1000]

The numbers of a benchmark have independent normal errors, as accuracies over some hundred problems have.
"""

from __future__ import annotations

import argparse
from itertools import combinations

import numpy as np
from scipy.special import ndtr
from scipy.stats import friedmanchisquare

from rmeval.data.tables import Mask
from rmeval.metrics.stats.across import benjamini_yekutieli, mean_rank_interval, middle_ranks
from rmeval.metrics.stats.significance import LEVEL, holm, rank_intervals
from rmeval.types import FloatArray

DRAWS = 300
NEMENYI = {4: 2.569, 8: 3.031}
"""Critical values of Nemenyi's test (Demsar 2006, table 5a)."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replications", type=int, default=1000)
    replications = parser.parse_args().replications
    names = (
        *("models", "benchmarks", "truth", "joint cover", "width", "bootstrap: joint cover", "width"),
        *("Holm: any false", "power", "BY: false share", "power", "Friedman and Nemenyi: power"),
    )
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")  # noqa: T201
    for models in (4, 8):
        for benchmarks in (3, 8):
            for name, truth in truths(models, benchmarks).items():
                random = np.random.default_rng(0)
                found = np.array([replication(truth, random) for _ in range(replications)])
                cells = [measured(column) for column in found.T]
                print(f"| {models} | {benchmarks} | {name} | {' | '.join(cells)} |", flush=True)  # noqa: T201


def truths(models: int, benchmarks: int) -> dict[str, FloatArray]:
    """Return true numbers, float64[benchmarks, models], in standard errors."""
    steps = np.linspace(0, 6, models)
    pairs = np.repeat(np.linspace(0, 6, models // 2), 2)
    return {
        "all equal": np.zeros((benchmarks, models)),
        "equal in pairs": np.tile(pairs, (benchmarks, 1)),
        "all different": np.tile(steps, (benchmarks, 1)),
    }


def replication(truth: FloatArray, random: np.random.Generator) -> tuple[float, ...]:
    """Return the numbers of one replication; NaN where a share does not exist."""
    benchmarks, models = truth.shape
    seen = truth + random.normal(size=truth.shape)
    pairs = list(combinations(range(models), 2))
    apart = np.array([own[i] - own[j] for own in seen for i, j in pairs])
    real = np.array([own[i] - own[j] for own in truth for i, j in pairs])
    p = 2 * ndtr(-np.abs(apart) / 2**0.5)
    by_holm, by_rate = holm(p) < LEVEL, benjamini_yekutieli(p) < LEVEL
    low = np.array([1 + np.mean((truth > truth[:, [k]]).sum(axis=1)) for k in range(models)])
    high = np.array([models - np.mean((truth < truth[:, [k]]).sum(axis=1)) for k in range(models)])
    own = intervals(apart, by_holm, benchmarks, models)
    drawn = seen + random.normal(size=(DRAWS, *truth.shape))
    ranks = np.array([[middle_ranks(one) for one in draw] for draw in drawn]).mean(axis=1)
    boot = np.quantile(ranks, [0.025, 0.975], axis=0).T
    return (
        *(value for one in (own, boot) for value in (covers(one, low, high), float((one[:, 1] - one[:, 0]).mean()))),
        *judged(by_holm, apart, real, any_false=True),
        *judged(by_rate, apart, real, any_false=False),
        nemenyi(seen, truth),
    )


def intervals(apart: FloatArray, significant: Mask, benchmarks: int, models: int) -> FloatArray:
    """Return the interval of each model's mean rank, float64[models, 2]."""
    ranges = []
    pairs = list(combinations(range(models), 2))
    for own, real in zip(apart.reshape(benchmarks, -1), significant.reshape(benchmarks, -1), strict=True):
        leads = [[False] * models for _ in range(models)]
        for (i, j), difference, differs in zip(pairs, own, real, strict=True):
            if differs:
                leads[i if difference > 0 else j][j if difference > 0 else i] = True
        ranges.append(rank_intervals(leads))
    return np.array([mean_rank_interval(one) for one in zip(*ranges, strict=True)])


def covers(found: FloatArray, low: FloatArray, high: FloatArray) -> float:
    """Return 1 if all intervals contain the true mean ranks; equal models have several."""
    return float((found[:, 0] <= low + 1e-9).all() and (found[:, 1] >= high - 1e-9).all())


def judged(found: Mask, apart: FloatArray, real: FloatArray, any_false: bool) -> tuple[float, float]:
    """Return whether any significant difference is false, or their share, and the share of true ones that are found."""
    false = found & (np.sign(apart) != np.sign(real))
    true = real != 0
    wrong = float(false.any()) if any_false else float(false.sum() / max(found.sum(), 1))
    return wrong, float((found & ~false)[true].mean()) if true.any() else np.nan


def nemenyi(seen: FloatArray, truth: FloatArray) -> float:
    """Return the share of pairs that differ and are found by Friedman's and then Nemenyi's test of mean ranks."""
    benchmarks, models = seen.shape
    pairs = [(i, j) for i, j in combinations(range(models), 2) if truth[0, i] != truth[0, j]]
    if not pairs:
        return np.nan
    if friedmanchisquare(*seen.T).pvalue >= LEVEL:
        return 0.0
    mean = np.array([middle_ranks(own) for own in seen]).mean(axis=0)
    critical = NEMENYI[models] * (models * (models + 1) / (6 * benchmarks)) ** 0.5
    return float(np.mean([abs(mean[i] - mean[j]) >= critical for i, j in pairs]))


def measured(values: FloatArray) -> str:
    """Return the mean and its standard error."""
    known = values[~np.isnan(values)]
    if not len(known):
        return "-"
    return f"{known.mean():.3f} ± {known.std() / len(known) ** 0.5:.3f}"


if __name__ == "__main__":
    main()
