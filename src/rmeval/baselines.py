"""Null baselines: scores computed from style counts of a response."""

from __future__ import annotations

from typing import Literal

__all__ = ["BASELINES", "NULL_SCORES"]

NULL_SCORES: dict[str, tuple[float, Literal["characters", "markdown"]]] = {
    "random": (0.0, "characters"),
    "longest": (1.0, "characters"),
    "shortest": (-1.0, "characters"),
    "markdown": (1.0, "markdown"),
}
"""Scores of the null baselines, which reports show beside every number: a factor, and the count that it multiplies.

If ties are shared, equal scores for all responses have the same expected value as random scores, so `random` draws no
numbers. For numbers that are not means of comparisons, the benchmark defines the value of random scores.
"""

BASELINES = tuple(NULL_SCORES)
"""The names that `baseline:NAME` accepts."""
