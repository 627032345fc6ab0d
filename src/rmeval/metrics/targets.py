"""The best value of each metric, which orders models and decides which of two numbers is the better one."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rmeval.metrics.composition import GAP
from rmeval.types import Record

__all__ = ["best", "best_note", "is_better", "merit"]

_BEST: Mapping[str, float] = {
    GAP: 0.0,
    "style_length": 0.0,
    "style_markdown": 0.0,
    "prefers_fancier": 0.5,
    "over_refusing": -math.inf,
    "under_refusing": -math.inf,
    "loss": -math.inf,
    "brier": -math.inf,
}


def best(metric: str) -> float:
    """Return the best value of a metric: infinity if larger is better, which holds for metrics not listed here."""
    return _BEST.get(metric, math.inf)


def merit(metric: str, value: float) -> float:
    """Return how good a value is: of two values of a metric, the better one has the larger merit."""
    target = best(metric)
    return math.copysign(1.0, target) * value if math.isinf(target) else -abs(value - target)


def best_note(metric: str) -> str:
    """Return what is best, in a phrase; empty if larger is better."""
    target = best(metric)
    if math.isinf(target):
        return "" if target > 0 else "lower is better"
    return f"{100 * target:g} is best"


def is_better(metric: str, first: Record, second: Record) -> bool:
    """Return whether the first of two numbers that differ significantly is the better one.

    If the best value is finite, such as 0 of a gap, a significant difference does not imply that one of them is nearer
    to it: gaps of -1 and +1 differ, and are equally far. The first is nearer if, on the second's side of the best
    value, the difference of the two and their sum of distances from it are both positive (b - a and b + a of gaps a < b
    have the sign of b² - a²). The sum is positive if that of the lower ends of both intervals is, since the standard
    error of a sum is at most the sum of the standard errors, whatever the correlation.
    """
    if merit(metric, first.value) <= merit(metric, second.value):
        return False
    target = best(metric)
    if math.isinf(target):
        return True
    if first.ci is None or second.ci is None:
        return False
    if second.value > target:
        return first.ci[0] + second.ci[0] > 2 * target
    return first.ci[1] + second.ci[1] < 2 * target
