"""Majority votes against the mean over all subsets, enumerated."""

from __future__ import annotations

from itertools import combinations
from math import comb, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.metrics.scoring.majority import MOST, majority_curves, voting_weights, weighted_majority_curves

Responses = list[tuple[int, float, float]]
RESPONSES = st.lists(
    st.tuples(st.integers(-1, 3), st.sampled_from([0.0, 0.5, 1.0, 7.0]), st.sampled_from([0.0, 0.25, 0.5, 2.0])),
    min_size=1,
    max_size=8,
)


def mean_over_subsets(responses: Responses, number: int, weighted: bool) -> float:
    """The quality of the answer with most votes (or weight); ties are shared, and no answer is no vote."""
    worth = {answer: np.mean([quality for own, quality, _ in responses if own == answer]) for answer, _, _ in responses}
    found = []
    for subset in combinations(responses, number):
        votes: dict[int, float] = {}
        heavy = weighted and any(weight for answer, _, weight in subset if answer >= 0)
        for answer, _, weight in subset:
            if answer >= 0:
                votes[answer] = votes.get(answer, 0.0) + (weight if heavy else 1.0)
        if votes:
            found.append(np.mean([worth[own] for own, vote in votes.items() if vote == max(votes.values())]))
        else:
            found.append(np.mean([quality for _, quality, _ in subset]))
    return float(np.mean(found))


def columns(responses: Responses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    answers, quality, weights = (np.array(column) for column in zip(*responses, strict=True))
    return answers, quality, weights


@given(RESPONSES)
def test_the_vote_is_the_mean_over_all_subsets(responses: Responses) -> None:
    answers, quality, weights = columns(responses)
    offsets, numbers = np.array([0, len(responses)]), list(range(1, len(responses) + 1))
    found = majority_curves(answers, quality, offsets, numbers)[0]
    assert found.tolist() == pytest.approx([mean_over_subsets(responses, n, False) for n in numbers], abs=1e-9)
    # 8 responses have at most 70 subsets of one size, so that the weighted vote is exact, too.
    found = weighted_majority_curves(weights, answers, quality, offsets, numbers)[0]
    assert found.tolist() == pytest.approx([mean_over_subsets(responses, n, True) for n in numbers], abs=1e-9)


def test_two_answers_in_closed_form() -> None:
    """With 40 right votes and 24 equal wrong ones, the majority of n is hypergeometric."""
    right, wrong = 40, 24
    answers = np.array([0] * right + [1] * wrong)
    quality = (answers == 0).astype(float)
    numbers = [1, 2, 7, 16, 64]
    found = majority_curves(answers, quality, np.array([0, 64]), numbers)[0]
    expected = [
        sum(
            comb(right, k) * comb(wrong, n - k) / comb(64, n) * (1.0 if 2 * k > n else 0.5 if 2 * k == n else 0.0)
            for k in range(n + 1)
        )
        for n in numbers
    ]
    assert found.tolist() == pytest.approx(expected)


def test_prompts_of_different_sizes_and_too_many_responses() -> None:
    answers = np.zeros(3 + MOST + 1, np.int64)
    found = majority_curves(answers, np.ones(len(answers)), np.array([0, 3, 3 + MOST + 1]), [1, 4])
    np.testing.assert_array_equal(found, [[1, nan], [nan, nan]])
    found = weighted_majority_curves(np.ones(5), answers[:5], np.ones(5), np.array([0, 2, 5]), [2, 3])
    np.testing.assert_array_equal(found, [[1, nan], [1, 1]])


def test_drawn_subsets_estimate_the_mean_over_all() -> None:
    """Equal weights are a plain vote; 40 prompts with 200 subsets each have a standard error near .005."""
    random = np.random.default_rng(1)
    answers = random.integers(0, 4, 40 * 16)
    quality, offsets = (answers == 0).astype(float), np.arange(41) * 16
    exact = majority_curves(answers, quality, offsets, [8]).mean()
    drawn = weighted_majority_curves(np.ones(len(answers)), answers, quality, offsets, [8])
    assert drawn.mean() == pytest.approx(exact, abs=0.02)
    again = weighted_majority_curves(np.ones(len(answers)), answers, quality, offsets, [8])
    np.testing.assert_array_equal(drawn, again)


@pytest.mark.parametrize("seed", range(4))
def test_errors_of_drawing_are_independent_where_responses_are_sorted(seed: int) -> None:
    """300 equal prompts have a standard error of .0014; one choice of 200 subsets for all of them has .025."""
    answers = np.tile(np.repeat([0, 1], 16), 300)
    quality, offsets = (answers == 0).astype(float), np.arange(301) * 32
    drawn = weighted_majority_curves(np.ones(len(answers)), answers, quality, offsets, [2], seed)
    assert drawn.mean() == pytest.approx(0.5, abs=0.007)


def test_weights() -> None:
    assert voting_weights(np.array([0.0, 0.25, 1.0, nan])).tolist() == [0, 0.25, 1, 0]
    assert voting_weights(np.array([0.0, -2.0, nan])).tolist() == pytest.approx([0.5, 1 / (1 + np.exp(2)), 0])
