"""Simulate correlations of few models: coverage of intervals, tests of a correlation and of a difference.

python -m scripts.simulations.correlation [--replications 400] [--method pearson] [--only coverage|tests|differences]
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import stats
from scipy.special import ndtr, ndtri, stdtrit

from rmeval.metrics.stats.few_models import correlation_interval
from rmeval.metrics.stats.permutation import Pairs, exchange_test, permutation_test
from rmeval.metrics.stats.significance import LEVEL
from rmeval.types import FloatArray

RESAMPLES = 1000
MODELS = (4, 6, 8, 12, 20, 50)
RHOS = (0.0, 0.5, 0.9)
SKEW = 0.7
"""Standard deviation of the logarithms of skewed values."""
SHARED = 0.5
"""Share of the variance that the pairs of a model have in common."""
Interval = tuple[float, float] | None


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replications", type=int, default=400)
    parser.add_argument("--method", default="pearson")
    parser.add_argument("--only", choices=("coverage", "tests", "differences"))
    parser.add_argument("--pairs", type=int, default=[1, 3], nargs="+", help="of the table of coverages")
    given = parser.parse_args()
    tables: dict[str, Callable[[], Iterator[list[str]]]] = {
        "coverage": lambda: coverage(given.replications, given.method, given.pairs),
        "tests": lambda: tests(given.replications, given.method),
        "differences": lambda: differences(given.replications, given.method),
    }
    for name, rows in tables.items():
        if given.only in (None, name):
            for row in rows():
                print(f"| {' | '.join(row)} |", flush=True)  # noqa: T201
            print()  # noqa: T201


def draw(models: int, pairs: int, rho: float, shape: str, random: np.random.Generator) -> Pairs:
    """Return scores and results of models, with a correlation of rho before skewed values are exponentiated."""
    own, noise = random.normal(size=(2, pairs, models))
    if pairs > 1:
        common = random.normal(size=(2, 1, models))
        own, noise = (
            math.sqrt(SHARED) * part + math.sqrt(1 - SHARED) * whole
            for part, whole in zip(common, (own, noise), strict=True)
        )
    scores, results = own, rho * own + math.sqrt(1 - rho**2) * noise
    if shape == "skewed":
        return Pairs(np.exp(SKEW * scores), np.exp(SKEW * results))
    if shape == "heavy tails":
        factor = np.sqrt(5 / random.chisquare(5, size=(1, models)))
        return Pairs(scores * factor, results * factor)
    return Pairs(scores, results)


def truth(method: str, rho: float, shape: str) -> float:
    """Return the correlation of infinitely many models in one pair."""
    if method == "kendall":
        return 2 / math.pi * math.asin(rho)
    if method == "spearman":  # Not of heavy tails, which have no closed form.
        return 6 / math.pi * math.asin(rho / 2)
    return math.expm1(rho * SKEW**2) / math.expm1(SKEW**2) if shape == "skewed" else rho


def fisher(method: str, pairs: Pairs, drawn: FloatArray) -> Interval:
    """Return Fisher's interval, of points that are independent."""
    half = ndtri(0.975) / math.sqrt(pairs.models - 3)
    centre = math.atanh(np.clip(pairs.correlation(method), -1 + 1e-9, 1 - 1e-9))
    return math.tanh(centre - half), math.tanh(centre + half)


def jackknife(method: str, pairs: Pairs, drawn: FloatArray) -> Interval:
    """Return the interval of Student's t for Fisher's z, with the jackknife's standard error."""
    n = pairs.models
    z = np.arctanh(np.clip(_left_out(method, pairs), -1 + 1e-9, 1 - 1e-9))
    half = float(stdtrit(n - 1, 0.975) * math.sqrt((n - 1) / n * np.square(z - z.mean()).sum()))
    centre = math.atanh(np.clip(pairs.correlation(method), -1 + 1e-9, 1 - 1e-9))
    return math.tanh(centre - half), math.tanh(centre + half)


def _left_out(method: str, pairs: Pairs) -> FloatArray:
    everything = np.arange(pairs.models)
    return pairs.correlations(method, np.array([np.delete(everything, k) for k in everything]))


def _resampled(method: str, pairs: Pairs, random: np.random.Generator) -> FloatArray:
    drawn = pairs.correlations(method, random.integers(0, pairs.models, (RESAMPLES, pairs.models)))
    return drawn[~np.isnan(drawn)]


def percentile(method: str, pairs: Pairs, drawn: FloatArray) -> Interval:
    """Return the percentile interval (Efron 1979)."""
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return low, high


def bca(method: str, pairs: Pairs, drawn: FloatArray) -> Interval:
    """Return the bias-corrected and accelerated interval (Efron 1987)."""
    value = pairs.correlation(method)
    below = np.clip(np.mean(drawn < value) + np.mean(drawn == value) / 2, 1e-3, 1 - 1e-3)
    apart = _left_out(method, pairs)
    apart = apart.mean() - apart
    acceleration = (apart**3).sum() / (6 * np.square(apart).sum() ** 1.5 + 1e-300)
    bias = ndtri(below)
    ends = [ndtr(bias + (bias + z) / (1 - acceleration * (bias + z))) for z in ndtri([0.025, 0.975])]
    low, high = np.quantile(drawn, np.clip(ends, 0, 1)).tolist()
    return low, high


