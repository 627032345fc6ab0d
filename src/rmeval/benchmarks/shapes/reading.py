"""Readings of preference data, which yield rows with the columns of a better and a worse response."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.messages import count_of, quoted

__all__ = ["Columns", "LeftOut", "Numbered", "PairRow", "Plain", "Reading", "number_in", "plural_of"]

Numbered = tuple[int, Row]
"""A row of the data with its number."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Columns by role: `prompt`, `chosen`, `rejected`, and `subset`, `id`, `system`, `history`, `tools` if they exist.

    Attributes:
        of: The column of each role.
        turns: Whether prompts that are dialogues in one text are split into turns.
    """

    of: Mapping[str, str]
    turns: bool = True

    def using(self, **columns: str) -> Columns:
        """Return these columns with others for some roles; a column with a new role loses its usual one."""
        kept = {role: name for role, name in self.of.items() if role not in _CONTEXT or name not in columns.values()}
        return Columns({**kept, **columns}, self.turns)


_CONTEXT = ("system", "history", "tools")


class PairRow(NamedTuple):
    """A better and a worse response.

    Attributes:
        row: The row, with a column for each response.
        columns: Its columns.
        number: Number of the row in the data.
        suffix: The end of the id, where a row has several pairs.
    """

    row: Row
    columns: Columns
    number: int
    suffix: str = ""


@dataclass(slots=True)
class LeftOut:
    """Counts of what is no pair with a better response, by reason (in the singular)."""

    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str) -> None:
        """Count one."""
        self.reasons[reason] += 1

    def notes(self) -> list[str]:
        """Return a sentence with all counts; none if nothing was left out."""
        found = [f"{count:,} {reason if count == 1 else plural_of(reason)}" for reason, count in self.reasons.items()]
        return [f"left out: {', '.join(found)}"] if found else []


def plural_of(reason: str) -> str:
    """Return `row without a winner` as `rows without a winner`."""
    first, _, rest = reason.partition(" ")
    return f"{first}s {rest}".strip()


class Reading(Protocol):
    """A way to read some data.

    Attributes:
        says: Which columns are what, in a sentence; empty if they have the usual names.
        may_differ: Whether two conversations that differ before the response are left out, instead of an error.
        left_out: What was left out so far.
    """

    says: str
    may_differ: bool
    left_out: LeftOut

    def pairs(self, rows: Iterable[Numbered]) -> Iterator[PairRow]:
        """Yield the pairs of some rows."""
        ...

    def notes(self) -> list[str]:
        """Return what a reader of the numbers must know, after all rows were read."""
        ...


class Plain:
    """Columns `chosen` and `rejected`, or others that were named for them."""

    may_differ = False

    def __init__(self, columns: Columns, says: str = "", scores: tuple[str, str] | None = None) -> None:
        """Store the columns.

        Args:
            columns: The columns.
            says: Which columns are what, if they are not the usual ones.
            scores: Columns with a score of the chosen and the rejected response, if there are.
        """
        self.says, self.left_out = says, LeftOut()
        self._columns, self._scores = columns, scores
        self._against: Counter[str] = Counter()

    def pairs(self, rows: Iterable[Numbered]) -> Iterator[PairRow]:
        """Yield one pair for each row."""
        columns, scores = self._columns, self._scores
        for number, row in rows:
            if scores is not None:
                self._compare(row, *scores)
            yield PairRow(row, columns, number)

    def _compare(self, row: Row, chosen: str, rejected: str) -> None:
        better, worse = row.fields.get(chosen), row.fields.get(rejected)
        if isinstance(better, int | float) and isinstance(worse, int | float):
            self._against["equal" if better == worse else "lower" if better < worse else ""] += 1

    def notes(self) -> list[str]:
        """Return how often the scores contradict the columns."""
        chosen, rejected = self._scores or ("", "")
        found = [
            f"{chosen} is {what} {rejected} in {count_of(self._against[key], 'row')}"
            for key, what in (("lower", "below"), ("equal", "equal to"))
            if self._against[key]
        ]
        return [f"{' and '.join(found)}: rmeval reads the columns of the responses, not the scores"] if found else []


def number_in(row: Row, column: str) -> float | None:
    """Return the number of a column, also as text; None for null, NaN and an empty text.

    Raises:
        DataError: If it is something else, or the column is missing.
    """
    value = row.get(column)
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            value = float(value)
        except ValueError:
            raise DataError(f"{row.place(column)} must be a number, not {quoted(value)}: correct it") from None
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise row.wrong(column, "a number", value)
    return None if value is None or value != value else value
