"""Index of distinct requests by key."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from rmeval.data.tables import Codes
from rmeval.types import IntArray

__all__ = ["KeyIndex"]

_Halves = npt.NDArray[np.uint64]


class KeyIndex:
    """Index of the distinct requests among many, by key.

    Attributes:
        rows: int32[m], the row of each given key among the distinct ones.
        first: bool[m], whether this is the first occurrence of the key.
    """

    def __init__(self, keys: Iterable[Sequence[str]]) -> None:
        """Index keys of 32 hex digits, given in blocks of any size."""
        high, low = _columns(keys)
        order = _order(high)
        high = _picked(high, order)
        low = _picked(low, order)
        same = high[1:] == high[:-1]
        if (same & (low[1:] != low[:-1])).any():
            again = np.lexsort((low, high))
            order, high, low = order[again], high[again], low[again]
        new = np.ones(len(order), bool)
        new[1:] = ~same | (low[1:] != low[:-1])
        self.rows = np.empty(len(order), np.int32)
        self.first = np.empty(len(order), bool)
        done = -1
        for part in _parts(len(order)):
            rows = np.cumsum(new[part], dtype=np.int32) + done
            self.rows[order[part]], self.first[order[part]] = rows, new[part]
            done = int(rows[-1])
        self._high, self._low = (high, low) if new.all() else (high[new], low[new])

    def __len__(self) -> int:
        return len(self._high)

    def keys(self, rows: Codes) -> list[str]:
        """Return the keys of some of the distinct requests, given by row."""
        text = np.stack([self._high[rows], self._low[rows]], axis=1).tobytes().hex()
        return [text[start : start + 32] for start in range(0, len(text), 32)]

    def find(self, keys: Sequence[str]) -> IntArray:
        """Return the row of each key, int64[k], or -1 for an unknown key."""
        high, low = _halves(bytes.fromhex("".join(keys)))
        rows = np.searchsorted(self._high, high).astype(np.int64)
        found = np.full(len(rows), -1, np.int64)
        open_ = np.arange(len(rows))
        # Several keys may share their first half; the right one is then among the next entries.
        while len(open_):
            open_ = open_[rows[open_] < len(self)]
            open_ = open_[self._high[rows[open_]] == high[open_]]
            same = self._low[rows[open_]] == low[open_]
            found[open_[same]] = rows[open_[same]]
            open_ = open_[~same]
            rows[open_] += 1
        return found


def _columns(keys: Iterable[Sequence[str]]) -> list[_Halves]:
    """Return the first and the second half of each key, without keeping the keys in memory."""
    halves = array("Q"), array("Q")
    for piece in keys:
        for half, column in zip(halves, _halves(bytes.fromhex("".join(piece))), strict=True):
            half.frombytes(column.tobytes())
    return [np.frombuffer(half, np.uint64) if half else np.empty(0, np.uint64) for half in halves]


def _order(column: _Halves) -> Codes:
    """Return the stable sorting order of the values, int32[m], computed for a sixteenth of them at a time."""
    order, start = np.empty(len(column), np.int32), 0
    highest = column.view(np.uint8)[7 if sys.byteorder == "little" else 0 :: 8]
    for part in range(0, 256, 16):
        own = np.flatnonzero((highest >= part) & (highest < part + 16))
        order[start : start + len(own)] = own[np.argsort(column[own], kind="stable")]
        start += len(own)
    return order


def _picked(column: _Halves, order: Codes) -> _Halves:
    """Return `column[order]`, computed in blocks to save eight bytes of memory per position."""
    found = np.empty_like(column)
    for part in _parts(len(order)):
        found[part] = column[order[part]]
    return found


def _parts(length: int, size: int = 1 << 16) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, length, size))


def _halves(data: bytes) -> tuple[_Halves, _Halves]:
    pairs = np.frombuffer(data, np.uint64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
