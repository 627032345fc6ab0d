"""What the explorer asks of the index: a filter and an order of comparisons, as SQL with parameters only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rmeval.app.index.words import match_of
from rmeval.errors import DataError
from rmeval.messages import quoted

__all__ = [
    "OUTCOMES",
    "SORTS",
    "Condition",
    "ItemQuery",
    "Key",
    "Outcome",
    "Segment",
    "Sort",
    "segments_of",
    "subsets_of",
    "words_condition",
]

Outcome = Literal["right", "wrong", "tie", "unscored"]
OUTCOMES: tuple[Outcome, ...] = ("wrong", "tie", "right", "unscored")
_OUTCOMES: Mapping[str, str] = {
    "right": "j.margin > 0",
    "wrong": "j.margin < 0",
    "tie": "j.margin = 0",
    "unscored": "j.margin IS NULL",
}
Sort = Literal["margin", "-margin", "length", "-length", "item"]
SORTS: tuple[Sort, ...] = ("margin", "-margin", "length", "-length", "item")
_COLUMNS: Mapping[str, str | None] = {name: None if name == "item" else name.removeprefix("-") for name in SORTS}
"""Orders of comparisons: worst margin first, best first, shorter winner first, longer winner first, as in the run."""


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """A filter and an order of a run's comparisons.

    Attributes:
        run: Key of the run.
        subsets: Names of subsets or sections; all if empty.
        cells: Names of cells as `rmeval errors --cell` takes them, such as `hard`; all if empty.
        outcome: Whether the model decides right, wrong, a tie, or has no score; all if None.
        margin: The least and the greatest margin; infinite where there is no bound.
        length: The least and the greatest length difference, in characters of the winner less the other response.
        other: Key of another run: only comparisons that one of the two models decides right, and the other does not.
        text: Words that an item must contain, and phrases in double quotes.
        sort: The order.
    """

    run: str
    subsets: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    outcome: Outcome | None = None
    margin: tuple[float, float] = (-math.inf, math.inf)
    length: tuple[float, float] = (-math.inf, math.inf)
    other: str | None = None
    text: str = ""
    sort: Sort = "margin"


@dataclass(frozen=True, slots=True)
class Key:
    """The place of a comparison in an order, as addresses contain it; it stays valid when the index is made again.

    Attributes:
        value: What is sorted by; None without a score, and in the order of the run.
        item: Key of the item.
        number: Position of the comparison among those of its item.
    """

    value: float | None
    item: str
    number: int

    def __str__(self) -> str:
        return f"{'' if self.value is None else repr(self.value)}_{self.item}_{self.number}"

    @classmethod
    def of(cls, text: str) -> Key:
        """Read a key from an address.

        Raises:
            DataError: If it is none.
        """
        try:
            value, item, number = text.split("_")
            found = cls(float(value) if value else None, item, int(number))
        except ValueError:
            found = cls(math.nan, "", 0)
        # Numbers of SQLite have 64 bits.
        if (found.value is not None and math.isnan(found.value)) or not 0 <= found.number < _LARGEST:
            raise DataError(f"{quoted(text)} is not a place in a list of comparisons: start at its first page")
        return found


_LARGEST = 1 << 31


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of SQL with its parameters.

    Attributes:
        sql: Conditions that all hold.
        values: Values of their parameters, in order.
    """

    sql: tuple[str, ...] = ()
    values: tuple[object, ...] = field(default=())

    def plus(self, sql: str, *values: object) -> Condition:
        """Return this condition with another one."""
        return Condition((*self.sql, sql), (*self.values, *values))

    @property
    def text(self) -> str:
        """The condition as the text after WHERE."""
        return " AND ".join(self.sql) or "1"


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of an order in which one column decides: comparisons with a margin come before those without one.

    Attributes:
        condition: The comparisons in it.
        column: The column that it is sorted by; None for the order of the run.
        descending: Whether large values come first.
    """

    condition: Condition
    column: str | None
    descending: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it is sorted by."""
        return ((f"j.{self.column}",) if self.column else ()) + ("j.item", "j.number")

    def holds(self, key: Key) -> bool:
        """Whether a place is in this part."""
        return (key.value is None) == (self.column is None)


def segments_of(query: ItemQuery, condition: Condition) -> tuple[Segment, ...]:
    """Return the parts of an order, with the conditions of the filter on columns of numbers."""
    for bounded, (least, greatest) in (("margin", query.margin), ("length", query.length)):
        if least > -math.inf:
            condition = condition.plus(f"j.{bounded} >= ?", least)
        if greatest < math.inf:
            condition = condition.plus(f"j.{bounded} <= ?", greatest)
    if query.outcome is not None:
        condition = condition.plus(_OUTCOMES[query.outcome])
    column = _COLUMNS[query.sort]
    own = Segment(condition, column, query.sort.startswith("-"))
    if column != "margin":
        return (own,)
    without = Segment(condition.plus("j.margin IS NULL"), None, False)
    if query.outcome == "unscored":
        return (without,)
    scored = Segment(condition.plus("j.margin IS NOT NULL"), column, own.descending)
    # Models disagree only where both have a score.
    is_scored = query.outcome is not None or query.other is not None or query.margin != (-math.inf, math.inf)
    return (scored,) if is_scored else (scored, without)


def subsets_of(sections: Mapping[str, Sequence[str]], present: Mapping[str, int], names: Sequence[str]) -> list[int]:
    """Return the ids of the subsets that some names of subsets or sections stand for.

    Raises:
        DataError: If a name stands for none.
    """
    groups = {section.lower(): parts for section, parts in sections.items()}
    found: set[int] = set()
    for name in names:
        parts = [name] if name in present else [part for part in groups.get(name.lower(), ()) if part in present]
        if not parts:
            there = ", ".join([*present, *sections])
            raise DataError(f"there is no subset {quoted(name)}: choose from {there}")
        found.update(present[part] for part in parts)
    return sorted(found)


def words_condition(condition: Condition, text: str) -> Condition:
    """Add the condition that an item contains what is searched for; nothing if that has no word."""
    match = match_of(text)
    return (
        condition if match is None else condition.plus("j.item IN (SELECT rowid FROM words WHERE words MATCH ?)", match)
    )
