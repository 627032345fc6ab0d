"""Permutation tests of correlations against scipy, enumeration by hand, and closed forms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rmeval.metrics.stats.permutation import (
    DRAWN,
    METHODS,
    Pairs,
    exchange_test,
    permutation_test,
    standardized,
)

SCIPY: dict[str, Callable[..., Any]] = {
    "pearson": stats.pearsonr,
    "spearman": stats.spearmanr,
    "kendall": stats.kendalltau,
}


def pairs_of(seed: int, pairs: int, models: int, ties: bool = False, both: bool = True) -> Pairs:
    values = np.random.default_rng(seed).normal(size=(2, pairs, models))
    scores, results = np.round(2 * values) if ties else values
    return Pairs(scores, results, both)


@pytest.mark.parametrize("method", METHODS)
def test_one_pair_is_the_correlation_of_scipy(method: str) -> None:
    one = pairs_of(0, 1, 9, ties=True)
    assert one.correlation(method) == pytest.approx(SCIPY[method](one.scores[0], one.results[0]).statistic)


def test_pooled_standardised_pairs_are_the_mean_of_their_correlations() -> None:
    one = pairs_of(1, 3, 7)
    alone = [stats.pearsonr(x, y).statistic for x, y in zip(one.scores, one.results, strict=True)]
    assert one.correlation("pearson") == pytest.approx(np.mean(alone))


def test_only_scores_standardised_keeps_levels_of_results() -> None:
    one = Pairs(np.array([[1.0, 2, 3], [10, 20, 30]]), np.array([[1.0, 2, 3], [101, 102, 103]]), both=False)
    x = standardized(one.scores).ravel()
    assert one.correlation("pearson") == pytest.approx(stats.pearsonr(x, one.results.ravel()).statistic)
    assert one.correlation("pearson") < 0.1 < Pairs(one.scores, one.results).correlation("pearson")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("pairs", "ties", "both"), [(1, False, True), (1, True, True), (3, False, True), (3, True, False)]
)
def test_p_is_that_of_enumeration_by_hand(method: str, pairs: int, ties: bool, both: bool) -> None:
    one = pairs_of(2, pairs, 5, ties, both)
    x, y = one.points
    values = [
        abs(float(METHODS[method](x.ravel(), y[:, list(order)].ravel()))) for order in itertools.permutations(range(5))
    ]
    found = permutation_test(method, one)
    assert (found.permutations, found.exact) == (120, True)
    assert found.p == pytest.approx(np.mean([value >= values[0] - 1e-9 for value in values]))
    assert found.least == pytest.approx(np.mean([value >= max(values) - 1e-9 for value in values]))


@pytest.mark.parametrize("method", METHODS)
def test_p_is_that_of_scipy(method: str) -> None:
    one = pairs_of(3, 1, 5)

    def statistic(x: Any) -> float:
        return abs(float(SCIPY[method](x, one.results[0]).statistic))

    theirs = stats.permutation_test(
        (one.scores[0],), statistic, permutation_type="pairings", alternative="greater", n_resamples=100_000
    )
    assert permutation_test(method, one).p == pytest.approx(theirs.pvalue)


def test_four_models_in_three_domains_have_24_permutations() -> None:
    # The same order in each domain: no permutation of models reaches it, though many of the 12 points would.
    one = Pairs(np.tile([1.0, 2, 4, 8], (3, 1)), np.tile([1.0, 3, 4, 9], (3, 1)))
    found = permutation_test("pearson", one)
    assert (found.p, found.least, found.permutations) == (1 / 24, 1 / 24, 24)
    assert stats.pearsonr(one.scores.ravel(), one.results.ravel()).pvalue < 1e-7
    assert permutation_test("spearman", one).least == 2 / 24  # The reversed order has the same absolute value.


def test_random_permutations_are_near_the_exact_test_and_never_give_zero() -> None:
    one = pairs_of(4, 1, 40)
    found = permutation_test("pearson", one)
    assert (found.permutations, found.exact, found.least) == (DRAWN, False, 1 / (DRAWN + 1))
    assert found.p == pytest.approx(stats.pearsonr(one.scores[0], one.results[0]).pvalue, abs=0.02)
    assert permutation_test("pearson", Pairs(one.scores, one.scores)).p == 1 / (DRAWN + 1)
    assert permutation_test("pearson", one) == found


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_column_has_no_correlation(method: str) -> None:
    one = Pairs(np.full((1, 5), 0.1), np.arange(5.0)[None])
    assert math.isnan(one.correlation(method))
    assert math.isnan(permutation_test(method, one).p)
    assert math.isnan(exchange_test(method, one, one).p)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pairs", [1, 2])
def test_exchanges_are_those_by_hand(method: str, pairs: int) -> None:
    first = pairs_of(5, pairs, 6)
    second = Pairs(pairs_of(6, pairs, 6).scores, first.results)
    one, other = first.points[0], second.points[0]
    y = first.points[1]
    if method != "pearson":
        one, other, y = (stats.rankdata(values).reshape(values.shape) for values in (one, other, y))
    correlate = SCIPY["kendall" if method == "kendall" else "pearson"]
    values = []
    for swap in itertools.product((False, True), repeat=6):
        a, b = np.where(swap, other, one), np.where(swap, one, other)
        values.append(abs(correlate(a.ravel(), y.ravel()).statistic - correlate(b.ravel(), y.ravel()).statistic))
    found = exchange_test(method, first, second)
    assert found.p == pytest.approx(np.mean([value >= values[0] - 1e-9 for value in values]))
    assert (found.permutations, found.exact) == (64, True)


def test_equal_scores_do_not_differ_and_opposite_ones_do() -> None:
    one = pairs_of(7, 1, 16)
    good, bad = Pairs(one.results, one.results), Pairs(-one.results, one.results)
    assert exchange_test("pearson", one, one).p == 1.0
    found = exchange_test("pearson", good, bad)
    assert (found.exact, found.permutations) == (False, DRAWN)
    assert found.p < 0.01
