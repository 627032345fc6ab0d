"""Finds how the scores of one side depend on those of the other, if they are not equal."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from rmeval.doctor.ways import largest
from rmeval.metrics.stats.correlation import pearson
from rmeval.types import FloatArray

__all__ = ["rank_correlation", "relation"]

_SHARE = 0.05
"""A relation must explain all but this share of a standard deviation."""
_FEWEST = 4


def relation(a: FloatArray, b: FloatArray, tolerance: float) -> str:
    """The relation of scores that differ by more than a tolerance, such as `b looks like sigmoid(a)`.

    Args:
        a: Finite scores of the first side.
        b: Finite scores of the second side for the same requests.
        tolerance: Largest difference of equal scores.

    Returns:
        A clause; empty if there is no simple relation.
    """
    if len(a) < _FEWEST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return ""
    if _explains(a + (offset := float(np.median(b - a))), b, tolerance):
        return f"b is a {_signed(offset)}, a constant offset"
    slope, offset = (float(one) for one in np.polyfit(a, b, 1))
    if slope and _explains(slope * a + offset, b, tolerance * max(1.0, abs(slope))):
        sign = ", with the order reversed" if slope < 0 else ""
        # An offset below the tolerance may be rounding.
        plus = f" {_signed(offset)}" if abs(offset) > tolerance else ""
        return f"b is {slope:.4g} a{plus}{sign}"
    for one, other, text in ((a, b, "b looks like sigmoid(a)"), (b, a, "a looks like sigmoid(b)")):
        if other.min() >= 0 and other.max() <= 1 and _explains(expit(one), other, tolerance):
            return f"{text}: that side returns probabilities, not raw scores"
    return "b has the order of a, on another scale" if rank_correlation(a, b) == 1 else ""


def _explains(expected: FloatArray, found: FloatArray, tolerance: float) -> bool:
    return largest(expected - found) <= min(tolerance, _SHARE * float(np.std(found)))


def _signed(number: float) -> str:
    return f"{'-' if number < 0 else '+'} {abs(number):.4g}"


def rank_correlation(a: FloatArray, b: FloatArray) -> float:
    """Spearman's rank correlation; NaN if one side is constant."""
    found = float(pearson(_ranks(a), _ranks(b)))
    return 1.0 if found > 1 - 1e-12 else found


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1; equal values get their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    means: FloatArray = np.cumsum(counts) - (counts - 1) / 2
    return means[place]
