"""Correlations of two columns of numbers, vectorized over many pairs of columns."""

from __future__ import annotations

import numpy as np

from rmeval.types import FloatArray

__all__ = ["kendall", "pearson", "ranks", "spearman"]


def pearson(one: FloatArray, other: FloatArray) -> FloatArray:
    """Compute Pearson's correlation along the last axis (Proc. R. Soc. 1895, 58:240), as `scipy.stats.pearsonr`.

    Args:
        one: float64[..., n]; positions where either column is NaN are excluded.
        other: float64[..., n].

    Returns:
        float64[...]: NaN if fewer than two positions are left, or if either column is constant.
    """
    known = ~(np.isnan(one) | np.isnan(other))
    count = np.maximum(known.sum(axis=-1, keepdims=True), 1)
    centred = []
    for values in (one, other):
        held = np.where(known, values, 0.0)
        mean = held.sum(axis=-1, keepdims=True) / count
        # Rounding of the mean must not make a constant column vary.
        apart = np.where(known, values - mean, 0.0)
        size = np.abs(held).max(axis=-1, keepdims=True, initial=0.0)
        centred.append(np.where(np.abs(apart).max(axis=-1, keepdims=True, initial=0.0) > 1e-13 * size, apart, 0.0))
    product = (centred[0] * centred[1]).sum(axis=-1)
    squares = (centred[0] ** 2).sum(axis=-1) * (centred[1] ** 2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = np.clip(product / np.sqrt(squares), -1.0, 1.0)
    return found


def ranks(values: FloatArray) -> FloatArray:
    """Compute ranks along the last axis, from 1; equal values get their mean rank. Takes n² memory for each row."""
    below = values[..., None, :] < values[..., :, None]
    equal = values[..., None, :] == values[..., :, None]
    found: FloatArray = below.sum(axis=-1) + (equal.sum(axis=-1) + 1) / 2
    return found


def spearman(one: FloatArray, other: FloatArray) -> FloatArray:
    """Compute Spearman's correlation along the last axis, as `scipy.stats.spearmanr`; values must not be NaN."""
    return pearson(ranks(one), ranks(other))


def kendall(one: FloatArray, other: FloatArray) -> FloatArray:
    """Compute Kendall's tau-b along the last axis (Kendall 1945, Biometrika 33:239), as `scipy.stats.kendalltau`.

    Tau-b is the number of concordant pairs minus the number of discordant pairs, divided by the geometric mean of the
    numbers of untied pairs of each column. NaN if all pairs of a column are tied; takes n² memory for each row.
    """
    first, second = (np.sign(values[..., :, None] - values[..., None, :]) for values in (one, other))
    apart = np.abs(first).sum(axis=(-2, -1)) * np.abs(second).sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: FloatArray = (first * second).sum(axis=(-2, -1)) / np.sqrt(apart)
    return found
