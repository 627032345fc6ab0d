"""A prefix tree of token sequences, walked in pieces of a given size, so that common prefixes are computed once.

Sequences are sorted by their tokens. Each sequence then adds to the previous one only the tokens after their common
prefix, which is a depth-first walk of the tree. A piece is a part of that walk: the new tokens in one row, divided into
stretches. Each stretch lists where the earlier tokens of its sequence are: in the same piece, or on the path that was
kept from earlier pieces. Each token of the tree is thus computed exactly once, wherever the walk is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rmeval.engines.base import TokenSequence

__all__ = ["Cursor", "Finished", "Piece", "PrefixTree", "Stretch"]

Span = tuple[int, int]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in the walk.

    Attributes:
        place: How many sequences, in sorted order, are finished.
        reached: How many tokens of the next sequence are computed; they form the path that must be kept.
    """

    place: int = 0
    reached: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive new tokens of one sequence in a piece.

    Rows count the kept path first and then the new tokens of the piece.

    Attributes:
        rows: The first row, and the row after the last.
        start: Position of the first token in its sequence.
        path: Rows of the whole sequence up to the last of these tokens, as spans in order.
    """

    rows: Span
    start: int
    path: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """A sequence whose tokens are all computed.

    Attributes:
        index: Its position in the list of sequences.
        path: The rows of its tokens, as spans in order.
    """

    index: int
    path: tuple[Span, ...]

    def rows(self, positions: IntArray) -> IntArray:
        """The rows of some positions of the sequence."""
        return np.concatenate([np.arange(start, stop) for start, stop in self.path])[positions]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the walk.

    Attributes:
        kept: Length of the path that earlier pieces computed and this piece uses.
        tokens: int64[new], the tokens to compute.
        positions: int64[new], the position of each in its sequence.
        stretches: The same tokens by sequence.
        finished: The sequences that end in this piece.
        keep: Rows of the path that the next piece uses, as spans in order.
        after: The next position in the walk.
    """

    kept: int
    tokens: IntArray
    positions: IntArray
    stretches: tuple[Stretch, ...]
    finished: tuple[Finished, ...]
    keep: tuple[Span, ...]
    after: Cursor


class PrefixTree:
    """The prefix tree of a list of token sequences.

    Attributes:
        order: Positions in the list, sorted by tokens.
        shared: int64[n], the length of the prefix that each sequence has in common with the previous one in `order`.
        distinct: Number of tokens in the tree.
        total: Number of tokens in the sequences.
    """

    def __init__(self, sequences: Sequence[TokenSequence]) -> None:
        self._sequences = [np.asarray(sequence, dtype=np.int32) for sequence in sequences]
        # Big-endian bytes sort in the order of the numbers, and compare faster.
        keys = [sequence.astype(">u4").tobytes() for sequence in self._sequences]
        self.order = sorted(range(len(keys)), key=keys.__getitem__)
        self.shared = np.zeros(len(keys), dtype=np.int64)
        for place in range(1, len(self.order)):
            one, other = (self._sequences[self.order[k]] for k in (place - 1, place))
            least = min(len(one), len(other))
            apart = np.flatnonzero(one[:least] != other[:least])
            self.shared[place] = apart[0] if len(apart) else least
        self.total = sum(map(len, self._sequences))
        self.distinct = self.total - int(self.shared.sum())

    def piece(self, cursor: Cursor, budget: int, cap: int | None = None) -> Piece | None:
        """The next piece.

        A sequence is divided only if its new tokens alone exceed the budget.

        Args:
            cursor: Where the piece begins.
            budget: Largest number of new tokens.
            cap: Largest number of sequences that end in the piece.

        Returns:
            The piece, or None at the end of the walk.
        """
        place, reached = cursor.place, cursor.reached
        if place == len(self.order):
            return None
        path: list[Span] = [(0, reached)] if reached else []
        new: list[npt.NDArray[np.int32]] = []
        stretches: list[Stretch] = []
        finished: list[Finished] = []
        row = reached
        while place < len(self.order):
            index = self.order[place]
            sequence = self._sequences[index]
            left, room = len(sequence) - reached, budget - (row - cursor.reached)
            if len(finished) == cap or (left > room and (left <= budget or room <= 0)):
                break
            taken = min(left, room)
            path = _cut(path, reached)
            if taken:
                path = _joined(path, (row, row + taken))
                stretches.append(Stretch((row, row + taken), reached, tuple(path)))
                new.append(sequence[reached : reached + taken])
                row += taken
            if taken < left:
                reached += taken
                break
            finished.append(Finished(index, tuple(path)))
            place += 1
            reached = int(self.shared[place]) if place < len(self.order) else 0
        positions = [np.arange(one.start, one.start + len(tokens)) for one, tokens in zip(stretches, new, strict=True)]
        return Piece(
            cursor.reached,
            np.concatenate(new).astype(np.int64) if new else np.empty(0, np.int64),
            np.concatenate(positions) if positions else np.empty(0, np.int64),
            tuple(stretches),
            tuple(finished),
            tuple(_cut(path, reached)),
            Cursor(place, reached),
        )


def _cut(path: Sequence[Span], length: int) -> list[Span]:
    """The first `length` rows of a path."""
    first: list[Span] = []
    for start, stop in path:
        if length > 0:
            first.append((start, min(stop, start + length)))
        length -= stop - start
    return first


def _joined(path: list[Span], span: Span) -> list[Span]:
    """The path with a span appended, in as few spans as possible."""
    if path and path[-1][1] == span[0]:
        return [*path[:-1], (path[-1][0], span[1])]
    return [*path, span]
