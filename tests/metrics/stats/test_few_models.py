"""Intervals and detectable correlations of few models, against simulation and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from rmeval.metrics.stats.correlation import pearson
from rmeval.metrics.stats.few_models import (
    LEAST_MODELS,
    correlation_interval,
    detectable_correlation,
    difference_interval,
)
from rmeval.metrics.stats.permutation import METHODS, Pairs


def pairs_of(seed: int, models: int, rho: float, pairs: int = 1) -> Pairs:
    x, noise = np.random.default_rng(seed).normal(size=(2, pairs, models))
    return Pairs(x, rho * x + math.sqrt(1 - rho**2) * noise)


@pytest.mark.parametrize("models", [8, 12, 40])
def test_detectable_correlations_have_a_power_of_80_percent(models: int) -> None:
    rho = detectable_correlation(models)
    x, noise = np.random.default_rng(0).normal(size=(2, 20_000, models))
    r = pearson(x, rho * x + math.sqrt(1 - rho**2) * noise)
    t = np.abs(r) * np.sqrt((models - 2) / (1 - r**2))
    assert np.mean(t > stats.t.ppf(0.975, models - 2)) == pytest.approx(0.8, abs=0.01)


def test_few_models_find_large_correlations_only() -> None:
    assert math.isnan(detectable_correlation(3))
    found = [detectable_correlation(models) for models in (4, 5, 6, 8, 20, 50)]
    assert found == sorted(found, reverse=True)
    assert 0.99 < found[0] < 1
    assert found[-1] == pytest.approx(0.38, abs=0.01)
    assert detectable_correlation(4, 3) < found[0]


@pytest.mark.parametrize("method", METHODS)
def test_intervals_contain_the_correlation_and_shrink(method: str) -> None:
    widths = []
    for models in (LEAST_MODELS, 12, 60):
        one = pairs_of(1, models, 0.6)
        found = correlation_interval(method, one)
        assert found is not None
        assert -1 <= found[0] < one.correlation(method) < found[1] <= 1
        widths.append(found[1] - found[0])
    assert widths == sorted(widths, reverse=True)


def test_there_is_no_interval_of_too_few_models() -> None:
    one = pairs_of(2, LEAST_MODELS - 1, 0.5)
    assert correlation_interval("pearson", one) is None
    assert difference_interval("pearson", one, one) is None


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_coverage(rho: float) -> None:
    hits = 0
    for seed in range(60):
        found = correlation_interval("pearson", pairs_of(seed, 8, rho, 2))
        assert found is not None
        hits += found[0] <= rho <= found[1]
    assert hits >= 52


def test_a_difference_of_equal_scores_has_no_interval_and_one_of_opposite_ones_is_two() -> None:
    one = pairs_of(3, 12, 0.9)
    assert difference_interval("pearson", one, one) is None
    found = difference_interval("pearson", one, Pairs(-one.scores, one.results))
    assert found is not None
    assert found[0] < 2 * one.correlation("pearson") < found[1]
