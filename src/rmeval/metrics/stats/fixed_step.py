"""L-BFGS with steps of a fixed length, as in `torch.optim.LBFGS` without a line search, for numbers made with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ITERATIONS", "RATE", "TOLERANCE", "Vector", "fixed_step_minimum"]

Vector = npt.NDArray[np.floating[Any]]
RATE, ITERATIONS, TOLERANCE = 0.1, 50, 1e-9
"""Settings of Arena-Hard-Auto (utils/math_utils.py, commit 196f6b8)."""
_HISTORY = 100
_CURVATURE = 1e-10
"""Minimum of y's for a pair of differences to enter the history."""


def fixed_step_minimum(
    gradient: Callable[[Vector], tuple[float, Vector]],
    start: Vector,
    rate: float = RATE,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> Vector:
    """Minimize a function by L-BFGS (Liu and Nocedal 1989, Mathematical Programming 45:503) without a line search.

    Each step is `rate` times the direction, so the result may be far from the minimum after the last iteration. The
    rules of when to stop are those of `torch.optim.LBFGS` with `tolerance` for gradient and change. The precision is
    that of `start`.

    Args:
        gradient: Returns the loss and its gradient.
        start: The first point.
        rate: Length of a step, in units of the direction.
        iterations: Maximum number of steps.
        tolerance: Stop if no component of the gradient, or of the step, or the change of the loss, is larger.
    """
    point = start.copy()
    loss, slope = gradient(point)
    history = _History()
    direction, length = -slope, min(1.0, 1.0 / float(np.abs(slope).sum() or 1.0)) * rate
    for iteration in range(1, iterations + 1):
        if np.abs(slope).max() <= tolerance or float(slope @ direction) > -tolerance:
            break
        step = length * direction
        point = point + step
        if iteration == iterations:
            break
        before, previous = loss, slope
        loss, slope = gradient(point)
        if np.abs(step).max() <= tolerance or abs(loss - before) < tolerance:
            break
        history.add(slope - previous, step)
        direction, length = history.direction(slope), rate
    return point


@dataclass
class _History:
    """The last differences of gradients and points, from which the inverse Hessian is approximated.

    Scalars have the precision of the points.
    """

    changes: list[Vector] = field(default_factory=list)
    steps: list[Vector] = field(default_factory=list)
    inverses: list[Any] = field(default_factory=list)
    scale: Any = 1.0

    def add(self, change: Vector, step: Vector) -> None:
        curvature = change @ step
        if not curvature > _CURVATURE:
            return
        if len(self.steps) == _HISTORY:
            for kept in (self.changes, self.steps, self.inverses):
                kept.pop(0)
        self.changes.append(change)
        self.steps.append(step)
        self.inverses.append(1.0 / curvature)
        self.scale = curvature / (change @ change)

    def direction(self, slope: Vector) -> Vector:
        """Return minus the approximate inverse Hessian times the gradient, by two loops over the history."""
        found: Vector = -slope
        parts = list(zip(self.changes, self.steps, self.inverses, strict=True))
        weights = []
        for change, step, inverse in reversed(parts):
            weights.append((step @ found) * inverse)
            found = found - weights[-1] * change
        found = found * self.scale
        for (change, step, inverse), weight in zip(parts, reversed(weights), strict=True):
            found = found + (weight - (change @ found) * inverse) * step
        return found
