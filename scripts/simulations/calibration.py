"""Simulate the numbers of calibration and their intervals for scorers with a known truth, and print Markdown tables.

    python -m scripts.simulations.calibration --replications 400

Margins of a calibrated scorer have a normal distribution with mean m and variance 2m, so that exp(margin) is the ratio
of the densities of right and wrong decisions. The nine pairs of a problem are three better responses against three
worse ones, and share six scores. Margins times 2 are those of an overconfident scorer, times 1/2 of an underconfident.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from scipy.special import expit, log_expit, ndtri

from rmeval.metrics.stats.calibration import BINS, calibrate
from rmeval.types import FloatArray, IntArray

__all__ = ["main", "margins", "true_error", "truths"]


def margins(random: np.random.Generator, problems: int, pairs: int, accuracy: float, shared: float) -> FloatArray:
    """Draw margins of a calibrated scorer, float64[problems, pairs].

    Args:
        random: Source of the draws.
        problems: Number of problems.
        pairs: Pairs of a problem: 9 for three by three responses, else pairs of different responses.
        accuracy: The probability of a right decision.
        shared: The share of the variance that all pairs of a problem have in common.
    """
    mean = 2 * float(ndtri(accuracy)) ** 2
    common = np.sqrt(shared) * random.standard_normal((problems, 1))
    if pairs == 9:
        better, worse = random.standard_normal((problems, 3, 1)), random.standard_normal((problems, 1, 3))
        own = np.sqrt((1 - shared) / 2) * (better - worse).reshape(problems, 9)
    else:
        own = np.sqrt(1 - shared) * random.standard_normal((problems, pairs))
    found: FloatArray = mean + np.sqrt(2 * mean) * (common + own)
    return found


def truths(accuracy: float, factor: float) -> tuple[float, float, float]:
    """Return the true Brier score, log loss, and factor that calibrates the margins."""
    mean = 2 * float(ndtri(accuracy)) ** 2
    points, weights = np.polynomial.hermite_e.hermegauss(200)
    margin = factor * (mean + np.sqrt(2 * mean) * points)
    weights = weights / weights.sum()
    return float(np.square(expit(-margin)) @ weights), float(-log_expit(margin) @ weights), 1 / factor


def true_error(margin: FloatArray, factor: float) -> float:
    """Return the true calibration error of distinct margins in ten bins."""
    size = np.sort(np.abs(margin))
    place = (np.arange(len(size)) + 0.5) * BINS // len(size)
    return float(np.abs(np.bincount(place.astype(np.int64), expit(size) - expit(size / factor))).sum() / len(size))


def expected_errors(replications: int) -> None:
    """Compare the calibration error of calibrated scorers with what the report says of them."""
    _row("problems", "pairs", "accuracy", "shared variance", "calibration error", "of a calibrated model", "before")
    _row(*["---"] * 7)
    random = np.random.default_rng(0)
    for problems, pairs, accuracy, shared in (
        (60, 9, 0.7, 0.0), (60, 9, 0.7, 0.5), (60, 9, 0.9, 0.3), (129, 9, 0.7, 0.3), (129, 9, 0.7, 0.9),
        (441, 9, 0.7, 0.3), (129, 3, 0.8, 0.5), (129, 1, 0.7, 0.0), (129, 1, 0.95, 0.0),
    ):  # fmt: skip
        cluster = np.repeat(np.arange(problems), pairs)
        found = []
        for _ in range(replications):
            margin = margins(random, problems, pairs, accuracy, shared).ravel()
            one = calibrate(margin, cluster)
            if one is not None:
                found.append((one.ece, one.ece_calibrated, _together(margin, pairs)))
        error = 100 * np.std(found, axis=0)[0] / np.sqrt(len(found))
        own, calibrated, before = 100 * np.mean(found, axis=0)
        cells = (f"{own:.2f} ± {error:.2f}", f"{calibrated:.2f}", f"{before:.2f}")
        _row(str(problems), str(pairs), f"{100 * accuracy:g}", f"{shared:g}", *cells)
    sys.stdout.write("\n")


def _together(margin: FloatArray, pairs: int) -> float:
    """Return what earlier versions reported: pairs of a problem are right or wrong together."""
    chance = np.sort(expit(np.abs(margin)))
    place = ((np.arange(len(chance)) + 0.5) * BINS // len(chance)).astype(np.int64)
    variance = np.bincount(place, chance * (1 - chance)) * pairs
    return float(np.sqrt(2 / np.pi) * np.sqrt(variance).sum() / len(chance))


def coverage(replications: int) -> None:
    """Count how often intervals contain the truth."""
    _row("problems", "pairs", "margins", "accuracy", "Brier score", "log loss", "factor", "calibration error")
    _row(*["---"] * 8)
    random = np.random.default_rng(1)
    for problems in (60, 150):
        for pairs, shared in ((1, 0.0), (9, 0.3)):
            cluster = np.repeat(np.arange(problems), pairs)
            for factor in (0.5, 1.0, 2.0):
                for accuracy in (0.55, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99):
                    hits = [
                        _hits(factor * margins(random, problems, pairs, accuracy, shared).ravel(), cluster,
                              accuracy, factor)
                        for _ in range(replications)
                    ]  # fmt: skip
                    rates = (f"{100 * rate:.1f}" for rate in np.mean(hits, axis=0))
                    _row(str(problems), str(pairs), f"times {factor:g}", f"{100 * accuracy:g}", *rates)


def _hits(margin: FloatArray, cluster: IntArray, accuracy: float, factor: float) -> list[bool]:
    """Return whether each interval contains the truth; an infinite or zero factor has none, and makes no mistake."""
    found = calibrate(margin, cluster)
    if found is None or found.brier_ci is None or found.log_loss_ci is None or found.ece_ci is None:
        return [False] * 4
    intervals = (found.brier_ci, found.log_loss_ci, found.scale_ci or (0.0, np.inf), found.ece_ci)
    true = (*truths(accuracy, factor), true_error(margin, factor))
    return [low <= one <= high for (low, high), one in zip(intervals, true, strict=True)]


def _row(*cells: str) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def main() -> None:
    """Simulate all designs and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=400)
    options = parser.parse_args()
    error = 100 * np.sqrt(0.05 * 0.95 / options.replications)
    sys.stdout.write(f"{options.replications} evaluations each; simulation error of a coverage of 95: {error:.1f}\n\n")
    expected_errors(options.replications)
    coverage(options.replications)


if __name__ == "__main__":
    main()
