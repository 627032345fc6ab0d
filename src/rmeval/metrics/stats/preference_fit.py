"""Linear models of preferences, whose scores are cross-validated over problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit

from rmeval.types import FloatArray, IntArray

__all__ = ["FOLDS", "folds_of", "held_out_scores", "preference_weights"]

FOLDS = 10
_PENALTY = 1.0
Features = csr_matrix | FloatArray


def preference_weights(differences: Features, penalty: float = _PENALTY) -> FloatArray:
    """Fit the weights of a linear score by which the better response of each pair has the higher one.

    They minimize sum log(1 + exp(-d w)) + penalty / 2 |w|^2 over the differences d, better less worse: the model of
    Bradley and Terry (1952, Biometrika 39:324) with an L2 penalty, and without an intercept, since pairs have no order.

    Args:
        differences: float64[pairs, features].
        penalty: Factor of the penalty.
    """

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        margin = np.asarray(differences @ weights)
        gradient = penalty * weights - np.asarray(differences.T @ expit(-margin))
        return float(np.logaddexp(0, -margin).sum() + penalty / 2 * weights @ weights), gradient

    found: FloatArray = minimize(loss, np.zeros(differences.shape[1]), jac=True, method="L-BFGS-B").x
    return found


def folds_of(clusters: Sequence[str]) -> IntArray:
    """Return the fold of each problem's items: a problem is in one fold, and folds have equally many problems."""
    order = sorted(set(clusters), key=lambda name: blake2b(name.encode("utf-8", "surrogatepass")).digest())
    fold = {name: place % FOLDS for place, name in enumerate(order)}
    return np.array([fold[name] for name in clusters], np.int64)


def held_out_scores(
    features: Features,
    pairs: IntArray,
    folds: IntArray,
    scale: Callable[[Features], FloatArray] | None = None,
) -> FloatArray:
    """Score each response by a model that was fitted without its problem.

    Args:
        features: float64[responses, features].
        pairs: int64[pairs, 2], the responses of each pair, the better one first.
        folds: int64[responses].
        scale: Returns the scale of each feature, given the differences that a model is fitted on; by default 1.

    Returns:
        float64[responses].
    """
    scores = np.zeros(features.shape[0])
    for own in _present(folds):
        train = pairs[folds[pairs[:, 0]] != own]
        differences = features[train[:, 0]] - features[train[:, 1]]
        scales = np.ones(features.shape[1]) if scale is None else scale(differences)
        weights = preference_weights(differences if scale is None else differences / scales) / scales
        scores[folds == own] = np.asarray(features[folds == own] @ weights)
    return scores


def _present(folds: IntArray) -> Iterator[int]:
    yield from np.unique(folds).tolist()