def expanded(method: str, pairs: Pairs, drawn: FloatArray) -> Interval:
    """Return the expanded percentile interval, which rmeval shows for six models and more."""
    if pairs.models >= 6:
        return correlation_interval(method, pairs)
    n = pairs.models
    tail = float(ndtr(-math.sqrt(n / (n - 1)) * stdtrit(n - 1, 0.975)))
    low, high = np.quantile(drawn, [tail, 1 - tail]).tolist()
    return low, high


METHODS: dict[str, Callable[[str, Pairs, FloatArray], Interval]] = {
    "expanded percentile": expanded,
    "percentile": percentile,
    "BCa": bca,
    "Fisher": fisher,
    "jackknife, z": jackknife,
}


def coverage(replications: int, method: str, numbers: Sequence[int]) -> Iterator[list[str]]:
    """Yield the rows of the table of coverages and mean widths."""
    yield ["data", "pairs", "models", *METHODS, "width"]
    for shape in ("normal", "skewed", "heavy tails"):
        for pairs in numbers:
            for models in MODELS:
                cells: dict[str, list[str]] = {name: [] for name in METHODS}
                widths = []
                for rho in RHOS:
                    hits, width = _covered(method, models, pairs, rho, shape, replications)
                    widths.append(f"{width:.2f}")
                    for name, share in hits.items():
                        cells[name].append(f"{100 * share:.0f}")
                yield [shape, str(pairs), str(models), *(" / ".join(own) for own in cells.values()), " / ".join(widths)]


def _covered(
    method: str, models: int, pairs: int, rho: float, shape: str, replications: int
) -> tuple[dict[str, float], float]:
    """Return the coverage of each interval, and the mean width of the one that rmeval shows."""
    random = np.random.default_rng(1)
    value = truth(method, rho, shape)
    hits, widths = dict.fromkeys(METHODS, 0.0), []
    for _ in range(replications):
        one = draw(models, pairs, rho, shape, random)
        drawn = _resampled(method, one, random)
        for name, interval in METHODS.items():
            ends = interval(method, one, drawn) or (-1.0, 1.0)
            hits[name] += (ends[0] - 1e-9 <= value <= ends[1] + 1e-9) / replications
            if interval is expanded:
                widths.append(ends[1] - ends[0])
    return hits, float(np.mean(widths))


def tests(replications: int, method: str) -> Iterator[list[str]]:
    """Yield how often tests reject a correlation of 0 of three pairs that share half of their variance."""
    yield ["models", "models permuted", "points permuted", "Pearson's test of the points"]
    for models in (4, 5, 6, 8, 12):
        random = np.random.default_rng(2)
        found = np.zeros(3)
        for _ in range(replications):
            one = draw(models, 3, 0.0, "normal", random)
            x, y = (values.ravel() for values in one.points)
            points = permutation_test(method, Pairs(x[None], y[None]))
            found += [
                permutation_test(method, one).p < LEVEL,
                points.p < LEVEL,
                float(stats.pearsonr(x, y).pvalue) < LEVEL,
            ]
        yield [str(models), *(_share(one / replications, replications) for one in found)]


def differences(replications: int, method: str) -> Iterator[list[str]]:
    """Yield how often tests reject equal correlations of two scores with the same results, and their power."""
    yield ["data", "models", "correlations", "of the scores", "exchange", "Williams"]
    for shape, (first, second, between) in (
        ("normal", (0.0, 0.0, 0.8)),
        ("normal", (0.5, 0.5, 0.5)),
        ("normal", (0.8, 0.8, 0.8)),
        ("skewed", (0.5, 0.5, 0.5)),
        ("normal", (0.8, 0.2, 0.5)),
    ):
        for models in (6, 8, 12, 20):
            random = np.random.default_rng(3)
            matrix = np.array([[1, between, first], [between, 1, second], [first, second, 1]])
            factor = np.linalg.cholesky(matrix)
            found = np.zeros(2)
            for _ in range(replications):
                values = factor @ random.normal(size=(3, models))
                one, other, result = np.exp(SKEW * values) if shape == "skewed" else values
                a, b = Pairs(one[None], result[None]), Pairs(other[None], result[None])
                found += [exchange_test(method, a, b).p < LEVEL, williams(a, b) < LEVEL]
            cells = [_share(one / replications, replications) for one in found]
            yield [shape, str(models), f"{first:g} and {second:g}", f"{between:g}", *cells]


def williams(first: Pairs, second: Pairs) -> float:
    """Return the p-value of Williams' test (Williams 1959, JRSS-B 21:396; Steiger 1980, eq. 7)."""
    n = first.models
    one, other = first.correlation("pearson"), second.correlation("pearson")
    between = Pairs(first.scores, second.scores).correlation("pearson")
    determinant = 1 - one**2 - other**2 - between**2 + 2 * one * other * between
    spread = 2 * determinant * (n - 1) / (n - 3) + ((one + other) / 2) ** 2 * (1 - between) ** 3
    return float(2 * stats.t.sf(abs(one - other) * math.sqrt((n - 1) * (1 + between) / spread), n - 3))


def _share(share: float, replications: int) -> str:
    return f"{100 * share:.1f} ± {100 * math.sqrt(share * (1 - share) / replications):.1f}"


if __name__ == "__main__":
    main()
