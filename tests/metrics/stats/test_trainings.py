"""Means over trainings and problems: against sums by hand, mixed models' formulas, and simulated studies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rmeval.metrics.stats.trainings import trainings_mean
from rmeval.types import FloatArray


def test_the_parts_of_the_error_by_hand() -> None:
    values = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    found = trainings_mean(values)
    # Means of the trainings 3/4 and 1/4, of the problems 1/2, 1, 0, 1/2.
    assert found.value == 0.5
    assert found.error_of_trainings**2 == pytest.approx(0.125 / 2)
    assert found.error_of_problems**2 == pytest.approx((0.25 + 0.25) / 3 / 4)
    # Residuals: twice 1/4 and -1/4, and twice -1/4 and 1/4, with 3 degrees of freedom, over 8 values.
    residual = 8 * 0.0625 / 3 / 8
    variance = 0.125 / 2 + 0.5 / 12 - residual
    assert found.error**2 == pytest.approx(variance)
    degrees = variance**2 / ((0.125 / 2) ** 2 / 1 + (0.5 / 12) ** 2 / 3)
    assert found.degrees == pytest.approx(degrees)
    half = stats.t.ppf(0.975, degrees) * math.sqrt(variance)
    assert found.ci == pytest.approx((0.5 - half, 0.5 + half))
    assert found.p == pytest.approx(2 * stats.t.sf(0.5 / math.sqrt(variance), degrees))


@given(st.integers(2, 12), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_the_error_is_at_least_that_of_either_sample(problems: int, trainings: int, seed: int) -> None:
    found = trainings_mean(np.random.default_rng(seed).integers(0, 2, (problems, trainings)).astype(float))
    if found.ci is None:
        assert found.error == 0
        return
    assert found.error >= max(found.error_of_trainings, found.error_of_problems) - 1e-12
    assert found.degrees >= 0.99 * min(problems - 1, trainings - 1) / 2


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_one_training_has_the_one_sample_test_of_its_problems(problems: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=problems)
    found, other = trainings_mean(values[:, None]), stats.ttest_1samp(values, 0)
    assert found.p == pytest.approx(other.pvalue)
    assert found.ci == pytest.approx(tuple(other.confidence_interval()))
    assert math.isnan(found.error_of_trainings)


def test_trainings_that_agree_on_average_leave_only_problems() -> None:
    values = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    found = trainings_mean(values)
    assert found.error == found.error_of_problems
    assert found.degrees == pytest.approx(3)


@pytest.mark.parametrize("values", [np.full((7, 3), 0.3), np.zeros((7, 1)), np.ones((1, 3))])
def test_nothing_that_varies_has_no_interval(values: FloatArray) -> None:
    found = trainings_mean(values)
    assert found.ci is None
    assert math.isnan(found.p)
    assert math.isnan(found.mde)


def studies(effect: float, problems: int, trainings: int, count: int = 1500) -> list[FloatArray]:
    """Simulate values with equal parts of the error from trainings and problems, and with residuals."""
    dice = np.random.default_rng(5)
    return [
        effect
        + dice.normal(0, 0.05, (1, trainings))
        + dice.normal(0, 0.3, (problems, 1))
        + dice.normal(0, 0.4, (problems, trainings))
        for _ in range(count)
    ]


@pytest.mark.parametrize(("problems", "trainings"), [(100, 3), (60, 5)])
def test_intervals_contain_the_truth(problems: int, trainings: int) -> None:
    means = [trainings_mean(own) for own in studies(0.2, problems, trainings)]
    covered = np.mean([one.ci is not None and one.ci[0] <= 0.2 <= one.ci[1] for one in means])
    # Three standard errors of a simulation of 1,500 studies are 1.7 points.
    assert 0.933 <= covered <= 0.985
    # Those by problems alone contain it less often.
    alone = np.mean([abs(one.value - 0.2) < 1.98 * one.error_of_problems for one in means])
    assert alone < covered - 0.03


def test_the_smallest_difference_is_found_in_four_of_five_studies() -> None:
    problems, trainings = 100, 3
    # The true error, and nearly all of it from the trainings, so that there are 2 degrees of freedom.
    error = math.sqrt(0.05**2 / trainings)
    dice = np.random.default_rng(6)
    flat = np.tile(np.linspace(-1e-6, 1e-6, problems)[:, None], (1, trainings))
    like = flat + np.array([[-1.0, 0.0, 1.0]]) * 0.05
    effect = trainings_mean(like).mde
    assert trainings_mean(like).error == pytest.approx(error, rel=1e-3)
    found = [trainings_mean(effect + flat + dice.normal(0, 0.05, (1, trainings))).p < 0.05 for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)
