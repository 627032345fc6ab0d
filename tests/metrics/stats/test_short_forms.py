"""Short forms: weights by hand, held-out models, and comparison with random samples."""

from __future__ import annotations

import numpy as np
import pytest

from rmeval.metrics.stats.abilities import abilities_of
from rmeval.metrics.stats.item_response import ItemResults, fit_items
from rmeval.metrics.stats.short_forms import (
    WAYS,
    HeldOut,
    Short,
    choose_items,
    chosen_errors,
    held_out,
    random_errors,
    values_of,
)
from tests.metrics.stats.planted import plant


def test_clusters_of_equal_items_have_their_weights() -> None:
    """Three kinds of items, with 6, 3 and 1 items: three items represent them with weights .6, .3 and .1."""
    patterns = np.array([[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0]], float)
    share = np.repeat(patterns, [6, 3, 1], axis=0).T
    response = fit_items(ItemResults.of(share, np.ones(10)))
    mass, rank = np.full(10, 0.1), np.arange(10)
    for way in WAYS:
        short = choose_items(response, mass, 3, way, rank)
        assert short.items.tolist() == [0, 6, 9]
        assert short.weight == pytest.approx([0.6, 0.3, 0.1])
        # A fourth item goes to the largest kind, where two items have half of the weight each; then 3 x .2.
        assert choose_items(response, mass, 4, way, rank).weight == pytest.approx([0.3, 0.3, 0.3, 0.1])
        # The weighted mean of results that depend on the kind alone is exact.
        assert values_of(response, mass, short, share[:, short.items]).weighted == pytest.approx(share.mean(axis=1))
    # Another order among items of a kind takes other items of it.
    assert choose_items(response, mass, 3, "results", rank[::-1]).items.tolist() == [5, 8, 9]


def test_items_count_as_much_as_their_weight_in_the_number() -> None:
    share = np.repeat(np.array([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], float), [2, 2], axis=0).T
    response = fit_items(ItemResults.of(share, np.ones(4)))
    short = choose_items(response, np.array([0.4, 0.4, 0.1, 0.1]), 2, "results", np.arange(4))
    assert short.items.tolist() == [0, 2]
    assert short.weight == pytest.approx([0.8, 0.2])


def test_predictions_by_hand() -> None:
    """One of two items is in the short form: its result counts half, the fitted probability of the other one half."""
    truth = plant(1, 8, 2)
    response = fit_items(ItemResults.of(truth.share, truth.count))
    short = Short(np.array([0]), np.array([1.0]))
    found = values_of(response, np.array([0.5, 0.5]), short, np.array([[1.0]]))
    kind = response.results.kind
    ability = abilities_of(response, np.array([[1.0]]), kind[:1])
    assert found.weighted.tolist() == [1.0]
    assert found.predicted[0] == pytest.approx(0.5 + 0.5 * response.predicted(ability)[0, kind[1]])
    assert found.blend(0.25) == pytest.approx(0.75 * found.weighted + 0.25 * found.predicted)


def test_the_way_is_chosen_by_the_other_models() -> None:
    """For each of three models, the way with the smaller sum of squares of the other two."""
    one = HeldOut("item response", np.array([0.0, 3.0, 1.0]), 0.0)
    other = HeldOut("results", np.array([2.0, 1.0, 2.0]), 0.0)
    # Sums of the other two: 10, 1, 9 and 5, 8, 5.
    assert chosen_errors([one, other]).tolist() == [2.0, 3.0, 2.0]
    assert one.error == pytest.approx((10 / 3) ** 0.5)


def test_a_short_form_is_better_than_a_random_sample_where_the_model_fits() -> None:
    truth = plant(3, 30, 400, comparisons=9, alike=0.3)
    results, mass = ItemResults.of(truth.share, truth.count), np.full(400, 1 / 400)
    found = min(held_out(results, mass, np.arange(400), 30), key=lambda one: one.error)
    draws = random_errors(results, mass, 30)
    assert found.error < 0.8 * np.sqrt(np.mean(draws**2))
    assert np.mean(draws < found.error) < 0.2
    assert found.share > 0.5


def test_a_short_form_of_noise_is_as_good_as_a_random_sample() -> None:
    """Results of chance: held-out models must not profit from having been among the models, nor suffer from it."""
    random = np.random.default_rng(5)
    share = (random.random((12, 200)) < 0.5).astype(float)
    results, mass = ItemResults.of(share, np.ones(200)), np.full(200, 1 / 200)
    draws = random_errors(results, mass, 40)
    for found in held_out(results, mass, np.arange(200), 40):
        assert found.error < 2 * np.sqrt(np.mean(draws**2))
        assert abs(found.errors.mean()) < 3 * found.errors.std() / 12**0.5


def test_errors_of_random_samples_have_the_variance_of_sampling_without_replacement() -> None:
    """Cochran 1977, "Sampling Techniques", theorem 2.2: (1 - n/N) S^2 / n, on average over the models."""
    truth = plant(6, 8, 100)
    results = ItemResults.of(truth.share, truth.count)
    draws = random_errors(results, np.full(100, 0.01), 20)
    expected = np.mean(0.8 * truth.share.var(axis=1, ddof=1) / 20)
    assert np.mean(draws**2) == pytest.approx(expected, rel=0.1)


def test_order_of_models_and_items_changes_nothing() -> None:
    truth = plant(8, 9, 80, comparisons=2)
    random = np.random.default_rng(0)
    rows, columns = random.permutation(9), random.permutation(80)
    mass, rank = np.full(80, 1 / 80), np.arange(80)
    one = ItemResults.of(truth.share, truth.count)
    other = ItemResults.of(truth.share[rows][:, columns], truth.count[columns])
    assert random_errors(one, mass, 10) == pytest.approx(random_errors(other, mass, 10), abs=1e-12)
    for left, right in zip(held_out(one, mass, rank, 10), held_out(other, mass, rank[columns], 10), strict=True):
        assert left.error == pytest.approx(right.error, abs=1e-12)
        short = choose_items(fit_items(one), mass, 10, left.way, rank)
        moved = choose_items(fit_items(other), mass, 10, left.way, rank[columns])
        assert set(short.items) == set(columns[moved.items])
