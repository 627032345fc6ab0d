"""Item response: posteriors against a fine grid, planted parameters, and what must not depend on order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import multivariate_normal

from rmeval.metrics.stats.abilities import abilities_of, ability_errors, residual_correlations
from rmeval.metrics.stats.item_response import ItemResponse, ItemResults, effective, fit_items
from rmeval.types import FloatArray
from tests.metrics.stats.planted import Planted, plant


def fitted(truth: Planted) -> ItemResponse:
    return fit_items(ItemResults.of(truth.share, truth.count))


def correlation(one: FloatArray, other: FloatArray) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def test_comparisons_that_are_alike_by_hand() -> None:
    """Nine comparisons with a correlation of 1/4 are worth 9 / (1 + 8/4) = 3; equal ones are worth 1."""
    assert effective(np.array([9.0, 1.0]), 0.25).tolist() == [3.0, 1.0]
    assert effective(np.array([9.0]), 1.0).tolist() == [1.0]
    assert effective(np.array([9.0]), 0.0).tolist() == [9.0]


def test_posteriors_are_those_of_a_fine_grid() -> None:
    """The posterior of an item, given abilities and the distribution of items, by brute force on 400 x 400 points."""
    found = fitted(plant(1, 8, 120, comparisons=3, alike=0.2))
    middle, deviation = found.mean, np.sqrt(np.diag(found.spread))
    axes = [np.linspace(m - 6 * s, m + 6 * s, 400) for m, s in zip(middle, deviation, strict=True)]
    slope, difficulty = np.meshgrid(*axes, indexing="ij")
    prior = multivariate_normal(middle, found.spread).logpdf(np.dstack([slope, difficulty]))
    for kind in (0, 10, len(found.difficulty) - 1):
        log = prior.copy()
        for ability, share in zip(found.ability, found.results.share[:, kind], strict=True):
            odds = ability * slope - difficulty
            log += found.weight[kind] * (share * odds - np.logaddexp(0, odds))
        mass = np.exp(log - log.max())
        mass /= mass.sum()
        mean = float((mass * slope).sum()), float((mass * difficulty).sum())
        variance = float((mass * (slope - mean[0]) ** 2).sum())
        mixed = float((mass * (slope - mean[0]) * (difficulty - mean[1])).sum())
        assert (found.discrimination[kind], found.difficulty[kind]) == pytest.approx(mean, abs=0.03)
        assert found.covariance[kind, 0, 0] == pytest.approx(variance, rel=0.03)
        assert found.covariance[kind, 0, 1] == pytest.approx(mixed, abs=0.01)


def test_information_by_hand() -> None:
    """Two models of abilities 0 and 1 on an item with discrimination 2 and difficulty 1: p = .2689 and .7311."""
    results = ItemResults.of(np.array([[0.0], [1.0]]), np.array([1.0]))
    found = ItemResponse(
        results,
        np.array([2.0]),
        np.array([1.0]),
        np.eye(2)[None],
        np.zeros(2),
        np.eye(2),
        np.array([0.0, 1.0]),
        0.0,
        np.zeros((2, 1)),
        np.eye(2),
    )
    p = float(expit(1))
    assert found.chance[:, 0] == pytest.approx([1 - p, p])
    assert found.information == pytest.approx([4 * p * (1 - p)])
    # P(N(2, 1) < 0).
    assert found.negative == pytest.approx([0.02275], abs=1e-5)


@pytest.mark.parametrize(("models", "least"), [(10, (0.78, 0.35)), (30, (0.9, 0.6))])
def test_planted_items_are_recovered(models: int, least: tuple[float, float]) -> None:
    truth = plant(2, models, 400)
    found = fitted(truth)
    kind = found.results.kind
    assert correlation(found.difficulty[kind], truth.difficulty) > least[0]
    assert correlation(found.discrimination[kind], truth.discrimination) > least[1]
    assert correlation(found.ability, truth.ability[found.results.order]) > 0.97
    assert found.ability.mean() == pytest.approx(0, abs=1e-6)
    assert found.ability.std() == pytest.approx(1, abs=1e-6)


def test_flipped_labels_come_first() -> None:
    truth = plant(4, 30, 500, comparisons=9, alike=0.4)
    found = fitted(truth)
    assert found.alike == pytest.approx(0.4, abs=0.06)
    negative = found.negative[found.results.kind]
    first = np.argsort(-negative)[: int(truth.flipped.sum())]
    assert truth.flipped[first].mean() > 0.6
    # Without flipped labels there are hardly any.
    sound = plant(5, 30, 500, comparisons=9, alike=0.4, flipped=0.0)
    assert (fitted(sound).negative > 0.95).mean() < 0.01


def test_few_models_do_not_fit_noise() -> None:
    """Ten chance models differ in nothing: no item discriminates, and no ability stands out by its items."""
    random = np.random.default_rng(7)
    share = (random.random((10, 500)) < 0.6).astype(float)
    found = fit_items(ItemResults.of(share, np.ones(500)))
    assert np.abs(found.discrimination).max() < 1.0
    assert (found.negative > 0.95).mean() < 0.02


def test_opposite_tastes_do_not_define_ability() -> None:
    """Two mirrored models of extreme taste among eighteen others: items still measure what the others differ in."""
    truth = plant(8, 18, 300)
    taste = (np.random.default_rng(1).random(300) < 0.5).astype(float)
    share = np.concatenate([truth.share, [taste, 1 - taste]])
    found = fit_items(ItemResults.of(share, np.ones(300)))
    ability = np.empty(20)
    ability[found.results.order] = found.ability
    assert abs(correlation(ability[:18], truth.ability)) > 0.9


@settings(max_examples=10)
@given(st.integers(0, 1_000))
def test_order_of_models_and_items_changes_nothing(seed: int) -> None:
    truth = plant(seed, 6, 60, comparisons=2)
    random = np.random.default_rng(seed)
    rows, columns = random.permutation(6), random.permutation(60)
    one = fitted(truth)
    other = fit_items(ItemResults.of(truth.share[rows][:, columns], truth.count[columns]))
    assert np.array_equal(one.discrimination[one.results.kind][columns], other.discrimination[other.results.kind])
    assert np.array_equal(one.difficulty[one.results.kind][columns], other.difficulty[other.results.kind])
    ability, moved = np.empty(6), np.empty(6)
    ability[one.results.order], moved[other.results.order] = one.ability, other.ability
    assert np.array_equal(ability[rows], moved)


def test_items_of_one_kind_are_counted_together() -> None:
    truth = plant(9, 6, 50)
    doubled = ItemResults.of(np.tile(truth.share, 2), np.tile(truth.count, 2))
    single = ItemResults.of(truth.share, truth.count)
    assert len(doubled.times) == len(single.times)
    assert (doubled.times == 2 * single.times).all()
    left = single.without(np.array([0, 3]))
    assert len(left.share) == 4
    assert set(left.order) == set(np.delete(single.order, [0, 3]))
    assert left.share[:, left.kind].sum() == np.delete(single.share, [0, 3], axis=0)[:, single.kind].sum()


def test_standard_errors_of_abilities_cover() -> None:
    """Four items share a problem and are right or wrong together, for 95% intervals from the problems."""
    hits: list[bool] = []
    for seed in range(12):
        truth = plant(100 + seed, 12, 75)
        share, count = np.repeat(truth.share, 4, axis=1), np.ones(300)
        found = fit_items(ItemResults.of(share, count))
        error = ability_errors(found, np.repeat(np.arange(75), 4))
        single = ability_errors(found, np.arange(300))
        # Copies of an item determine nothing more, and double the standard error of a sum.
        assert np.median(error / single) == pytest.approx(2, abs=0.1)
        real = truth.ability[found.results.order]
        real = (real - real.mean()) / real.std()
        hits += (np.abs(found.ability - real) < 1.96 * error).tolist()
    assert np.mean(hits) > 0.85


def test_models_with_something_in_common_have_correlated_residuals() -> None:
    truth = plant(11, 12, 400)
    share = truth.share.copy()
    same = np.random.default_rng(0).random(400) < 0.5
    share[1, same] = share[0, same]
    found = fit_items(ItemResults.of(share, truth.count))
    residual = residual_correlations(found)
    assert np.diag(residual) == pytest.approx(np.ones(12))
    pairs = np.triu_indices(12, 1)
    values = residual[pairs]
    top = np.argsort(-values)
    pair = {int(found.results.order[side[top[0]]]) for side in pairs}
    assert pair == {0, 1}
    assert values[top[0]] - values.mean() > 0.3
    assert values[top[1]] - values.mean() < 0.25


def test_abilities_of_other_models() -> None:
    truth = plant(12, 30, 400)
    response = fit_items(ItemResults.of(truth.share[:25], truth.count))
    kinds = response.results.kind
    found = abilities_of(response, truth.share[25:], kinds)
    assert correlation(found, truth.ability[25:]) > 0.97
    # The mode: the derivative of the log posterior is 0.
    chance = response.predicted(found)[:, kinds]
    slope = response.weight[kinds] * response.discrimination[kinds]
    assert (truth.share[25:] - chance) @ slope - found == pytest.approx(np.zeros(5), abs=1e-4)
