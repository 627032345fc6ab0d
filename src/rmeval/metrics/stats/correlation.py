"""Correlations of two columns of numbers, for many pairs of columns at once."""

from __future__ import annotations

import numpy as np

from rmeval.types import FloatArray

__all__ = ["kendall", "pearson", "ranks", "spearman"]


def pearson(one: FloatArray, other: FloatArray) -> FloatArray:
    """Pearson's correlation along the last axis (Pearson 1895, Proc. R. Soc. 58:240), as `scipy.stats.pearsonr`.

    Args:
        one: float64[..., n]; a place where either is NaN is left out.
        other: float64[..., n].

    Returns:
        float64[...]: NaN where fewer than two places are left, or either column is constant.
    """
    known = ~(np.isnan(one) | np.isnan(other))
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    centred = []
    for values in (one, other):
        held = np.where(known, values, 0.0)
        mean = held.sum(axis=-1, keepdims=True) / count
        # The rounding of a mean must not make a constant column vary.
        apart = np.where(known, values - mean, 0.0)
        size = np.abs(held).max(axis=-1, keepdims=True, initial=0.0)
        centred.append(np.where(np.abs(apart).max(axis=-1, keepdims=True, initial=0.0) > 1e-13 * size, apart, 0.0))
    product = (centred[0] * centred[1]).sum(axis=-1)
    squares = (centred[0] ** 2).sum(axis=-1) * (centred[1] ** 2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = np.clip(product / np.sqrt(squares), -1.0, 1.0)
    return found


def ranks(values: FloatArray) -> FloatArray:
    """float64[..., n]: ranks along the last axis from 1 on, equal values share their mean; n² memory for each row."""
    below = values[..., None, :] < values[..., :, None]
    equal = values[..., None, :] == values[..., :, None]
    found: FloatArray = below.sum(axis=-1) + (equal.sum(axis=-1) + 1) / 2
    return found


def spearman(one: FloatArray, other: FloatArray) -> FloatArray:
    """Spearman's correlation along the last axis: Pearson's of the ranks, as `scipy.stats.spearmanr`; without NaN."""
    return pearson(ranks(one), ranks(other))


def kendall(one: FloatArray, other: FloatArray) -> FloatArray:
    """Kendall's tau-b along the last axis (Kendall 1945, Biometrika 33:239), as `scipy.stats.kendalltau`.

    The number of concordant pairs minus the number of discordant pairs, divided by the geometric mean of the numbers of
    untied pairs of each column. NaN where all pairs of a column are tied; takes n² memory for each row.
    """
    first, second = (np.sign(values[..., :, None] - values[..., None, :]) for values in (one, other))
    apart = np.abs(first).sum(axis=(-2, -1)) * np.abs(second).sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = (first * second).sum(axis=(-2, -1)) / np.sqrt(apart)
    return found
