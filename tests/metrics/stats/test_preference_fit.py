"""Linear models of preferences: closed forms, and what held-out scores can and cannot know."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.sparse import csr_matrix
from scipy.special import expit

from rmeval.metrics.stats.preference_fit import FOLDS, folds_of, held_out_scores, preference_weights
from rmeval.types import FloatArray, IntArray


@pytest.mark.parametrize(("pairs", "penalty"), [(1, 1.0), (8, 1.0), (8, 0.1)])
def test_one_feature_in_closed_form(pairs: int, penalty: float) -> None:
    # The gradient is zero where penalty w = pairs / (1 + exp(w)).
    wanted = brentq(lambda w: penalty * w - pairs * expit(-w), 0, 50)
    for differences in (np.ones((pairs, 1)), csr_matrix(np.ones((pairs, 1)))):
        assert preference_weights(differences, penalty) == pytest.approx([wanted], abs=1e-4)


def test_opposite_pairs_give_no_weight() -> None:
    assert preference_weights(np.array([[1.0, 2.0], [-1.0, -2.0]])) == pytest.approx([0, 0], abs=1e-6)


def test_each_problem_is_in_one_fold() -> None:
    clusters = [f"problem {number // 3}" for number in range(90)]
    folds = folds_of(clusters)
    assert {len({int(folds[3 * number + k]) for k in range(3)}) for number in range(30)} == {1}
    assert np.bincount(folds).tolist() == [9] * FOLDS
    assert folds.tolist() == folds_of(clusters).tolist()


def scored(features: FloatArray, folds: IntArray) -> float:
    """Accuracy of held-out scores where responses 2k and 2k + 1 are a pair, the better one first."""
    pairs = np.arange(len(features)).reshape(-1, 2)
    scores = held_out_scores(features, pairs, np.repeat(folds, 2))
    better, worse = scores[pairs].T
    return float(((better > worse) + 0.5 * (better == worse)).mean())


def test_a_planted_feature_is_found_and_noise_is_not() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=(400, 30))
    folds = np.arange(200) % FOLDS
    assert abs(scored(noise, folds) - 0.5) < 0.1
    noise[::2, 3] += 5
    assert scored(noise, folds) > 0.95


def test_a_feature_of_one_problem_helps_no_other() -> None:
    """Each better response has a word of its own: known in training, unknown in the fold that is held out."""
    own = np.zeros((40, 20))
    own[np.arange(0, 40, 2), np.arange(20)] = 1
    folds = np.arange(20) % FOLDS
    assert scored(own, folds) == 0.5
    # Two problems share each word: in one fold it is unknown again, in two it is known.
    shared = np.repeat(own[:, :10] + own[:, 10:], 1, axis=0)
    assert scored(shared, np.arange(20) % 10) == 0.5
    assert scored(shared, np.arange(20) // 2) == 1.0
