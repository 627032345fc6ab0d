"""Active sampling: draws items for an expensive model with probabilities that depend on a cheap model's margins."""

from __future__ import annotations

import numpy as np

from rmeval.types import FloatArray, IntArray

__all__ = ["as_random", "draw", "inclusion", "uncertainty"]

UNIFORM = 0.5
"""Share of the sample that is drawn with equal probabilities."""


def uncertainty(margin: FloatArray) -> FloatArray:
    """Return how uncertain a model is of each comparison, between 0 and 1, by the rank of the margin's size.

    With probability q that the two models disagree, the best sampling probability is proportional to sqrt(q (1 - q))
    (Zrnic and Candes 2024, arXiv 2403.03208, section 3). Margins have no scale that is common to all models, so q is
    taken to fall with the rank of the margin: the result is the square root of the share of comparisons with a margin
    at least as large, in which equal margins share their ranks.

    Args:
        margin: float64[m]; NaN is a missing score, which is most uncertain.
    """
    size = np.where(np.isnan(margin), 0.0, np.abs(margin))
    _, place, times = np.unique(size, return_inverse=True, return_counts=True)
    above = times[::-1].cumsum()[::-1] - times / 2
    found: FloatArray = np.sqrt(above[place] / max(len(size), 1))
    return found


def inclusion(need: FloatArray, count: int) -> FloatArray:
    """Return the probability with which to draw each item: half of it equal, half proportional to its need.

    The mixture (Zrnic and Candes 2024, section 4) keeps every probability above half of that of a random sample, so
    that useless needs cannot do much harm. Items whose probability would exceed 1 are certain, and the others share
    the rest.

    Args:
        need: float64[n], not negative.
        count: Number of items to draw, at most n.
    """
    total = float(need.sum())
    relative = need / total if total > 0 else np.full(len(need), 1 / len(need))
    shares = UNIFORM / len(need) + (1 - UNIFORM) * relative
    found = np.zeros(len(need))
    certain = np.zeros(len(need), bool)
    while True:
        rest = ~certain
        found[certain] = 1.0
        if rest.any():
            found[rest] = (count - certain.sum()) * shares[rest] / shares[rest].sum()
        if not (found[rest] > 1).any():
            return found
        certain |= found > 1


def as_random(size: FloatArray, probability: FloatArray) -> float:
    """Return the number of items of a simple random sample that has the same variance, if credits vary equally.

    The variance of a sum of independent credits is the sum of (1/probability - 1) size² (Saerndal, Swensson and Wretman
    1992, "Model Assisted Survey Sampling", section 3.5), with n/N as the probability in a simple random sample.

    Args:
        size: float64[n], the weight of each item in the number.
        probability: float64[n], the probability with which each is drawn.
    """
    squares = np.square(size)
    return float(len(size) / (1 + ((1 / probability - 1) @ squares) / squares.sum()))


def draw(probability: FloatArray, order: IntArray, random: np.random.Generator) -> IntArray:
    """Draw items with these probabilities: systematically, from a random start (Madow 1949, AMS 20:333).

    Args:
        probability: float64[n], whose sum is the whole number of items to draw.
        order: int64[n], a random order of the items.
        random: The source of the start.

    Returns:
        The positions of the drawn items, in ascending order.
    """
    ends = np.cumsum(probability[order])
    count = round(float(ends[-1]))
    ends *= count / ends[-1]
    places = np.searchsorted(ends, np.arange(count) + random.random(), side="right")
    found: IntArray = np.sort(order[np.minimum(places, len(order) - 1)])
    return found
