"""Requests and what came back for them, as columns with a row for each distinct request."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from rmeval.tables import Codes, Mask
from rmeval.types import FloatArray, IntArray, Observation, Status

__all__ = ["STATUSES", "Answers", "KeyIndex", "count_statuses"]

STATUSES: tuple[str, ...] = ("missing", *get_args(Status))
"""What an answer's status is coded by; `missing` has not been asked, or not come back."""


_Halves = npt.NDArray[np.uint64]


class KeyIndex:
    """The distinct requests among many, found by key.

    Attributes:
        rows: int32[m], for each of the given keys its row among the distinct ones.
        first: bool[m], whether the key was not given before.
    """

    def __init__(self, keys: Iterable[Sequence[str]]) -> None:
        """Takes keys of 32 hex digits, in pieces of any size."""
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

    def find(self, keys: Sequence[str]) -> IntArray:
        """int64[k]: the row of each key, or -1 where it is none of the given ones."""
        high, low = _halves(bytes.fromhex("".join(keys)))
        rows = np.searchsorted(self._high, high).astype(np.int64)
        found = np.full(len(rows), -1, np.int64)
        open_ = np.arange(len(rows))
        # Keys may share their first half; then the one that was meant is among the next.
        while len(open_):
            open_ = open_[rows[open_] < len(self)]
            open_ = open_[self._high[rows[open_]] == high[open_]]
            same = self._low[rows[open_]] == low[open_]
            found[open_[same]] = rows[open_[same]]
            open_ = open_[~same]
            rows[open_] += 1
        return found


def _columns(keys: Iterable[Sequence[str]]) -> list[_Halves]:
    """The first and the second half of each key; nothing else of them is left in memory."""
    halves = array("Q"), array("Q")
    for piece in keys:
        for half, column in zip(halves, _halves(bytes.fromhex("".join(piece))), strict=True):
            half.frombytes(column.tobytes())
    return [np.frombuffer(half, np.uint64) if half else np.empty(0, np.uint64) for half in halves]


def _order(column: _Halves) -> Codes:
    """int32[m]: where the values are in sorted order, equal ones as they came; found for a sixteenth at a time."""
    order, start = np.empty(len(column), np.int32), 0
    highest = column.view(np.uint8)[7 if sys.byteorder == "little" else 0 :: 8]
    for part in range(0, 256, 16):
        own = np.flatnonzero((highest >= part) & (highest < part + 16))
        order[start : start + len(own)] = own[np.argsort(column[own], kind="stable")]
        start += len(own)
    return order


def _picked(column: _Halves, order: Codes) -> _Halves:
    """`column[order]`, which in one piece would need another eight bytes for each position."""
    found = np.empty_like(column)
    for part in _parts(len(order)):
        found[part] = column[order[part]]
    return found


def _parts(length: int, size: int = 1 << 16) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, length, size))


def _halves(data: bytes) -> tuple[_Halves, _Halves]:
    pairs = np.frombuffer(data, np.uint64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


class Answers:
    """What came back for each of some distinct requests, as columns with a row a request.

    Attributes:
        status: uint8[n], position in `STATUSES`.
        tokens: int32[n], length of what the model read, -1 where that is not known; None where it never is.
        values: By name, float64[n], NaN where there is none.
        errors: What went wrong, in words, by row.
        sequence: uint64[n], what stands for the tokens that the model read, 0 where that is not known; None where it
            never is.
    """

    def __init__(self, count: int) -> None:
        self.status = np.zeros(count, np.uint8)
        self.tokens: Codes | None = None
        self.values: dict[str, FloatArray] = {}
        self.errors: dict[int, str] = {}
        self.sequence: npt.NDArray[np.uint64] | None = None
        self._came = np.zeros(0, np.int32)
        self._count = 0
        self._texts: dict[str, str] = {}

    def add(self, rows: IntArray, batch: Sequence[Observation]) -> None:
        """Takes observations in; a later one replaces an earlier one, and one whose row is -1 is left out."""
        for row, seen in zip(rows.tolist(), batch, strict=True):
            if row >= 0:
                self._set(row, seen)

    def _set(self, row: int, seen: Observation) -> None:
        if self.status[row]:
            for column in self.values.values():
                column[row] = np.nan
            self.errors.pop(row, None)
        self.status[row] = STATUSES.index(seen.status)
        if "tokens" in seen.usage and self.tokens is None:
            self.tokens = np.full(len(self.status), -1, np.int32)
        if self.tokens is not None:
            self.tokens[row] = seen.usage.get("tokens", -1)
        if seen.sequence is not None or self.sequence is not None:
            self._set_sequence(row, seen.sequence)
        for name, value in seen.values.items():
            if isinstance(value, float):
                if name not in self.values:
                    self.values[name] = np.full(len(self.status), np.nan)
                self.values[name][row] = value
        if seen.error is not None:
            self.errors[row] = self._texts.setdefault(seen.error, seen.error)

    def _set_sequence(self, row: int, sequence: str | None) -> None:
        if self.sequence is None:
            self.sequence = np.zeros(len(self.status), np.uint64)
            self._came = np.zeros(len(self.status), np.int32)
        self.sequence[row] = int(sequence or "0", 16)
        self._came[row] = self._count
        self._count += 1

    def share(self) -> None:
        """Gives all that read the same tokens the values that came first.

        One call computes them once. In another, after an interruption or for more items, the batch can be another, and
        the last digits with it.
        """
        if self.sequence is None:
            return
        rows = np.flatnonzero((self.sequence != 0) & self.has_value)
        rows = rows[np.lexsort((self._came[rows], self.sequence[rows]))]
        new = np.ones(len(rows), bool)
        new[1:] = self.sequence[rows[1:]] != self.sequence[rows[:-1]]
        first = rows[np.maximum.accumulate(np.where(new, np.arange(len(rows)), 0))]
        for column in self.values.values():
            column[rows] = column[first]

    def same_sequence(self, one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Mask:
        """bool[k]: whether two requests, given by row, are different ones that became the same tokens."""
        if self.sequence is None:
            return np.zeros(len(one), bool)
        codes = self.sequence[one]
        found: Mask = (codes != 0) & (codes == self.sequence[other]) & (one != other)
        return found

    @property
    def main(self) -> FloatArray:
        """float64[n]: the first of the values that the model gives, NaN where there is none."""
        return next(iter(self.values.values()), np.full(len(self.status), np.nan))

    @property
    def has_value(self) -> Mask:
        """bool[n]: whether any value came back."""
        found = np.zeros(len(self.status), bool)
        for column in self.values.values():
            found |= ~np.isnan(column)
        return found

    def why_missing(self, rows: npt.NDArray[Any]) -> str | None:
        """Why the first of some requests that has no value has none; None where all have one."""
        missing = rows[~self.has_value[rows]]
        if not len(missing):
            return None
        told = (self.errors[row] for row in missing.tolist() if row in self.errors)
        return next(told, STATUSES[self.status[missing[0]]])

    @property
    def settled(self) -> Mask:
        """bool[n]: whether there is no need to ask again; errors are asked again."""
        found: Mask = (self.status != 0) & (self.status != STATUSES.index("error"))
        return found


def count_statuses(status: npt.NDArray[Any]) -> dict[str, int]:
    """How often each status occurs, by name."""
    found = np.bincount(status, minlength=len(STATUSES))
    return {name: int(count) for name, count in zip(STATUSES, found, strict=True) if count}
