"""Best-of-N against the mean over all subsets, enumerated, and its invariances."""

from __future__ import annotations

from itertools import combinations
from math import comb, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.metrics.scoring.best_of_k import top_chances
from rmeval.metrics.scoring.best_of_n import picks_of, powers_of_two, ragged_curves

Prompts = list[list[tuple[float, float]]]
SCORE = st.sampled_from([-2.0, 0.0, 0.5, 3.0, nan])
QUALITY = st.floats(-5, 5)
PROMPTS = st.lists(st.lists(st.tuples(SCORE, QUALITY), min_size=1, max_size=8), min_size=1, max_size=4)


def columns(prompts: Prompts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.array([own for prompt in prompts for own in prompt])
    return rows[:, 0], rows[:, 1], np.cumsum([0, *map(len, prompts)])


def mean_over_subsets(prompt: list[tuple[float, float]], number: int) -> float:
    """The quality of the pick, ties shared; a missing score is below all others, and no score is the worst quality."""
    if all(isnan(score) for score, _ in prompt):
        return min(quality for _, quality in prompt)
    found = []
    for subset in combinations(prompt, number):
        scores = [-np.inf if isnan(score) else score for score, _ in subset]
        top = max(scores)
        found.append(np.mean([quality for score, (_, quality) in zip(scores, subset, strict=True) if score == top]))
    return float(np.mean(found))


@given(PROMPTS)
def test_the_curve_is_the_mean_over_all_subsets(prompts: Prompts) -> None:
    numbers = [1, 2, 3, 5, 8]
    found = ragged_curves(*columns(prompts), numbers)
    for row, prompt in zip(found.tolist(), prompts, strict=True):
        expected = [mean_over_subsets(prompt, n) if n <= len(prompt) else nan for n in numbers]
        assert row == pytest.approx(expected, nan_ok=True, abs=1e-9)


@given(PROMPTS, st.randoms(use_true_random=False))
def test_neither_order_nor_monotone_transforms_matter(prompts: Prompts, random: np.random.Generator) -> None:
    scores, quality, offsets = columns(prompts)
    numbers = [1, 2, 4]
    first = ragged_curves(scores, quality, offsets, numbers)
    moved = ragged_curves(np.exp(scores) - 7, quality, offsets, numbers)
    shuffled = [random.sample(prompt, len(prompt)) for prompt in prompts]  # type: ignore[attr-defined]
    np.testing.assert_array_equal(first, moved)
    np.testing.assert_allclose(first, ragged_curves(*columns(shuffled), numbers), atol=1e-12)


@given(PROMPTS)
def test_equal_scores_pick_at_random_and_no_pick_is_above_the_oracle(prompts: Prompts) -> None:
    scores, quality, offsets = columns(prompts)
    numbers = [1, 2, 4, 8]
    even = ragged_curves(np.zeros(len(scores)), quality, offsets, numbers)
    means = np.array([np.mean([own for _, own in prompt]) for prompt in prompts])
    assert np.nanmax(np.abs(even - means[:, None])) < 1e-9
    oracle = ragged_curves(quality, quality, offsets, numbers)
    own = ragged_curves(scores, quality, offsets, numbers)
    assert (np.isnan(own) == np.isnan(oracle)).all()
    assert (own <= oracle + 1e-9)[~np.isnan(own)].all()
    rising = np.diff(oracle, axis=1)
    assert (rising[~np.isnan(rising)] >= -1e-9).all()


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_chances_are_those_of_binomial_coefficients(size: int) -> None:
    found = top_chances(size, range(1, size + 1))
    expected = [[comb(r, k - 1) / comb(size, k) for r in range(size)] for k in range(1, size + 1)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_chances_of_thousands_of_responses_add_up() -> None:
    np.testing.assert_allclose(top_chances(5_000, [1, 2, 1_024, 5_000]).sum(axis=1), 1, rtol=1e-9)


def test_a_closed_form() -> None:
    """With k right ones among N and scores that are right, best of n fails with probability C(N - k, n) / C(N, n)."""
    right, size = 3, 16
    quality = np.array([1.0] * right + [0.0] * (size - right))
    found = ragged_curves(quality, quality, np.array([0, size]), [1, 2, 4, 8, 16])[0]
    assert found.tolist() == pytest.approx([1 - comb(size - right, n) / comb(size, n) for n in (1, 2, 4, 8, 16)])


def test_picks() -> None:
    prompts: Prompts = [[(1, 0), (2, 1), (2, 0)], [(nan, 1), (0, 0)], [(nan, 1), (nan, 0)], [(1, 1), (1, 1)]]
    found = picks_of(*columns(prompts))
    assert found.place.tolist() == [1, 4, -1, 7]
    assert found.equal.tolist() == [2, 1, 0, 2]
    assert found.best.tolist() == [0.5, 0, 0, 1]
    assert found.tied.tolist() == [True, False, False, False]
    assert found.missing.tolist() == [0, 1, 2, 0]


def test_powers_of_two_end_at_the_largest_number() -> None:
    assert [powers_of_two(most) for most in (1, 2, 3, 16, 20)] == [
        [1],
        [1, 2],
        [1, 2, 3],
        [1, 2, 4, 8, 16],
        [1, 2, 4, 8, 16, 20],
    ]
    assert powers_of_two(6, 2) == [2, 4, 6]
