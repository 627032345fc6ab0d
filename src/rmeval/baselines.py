"""The null baselines: scores that follow from what can be counted in a response, without reading it."""

from __future__ import annotations

from typing import Literal

__all__ = ["BASELINES", "NULL_SCORES"]

NULL_SCORES: dict[str, tuple[float, Literal["characters", "markdown"]]] = {
    "random": (0.0, "characters"),
    "longest": (1.0, "characters"),
    "shortest": (-1.0, "characters"),
    "markdown": (1.0, "markdown"),
}
"""Scores of the null baselines that stand beside every number: a factor, and the count that it multiplies. With ties
shared, equal scores for all answers get exactly what random ones get on average, so that `random` needs no dice; where
a number is no mean of comparisons its benchmark says what random ones get."""

BASELINES = tuple(NULL_SCORES)
"""What `baseline:NAME` takes."""
