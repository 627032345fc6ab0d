"""Over-optimisation: closed forms, and the level and power of the test of a decline."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rmeval.metrics.stats.bootstrap import bootstrap_means
from rmeval.metrics.stats.overoptimisation import Decline, decline, divergence, fit_matrix, peak_of
from rmeval.types import FloatArray

NUMBERS = [1, 2, 4, 8, 16]


def test_the_divergence() -> None:
    assert divergence(1) == 0
    assert divergence(2) == pytest.approx(math.log(2) - 0.5)
    assert divergence(16) == pytest.approx(1.8350887, abs=1e-6)
    # By definition: the mean of log(n u^(n-1)) under the density n u^(n-1), for scores without ties.
    u = (np.arange(400_000) + 0.5) / 400_000
    density = 5 * u**4
    assert divergence(5) == pytest.approx(float((density * np.log(density)).mean()), abs=1e-6)


def test_the_fit_finds_its_own_form() -> None:
    distance = np.sqrt([divergence(number) for number in NUMBERS])
    alpha, beta = fit_matrix(NUMBERS) @ (distance * (0.4 - 0.25 * distance))
    assert (alpha, beta) == pytest.approx((0.4, 0.25))
    peak = peak_of(alpha, beta, 16)
    assert peak is not None
    assert math.sqrt(divergence(peak)) == pytest.approx(0.4 / (2 * 0.25))


@pytest.mark.parametrize(("alpha", "beta"), [(0.4, 0.1), (0.4, -0.1), (-0.1, 0.2), (0.0, 0.0)])
def test_a_peak_outside_the_range_is_none(alpha: float, beta: float) -> None:
    assert peak_of(alpha, beta, 16) is None


def result_of(values: FloatArray, random: np.random.Generator) -> Decline:
    problems = np.arange(len(values))
    return decline(values.mean(axis=0), bootstrap_means(values, problems, random, 400), len(values))


def curves(random: np.random.Generator, problems: int, means: FloatArray) -> FloatArray:
    """Curves with errors that are correlated between neighbouring n, as those of nested subsets are."""
    steps = random.normal(0, 0.3, (problems, len(means)))
    found: FloatArray = means + np.cumsum(steps, axis=1)
    return found


@pytest.mark.parametrize("problems", [6, 60])
def test_a_flat_curve_declines_in_one_of_twenty_cases(problems: int) -> None:
    """300 samples: of a true level of .05, more than 28 have a probability of .001."""
    random = np.random.default_rng(6)
    rejected = sum(result_of(curves(random, problems, np.zeros(5)), random).p < 0.05 for _ in range(300))
    assert 3 < rejected <= 28


def test_a_decline_is_found() -> None:
    random = np.random.default_rng(4)
    found = result_of(curves(random, 200, np.array([0.0, 0.3, 0.5, 0.4, 0.2])), random)
    assert (found.peak, found.p < 0.01) == (2, True)
    assert 0 < found.low < found.drop
    rising = result_of(curves(random, 200, np.array([0.0, 0.2, 0.4, 0.6, 0.8])), random)
    assert (rising.peak, rising.drop) == (4, 0)
    assert rising.p > 0.5


def test_nothing_is_said_of_few_problems_or_equal_curves() -> None:
    random = np.random.default_rng(5)
    assert math.isnan(result_of(np.array([[0.0, 1.0, 0.5]]), random).p)
    assert math.isnan(result_of(curves(random, 4, np.array([0.0, 3.0, 0.0])), random).p)
    equal = result_of(np.tile([1.0, 1.0 + 1e-15, 1.0], (30, 1)), random)
    assert (equal.peak, math.isnan(equal.p)) == (2, True)
