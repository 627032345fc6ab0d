"""Random draws that are the same on every machine and in every version of Python."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Dice"]

T = TypeVar("T")


class Dice:
    """Source of random choices that depend only on a key.

    All draws use `random.Random(str).random()`, the only sequence that Python guarantees to keep. The checksum of names
    and operands splits them in two halves, one for the benchmark and one for training, so that the benchmark's names
    and operands do not occur in training.
    """

    def __init__(self, key: str, training: bool = False) -> None:
        self._random = random.Random(key)
        self._half = int(training)

    def owns(self, thing: object) -> bool:
        """Return whether a name or a tuple of operands belongs to the half that these dice may use."""
        return zlib.crc32(repr(thing).encode()) & 1 == self._half

    def below(self, number: int) -> int:
        """Draw an integer from 0 to `number` - 1."""
        return int(self._random.random() * number)

    def between(self, low: int, high: int) -> int:
        """Draw an integer from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def coin(self) -> bool:
        """Return True with probability one half."""
        return self.below(2) == 1

    def choice(self, things: Sequence[T]) -> T:
        """Draw one of the values."""
        return things[self.below(len(things))]

    def sample(self, things: Sequence[T], number: int) -> list[T]:
        """Draw several distinct values in random order."""
        left = list(things)
        return [left.pop(self.below(len(left))) for _ in range(number)]

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """Return all values in random order."""
        return self.sample(things, len(things))
