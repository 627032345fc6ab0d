"""Draws that are the same on every machine and in every version of Python."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Dice"]

T = TypeVar("T")


class Dice:
    """Random choices from a key.

    Everything is drawn from `random.Random(str).random()`, the one sequence that Python promises to keep. Names and
    operands are split in two halves by their checksum: those of the benchmark, and those that a model may be trained
    on, so that nothing the benchmark asks about was seen in training.
    """

    def __init__(self, key: str, training: bool = False) -> None:
        self._random = random.Random(key)
        self._half = int(training)

    def owns(self, thing: object) -> bool:
        """Whether a name or a tuple of operands belongs to the half that these dice may use."""
        return zlib.crc32(repr(thing).encode()) & 1 == self._half

    def below(self, number: int) -> int:
        """An integer from 0 to `number` - 1."""
        return int(self._random.random() * number)

    def between(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def coin(self) -> bool:
        """True half of the time."""
        return self.below(2) == 1

    def choice(self, things: Sequence[T]) -> T:
        """One of them."""
        return things[self.below(len(things))]

    def sample(self, things: Sequence[T], number: int) -> list[T]:
        """Several of them, none twice, in random order."""
        left = list(things)
        return [left.pop(self.below(len(left))) for _ in range(number)]

    def shuffled(self, things: Sequence[T]) -> list[T]:
        """All of them in random order."""
        return self.sample(things, len(things))
