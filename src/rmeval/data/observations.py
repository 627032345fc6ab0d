"""Observations as columns, with a row for each distinct request."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from rmeval.data.tables import Codes, Mask
from rmeval.errors import DataError
from rmeval.types import FloatArray, IntArray, Observation, Status

__all__ = ["NO_CHOICE", "STATUSES", "ObservationTable", "Vectors", "count_statuses"]

STATUSES: tuple[str, ...] = ("missing", *get_args(Status))
"""Statuses by code; `missing` marks a request without an observation."""
NO_CHOICE = -2
"""Value in the column of choices for an observation without a choice; -1 is a declared tie."""


class Vectors:
    """Lists of numbers, at most one per row, stored in one column of numbers.

    Attributes:
        sizes: int32[n], length of each row's list; -1 for a row without a list.
    """

    def __init__(self, count: int) -> None:
        self.sizes = np.full(count, -1, np.int32)
        self._starts = np.zeros(count, np.int64)
        self._numbers = array("d")

    @classmethod
    def of(cls, sizes: Codes, numbers: FloatArray) -> Vectors:
        """Create lists from their lengths and their concatenated numbers."""
        found = cls(len(sizes))
        found.sizes = sizes.astype(np.int32)
        found._starts = np.cumsum(np.maximum(sizes, 0), dtype=np.int64) - np.maximum(sizes, 0)
        found._numbers.frombytes(np.ascontiguousarray(numbers, np.float64).tobytes())
        return found

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, row: int) -> tuple[float, ...] | None:
        start, size = int(self._starts[row]), int(self.sizes[row])
        return None if size < 0 else tuple(self._numbers[start : start + size])

    def put(self, row: int, numbers: Sequence[float]) -> None:
        """Set the list of a row."""
        self._starts[row], self.sizes[row] = len(self._numbers), len(numbers)
        self._numbers.extend(numbers)

    def copy_row(self, rows: IntArray, sources: IntArray) -> None:
        """Set the lists of `rows` to those of `sources`."""
        self._starts[rows], self.sizes[rows] = self._starts[sources], self.sizes[sources]

    def take(self, rows: npt.NDArray[Any]) -> Vectors:
        """Return the lists of some rows, in the order of `rows`."""
        sizes = self.sizes[rows]
        lengths = np.maximum(sizes, 0).astype(np.int64)
        begins = np.cumsum(lengths) - lengths
        places = np.repeat(self._starts[rows] - begins, lengths) + np.arange(int(lengths.sum()))
        return Vectors.of(sizes, self.numbers[places])

    @property
    def numbers(self) -> FloatArray:
        """Return the numbers of all lists, float64[k], in order of insertion."""
        return np.frombuffer(self._numbers, np.float64) if self._numbers else np.empty(0)


class ObservationTable:
    """The observations of distinct requests, as columns with a row for each request.

    Attributes:
        status: uint8[n], position in `STATUSES`.
        tokens: int32[n], number of tokens that the model read, -1 where unknown; None if it is never known.
        values: float64[n] by name, NaN for a missing value.
        vectors: Lists of numbers by name, such as the scores of steps.
        choice: int32[n], position of the preferred member as presented, -1 for a declared tie, `NO_CHOICE` if there is
            no choice; None if no observation has a choice.
        input_truncated: bool[n], whether the model read only part of its input; None if it always read all of it.
        errors: Error messages by row.
        sequence: uint64[n], a digest of the tokens that the model read, 0 where unknown; None if it is never known.
    """

    def __init__(self, count: int) -> None:
        self.status = np.zeros(count, np.uint8)
        self.tokens: Codes | None = None
        self.values: dict[str, FloatArray] = {}
        self.vectors: dict[str, Vectors] = {}
        self.choice: Codes | None = None
        self.input_truncated: Mask | None = None
        self.errors: dict[int, str] = {}
        self.sequence: npt.NDArray[np.uint64] | None = None
        self._came = np.zeros(0, np.int32)
        self._count = 0
        self._texts: dict[str, str] = {}

    def add(self, rows: IntArray, batch: Sequence[Observation]) -> None:
        """Add observations; a later one replaces an earlier one, and observations with row -1 are ignored.

        Raises:
            DataError: If a value is a number in one observation and a list of numbers in another.
        """
        for row, seen in zip(rows.tolist(), batch, strict=True):
            if row >= 0:
                self._set(row, seen)

    def _set(self, row: int, seen: Observation) -> None:
        if self.status[row]:
            self._clear(row)
        self.status[row] = STATUSES.index(seen.status)
        if "tokens" in seen.usage and self.tokens is None:
            self.tokens = np.full(len(self.status), -1, np.int32)
        if self.tokens is not None:
            self.tokens[row] = seen.usage.get("tokens", -1)
        if seen.sequence is not None or self.sequence is not None:
            self._set_sequence(row, seen.sequence)
        for name, value in seen.values.items():
            self._set_value(row, name, value)
        if seen.choice is not None:
            self._set_choice(row, seen.choice)
        if seen.input_truncated:
            self._set_truncated(row)
        if seen.error is not None:
            self.errors[row] = self._texts.setdefault(seen.error, seen.error)

    def _clear(self, row: int) -> None:
        """Remove an earlier observation."""
        for column in self.values.values():
            column[row] = np.nan
        for vectors in self.vectors.values():
            vectors.sizes[row] = -1
        if self.choice is not None:
            self.choice[row] = NO_CHOICE
        if self.input_truncated is not None:
            self.input_truncated[row] = False
        self.errors.pop(row, None)

    def _set_value(self, row: int, name: str, value: float | tuple[float, ...]) -> None:
        if isinstance(value, tuple):
            if name not in self.vectors:
                self._refuse_both(name, self.values)
                self.vectors[name] = Vectors(len(self.status))
            self.vectors[name].put(row, value)
            return
        if name not in self.values:
            self._refuse_both(name, self.vectors)
            self.values[name] = np.full(len(self.status), np.nan)
        self.values[name][row] = value

    @staticmethod
    def _refuse_both(name: str, others: dict[str, Any]) -> None:
        if name in others:
            raise DataError(
                f"the value {name!r} is a number in some observations and a list of numbers in others: return it in "
                "one form"
            )

    def _set_choice(self, row: int, choice: int) -> None:
        if self.choice is None:
            self.choice = np.full(len(self.status), NO_CHOICE, np.int32)
        self.choice[row] = choice

    def _set_truncated(self, row: int) -> None:
        if self.input_truncated is None:
            self.input_truncated = np.zeros(len(self.status), bool)
        self.input_truncated[row] = True

    def _set_sequence(self, row: int, sequence: str | None) -> None:
        if self.sequence is None:
            self.sequence = np.zeros(len(self.status), np.uint64)
            self._came = np.zeros(len(self.status), np.int32)
        self.sequence[row] = int(sequence or "0", 16)
        self._came[row] = self._count
        self._count += 1

    def share(self) -> None:
        """Set the values of all requests with the same tokens to those of the first.

        One run computes such requests once. A continued run can compute them in a different batch, which can change the
        last digits.
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
        for vectors in self.vectors.values():
            vectors.copy_row(rows, first)
        if self.choice is not None:
            self.choice[rows] = self.choice[first]

    def same_sequence(self, one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Mask:
        """Return whether two different requests, given by row, have the same tokens, bool[k]."""
        if self.sequence is None:
            return np.zeros(len(one), bool)
        codes = self.sequence[one]
        found: Mask = (codes != 0) & (codes == self.sequence[other]) & (one != other)
        return found

    def column(self, name: str, rows: npt.NDArray[Any]) -> FloatArray:
        """Return a value of some requests, given by row, float64[k]; NaN for a missing value."""
        return self.values[name][rows] if name in self.values else np.full(len(rows), np.nan)

    @property
    def main(self) -> FloatArray:
        """Return the model's first value, float64[n]; NaN for a missing value."""
        return next(iter(self.values.values()), np.full(len(self.status), np.nan))

    @property
    def has_value(self) -> Mask:
        """Return whether each observation has a value or a choice, bool[n]."""
        found = np.zeros(len(self.status), bool)
        for column in self.values.values():
            found |= ~np.isnan(column)
        for vectors in self.vectors.values():
            found |= vectors.sizes >= 0
        if self.choice is not None:
            found |= self.choice != NO_CHOICE
        return found

    def why_missing(self, rows: npt.NDArray[Any]) -> str | None:
        """Return why the first request without a value has none; None if all have a value."""
        missing = rows[~self.has_value[rows]]
        if not len(missing):
            return None
        told = (self.errors[row] for row in missing.tolist() if row in self.errors)
        return next(told, STATUSES[self.status[missing[0]]])

    @property
    def settled(self) -> Mask:
        """Return whether each request is done, bool[n]; requests with errors are retried."""
        found: Mask = (self.status != 0) & (self.status != STATUSES.index("error"))
        return found


def count_statuses(status: npt.NDArray[Any]) -> dict[str, int]:
    """Return the number of requests by name of the status."""
    found = np.bincount(status, minlength=len(STATUSES))
    return {name: int(count) for name, count in zip(STATUSES, found, strict=True) if count}
