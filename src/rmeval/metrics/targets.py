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

    The test is of the difference of two numbers. If the best value lies between them, a significant difference does not
    imply that one is nearer to it. In that case, the first is better only if its interval is nearer than all of the
    second's.
    """
    if merit(metric, first.value) <= merit(metric, second.value):
        return False
    target = best(metric)
    if math.isinf(target) or (first.value - target) * (second.value - target) > 0:
        return True
    if first.ci is None or second.ci is None or second.ci[0] <= target <= second.ci[1]:
        return False
    return max(abs(end - target) for end in first.ci) < min(abs(end - target) for end in second.ci)
