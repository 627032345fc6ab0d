"""Critical values of simultaneous intervals against scipy's, and what they do not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, studentized_range, t

from rmeval.metrics.stats.simultaneous import critical_value
from rmeval.types import FloatArray


def independent(models: int) -> FloatArray:
    """Contributions without any correlation, of equal variance."""
    return np.concatenate([np.eye(models), -np.eye(models)], axis=1)


def same_problems(random: np.random.Generator, models: int, problems: int) -> FloatArray:
    """Wins of equal models on problems of different difficulty."""
    return (random.random((models, problems)) < random.beta(3, 2, problems)).astype(float)


@pytest.mark.parametrize("degrees", [5.5, 59.0, math.inf])
def test_two_models_have_the_quantile_of_one_difference(degrees: float) -> None:
    wanted = norm.ppf(0.975) if math.isinf(degrees) else t.ppf(0.975, degrees)
    values = same_problems(np.random.default_rng(0), 2, 50)
    assert critical_value(values, degrees=degrees) == pytest.approx(float(wanted), rel=1e-12)
    assert critical_value(np.ones((4, 9)), degrees=degrees) == pytest.approx(float(wanted), rel=1e-12)


@pytest.mark.parametrize("models", [3, 4, 5, 10, 20])
@pytest.mark.parametrize("degrees", [12.0, math.inf])
def test_independent_models_have_the_studentized_range(models: int, degrees: float) -> None:
    wanted = float(studentized_range.ppf(0.95, models, min(degrees, 1e6))) / math.sqrt(2)
    assert critical_value(independent(models), degrees=degrees) == pytest.approx(wanted, abs=0.002)


def test_correlated_differences_of_unequal_variances_equal_draws() -> None:
    random = np.random.default_rng(1)
    values = same_problems(random, 6, 300) * random.lognormal(0, 1, (6, 1))
    strata = np.repeat([0, 1, 2], 100)
    values[:, 100:200] += 5
    apart = values - np.repeat(values.reshape(6, 3, 100).mean(axis=2), 100, axis=1)
    drawn = np.linalg.cholesky(np.cov(apart)) @ random.standard_normal((6, 100_000))
    first, second = np.triu_indices(6, 1)
    differences = drawn[first] - drawn[second]
    far = np.abs(differences / differences.std(axis=1)[:, None]).max(axis=0)
    # The quantile of 100,000 draws has a standard error of about .007.
    assert critical_value(values, strata) == pytest.approx(float(np.quantile(far, 0.95)), abs=0.02)
    assert critical_value(values) != critical_value(values, strata)


def test_differences_that_repeat_or_have_no_variance_do_not_count() -> None:
    values = same_problems(np.random.default_rng(2), 3, 200)
    assert critical_value(np.concatenate([values, values])) == critical_value(values)
    # Two models and a copy with other numbers everywhere by the same amount: one difference, twice.
    assert critical_value(np.stack([values[0], values[1], values[1] + 1])) == pytest.approx(1.959964, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.booleans())
def test_neither_the_order_of_items_nor_of_models_matters(seed: int, models: int, alike: bool) -> None:
    random = np.random.default_rng(seed)
    values = same_problems(random, models, 120) / random.choice([129, 529, 228], 120)
    if alike:
        values[1] = values[0]
    strata = random.integers(0, 3, 120)
    order, items = random.permutation(models), random.permutation(120)
    assert critical_value(values, strata, 30) == critical_value(values[order][:, items], strata[items], 30)


def test_of_tables_of_equal_models_one_in_twenty_has_an_interval_without_0() -> None:
    random = np.random.default_rng(3)
    wrong = 0
    for _ in range(300):
        values = same_problems(random, 5, 100)
        value, error = values.mean(axis=1), np.cov(values) / 100
        first, second = np.triu_indices(5, 1)
        deviation = np.sqrt(error[first, first] + error[second, second] - 2 * error[first, second])
        reach = critical_value(values, degrees=99) * deviation
        wrong += bool((np.abs(value[first] - value[second]) > reach).any())
    # Three standard deviations of a binomial with p = .05 and n = 300 are .038.
    assert wrong / 300 == pytest.approx(0.05, abs=0.038)
