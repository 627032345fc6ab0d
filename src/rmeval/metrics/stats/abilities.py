"""Abilities of models by item response: of other models, their errors, and what models have in common beyond them."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from rmeval.data.tables import Codes
from rmeval.metrics.stats.item_response import ItemResponse
from rmeval.types import FloatArray, IntArray

__all__ = ["abilities_of", "ability_errors", "residual_correlations"]


def abilities_of(response: ItemResponse, share: FloatArray, kinds: IntArray) -> FloatArray:
    """Estimate the abilities of other models from their results on some items: the mode with a standard normal prior.

    Args:
        response: The fitted items.
        share: float64[models, n], the share of right decisions on each item.
        kinds: int64[n], the kind of each item.
    """
    slope, difficulty, weight = response.discrimination[kinds], response.difficulty[kinds], response.weight[kinds]
    ability: FloatArray = np.zeros(len(share))
    for _ in range(50):
        chance = expit(np.outer(ability, slope) - difficulty)
        first = (share - chance) @ (weight * slope) - ability
        second = (chance * (1 - chance)) @ (weight * slope**2) + 1
        step = np.clip(first / second, -1, 1)
        ability = ability + step
        if float(np.abs(step).max(initial=0)) < 1e-6:
            break
    return ability


def ability_errors(response: ItemResponse, cluster: Codes | IntArray) -> FloatArray:
    """Return the standard errors of the abilities; float64[models], in the order of the results.

    The covariance is that of the sums of the scores over problems, between inverses of the observed information (White
    1982, Econometrica 50:1; for clusters Liang and Zeger 1986, Biometrika 73:13), so that it also holds where items
    that share a problem are right or wrong together. Abilities have mean 0 and variance 1 over the models, so errors
    that all models share, and errors of their scale, do not count. The factor n / (n - 1) for n models stands for the
    estimated distribution of the items, and is what simulations with five and ten models require.

    Args:
        response: The fitted items.
        cluster: int[items], the problem of each item, numbered from 0.
    """
    models = len(response.ability)
    sums = np.stack([np.bincount(cluster, own) for own in response.scores[:, response.results.kind]])
    inverse = np.linalg.pinv(response.observed)
    fixed = np.column_stack([np.ones(models), response.ability])
    free = np.eye(models) - fixed @ np.linalg.pinv(fixed)
    clusters = len(np.unique(cluster))
    spread = free @ inverse @ sums
    found: FloatArray = np.sqrt((spread**2).sum(axis=1) * clusters / max(clusters - 1, 1) * models / (models - 1))
    return found


def residual_correlations(response: ItemResponse) -> FloatArray:
    """Return the correlations of the models' residuals over the items, float64[models, models].

    If one ability describes the models, residuals do not correlate, apart from a small negative value that all pairs
    have, because the items are estimated from the same results (Yen 1984, Applied Psychological Measurement 8:125, for
    pairs of items; here for pairs of models). A pair that exceeds the mean of all pairs by more than .2 has something
    in common beyond ability (Christensen, Makransky and Horton 2017, Applied Psychological Measurement 41:178).
    """
    chance, times = response.chance, response.results.times
    residual = (response.results.share - chance) / np.sqrt(np.maximum(chance * (1 - chance), 1e-9))
    residual = residual - (residual @ times)[:, None] / times.sum()
    products = (residual * times) @ residual.T
    scale = np.sqrt(np.maximum(np.diag(products), 1e-12))
    found: FloatArray = products / np.outer(scale, scale)
    return found
