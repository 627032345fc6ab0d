"""Bradley and Terry's model with covariates: closed forms, other optimizers, and data without finite estimates."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from rmeval.metrics.stats.bradley_terry import fit_strengths, identified, separated
from rmeval.types import FloatArray, IntArray


def drawn(seed: int, rows: int = 400, policies: int = 3, columns: int = 4) -> tuple[Any, ...]:
    random = np.random.default_rng(seed)
    policy = random.permutation(np.arange(rows) % policies)
    covariates = random.normal(size=(rows, columns))
    battles = random.integers(2, 7, rows).astype(float)
    chance = expit(random.normal(size=policies)[policy] + covariates @ random.normal(size=columns))
    wins = random.binomial(2 * battles.astype(int), chance) / 2
    return policy, wins, battles, covariates


@pytest.mark.parametrize("seed", range(4))
def test_without_covariates_the_win_rate_is_the_mean(seed: int) -> None:
    policy, wins, battles, covariates = drawn(seed)
    found = fit_strengths(policy, wins, battles, covariates[:, :0])
    assert found is not None
    for place in range(3):
        own = policy == place
        assert expit(found.strength[place]) == pytest.approx(wins[own].sum() / battles[own].sum(), abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_is_that_of_another_optimizer(seed: int) -> None:
    policy, wins, battles, covariates = drawn(seed)
    found = fit_strengths(policy, wins, battles, covariates)
    assert found is not None
    assert found.finite
    assert found.gradient < 1e-9
    design = np.column_stack([np.eye(3)[policy], covariates])

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        odds = design @ point
        value = float(battles @ np.logaddexp(0, odds) - wins @ odds)
        return value, design.T @ (battles * expit(odds) - wins)

    other = minimize(loss, np.zeros(7), jac=True, method="BFGS", options={"gtol": 1e-7}).x
    assert np.concatenate([found.strength, found.weights]) == pytest.approx(other, abs=1e-7)
    # The gradient is also computed here, from all rows.
    own = np.concatenate([found.strength, found.weights])
    assert np.linalg.norm(loss(own)[1]) < 1e-9


def test_a_start_far_away_leads_to_the_same_optimum() -> None:
    policy, wins, battles, covariates = drawn(0)
    near = fit_strengths(policy, wins, battles, covariates)
    assert near is not None
    far = type(near)(near.strength + 6, near.weights - 3, 0.0, True)
    again = fit_strengths(policy, wins, battles, covariates, far)
    assert again is not None
    assert again.weights == pytest.approx(near.weights, abs=1e-9)


def separated_by_search(policy: IntArray, wins: FloatArray, battles: FloatArray, covariate: FloatArray) -> bool:
    """Whether directions on a grid separate: with one policy and one covariate, the boundaries are between points."""
    values = np.unique(covariate)
    cuts = [values[0] - 1, *((values[:-1] + values[1:]) / 2), *values, values[-1] + 1]
    sign = np.where(wins >= battles, 1, np.where(wins <= 0, -1, 0))
    directions = [(-cut, 1.0) for cut in cuts] + [(1.0, 0.0)]
    for (first, second), turn in product(directions, (1, -1)):
        odds = turn * (first + second * covariate)
        if (sign * odds >= -1e-12).all() and (np.abs(odds[sign == 0]) <= 1e-12).all() and np.abs(odds).max() > 1e-9:
            return True
    return False


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([0.0, 0.5, 1.0])), min_size=2, max_size=9))
def test_separation_is_found_by_search_too(rows: list[tuple[int, float]]) -> None:
    covariate = np.array([value for value, _ in rows], float)
    wins, battles, policy = np.array([won for _, won in rows]), np.ones(len(rows)), np.zeros(len(rows), int)
    expected = separated_by_search(policy, wins, battles, covariate)
    # A constant covariate separates in a direction without effect, which does not count.
    assert separated(policy, wins, battles, covariate[:, None]) == expected
    found = fit_strengths(policy, wins, battles, covariate[:, None])
    if len(np.unique(covariate)) > 1 and not expected:
        assert found is not None
        assert found.finite
        assert found.gradient < 1e-9
    elif expected:
        assert found is None or not found.finite


def test_what_policies_and_other_covariates_determine() -> None:
    policy, _, battles, covariates = drawn(1)
    one = np.eye(3)[policy] @ [1.0, 2.0, 5.0]
    columns = np.column_stack([covariates[:, 0], one, covariates[:, 1], covariates[:, 0] - 3 * covariates[:, 1] + one])
    assert identified(policy, battles, columns) == [True, False, True, False]
    assert fit_strengths(policy, battles / 2, battles, columns) is None or not separated(
        policy, battles / 2, battles, columns
    )
