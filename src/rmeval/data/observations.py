"""Observations as columns, with a row for each distinct request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from rmeval.data.tables import Codes, Mask
from rmeval.types import FloatArray, IntArray, Observation, Status

__all__ = ["STATUSES", "ObservationTable", "count_statuses"]

STATUSES: tuple[str, ...] = ("missing", *get_args(Status))
"""The codes of statuses; `missing` stands for a request without an observation."""


class ObservationTable:
    """The observations of distinct requests, as columns with a row for each request.

    Attributes:
        status: uint8[n], position in `STATUSES`.
        tokens: int32[n], number of tokens that the model read, -1 where unknown; None if it is never known.
        values: By name, float64[n], NaN where there is none.
        errors: Error messages, by row.
        sequence: uint64[n], a digest of the tokens that the model read, 0 where unknown; None if it is never known.
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
        """Add observations; a later one replaces an earlier one, and rows of -1 are ignored."""
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
        """Give all requests with the same tokens the values of the first of them.

        One call computes them once. A later call, after an interruption or for more items, can have another batch and
        with it other last digits.
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
        """bool[k]: whether two different requests, given by row, have the same tokens."""
        if self.sequence is None:
            return np.zeros(len(one), bool)
        codes = self.sequence[one]
        found: Mask = (codes != 0) & (codes == self.sequence[other]) & (one != other)
        return found

    @property
    def main(self) -> FloatArray:
        """float64[n]: the model's first value, NaN where there is none."""
        return next(iter(self.values.values()), np.full(len(self.status), np.nan))

    @property
    def has_value(self) -> Mask:
        """bool[n]: whether the request has any value."""
        found = np.zeros(len(self.status), bool)
        for column in self.values.values():
            found |= ~np.isnan(column)
        return found

    def why_missing(self, rows: npt.NDArray[Any]) -> str | None:
        """The reason why the first request without a value has none; None if all have one."""
        missing = rows[~self.has_value[rows]]
        if not len(missing):
            return None
        told = (self.errors[row] for row in missing.tolist() if row in self.errors)
        return next(told, STATUSES[self.status[missing[0]]])

    @property
    def settled(self) -> Mask:
        """bool[n]: whether a request is done; those with errors are retried."""
        found: Mask = (self.status != 0) & (self.status != STATUSES.index("error"))
        return found


def count_statuses(status: npt.NDArray[Any]) -> dict[str, int]:
    """The number of requests by name of the status."""
    found = np.bincount(status, minlength=len(STATUSES))
    return {name: int(count) for name, count in zip(STATUSES, found, strict=True) if count}
