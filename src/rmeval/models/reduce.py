"""Reduces the outputs of a head to one score."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rmeval.errors import ModelError
from rmeval.types import FloatArray

__all__ = ["Reduction"]

_WAYS = "index:K, mean, difference (the second minus the first) or weights:A,B,..."


class Reduction:
    """The score of a head's outputs: a weighted sum, times a factor, plus a shift."""

    def __init__(self, text: str | None, scale: float = 1.0, shift: float = 0.0) -> None:
        """Parse the options.

        Args:
            text: `index:K`, `mean`, `difference` or `weights:A,B,...`; None for a head with one output.
            scale: Factor of the sum.
            shift: Number added to the scaled sum.

        Raises:
            ModelError: If an option is invalid.
        """
        if not (math.isfinite(scale) and scale) or not math.isfinite(shift):
            raise ModelError(f"`scale` {scale} and `shift` {shift} must be finite numbers, and the scale not 0")
        self._text, self._scale, self._shift = text, scale, shift
        name, _, value = (text or "").partition(":")
        try:
            self._index = int(value) if name == "index" else None
            self._weights = [float(part) for part in value.split(",")] if name == "weights" else None
        except ValueError as error:
            raise ModelError(f"`reduce` {text} cannot be read ({error}): give {_WAYS}") from error
        if self._weights is not None and not all(map(math.isfinite, self._weights)):
            raise ModelError(f"`reduce` {text} has weights that are not finite numbers: give {_WAYS}")
        if name not in ("", "index", "mean", "difference", "weights") or (value and name in ("mean", "difference")):
            raise ModelError(f"`reduce` {text!r} is unknown: give {_WAYS}")

    def identity(self) -> dict[str, object]:
        """The options that differ from their defaults."""
        given = {"reduce": self._text, "scale": self._scale, "shift": self._shift}
        return {name: value for name, value in given.items() if value not in (None, 1.0 if name == "scale" else 0.0)}

    def __call__(self, values: FloatArray, model: str) -> float:
        """Compute the score.

        Args:
            values: float64[outputs].
            model: The model's name, for messages.

        Raises:
            ModelError: If the options do not fit the number of outputs.
        """
        return float(np.dot(self._factors(len(values), model), values)) * self._scale + self._shift

    def _factors(self, count: int, model: str) -> Sequence[float]:
        if self._text is None:
            if count != 1:
                raise ModelError(
                    f"{model} returns {count} numbers for a response where one is needed: give `reduce` {_WAYS}"
                )
            return [1.0]
        if self._index is not None and 0 <= self._index < count:
            return [float(k == self._index) for k in range(count)]
        if self._weights is not None and len(self._weights) == count:
            return self._weights
        if self._text == "mean":
            return [1 / count] * count
        if self._text == "difference" and count == 2:
            return [-1.0, 1.0]
        raise ModelError(
            f"{model} returns {count} numbers for a response, which `reduce` {self._text} does not fit: give {_WAYS}"
        )
