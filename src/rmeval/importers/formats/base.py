"""What forms of files have in common: what is read of a row, and numbers in it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rmeval.data.json_text import JSONError, parse_json
from rmeval.data.rows import Row
from rmeval.errors import DataError
from rmeval.importers.formats.index import ItemIndex
from rmeval.messages import quoted
from rmeval.types import Item, Status

__all__ = [
    "STEPS",
    "Form",
    "Reading",
    "Score",
    "Verdict",
    "from_csv",
    "has",
    "number",
    "numbers",
    "of_steps",
    "pair_verdict",
    "result_verdict",
    "winner_of",
]

STEPS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "prod": math.prod,
    "last": lambda scores: scores[-1],
    "mean": lambda scores: math.fsum(scores) / len(scores),
}
"""How the scores of an answer's steps become one."""


@dataclass(frozen=True, slots=True)
class Score:
    """A score of one answer.

    Attributes:
        item: The item's id.
        response: The answer's place in it.
        value: The score; NaN where there is none.
        status: Why there is none.
    """

    item: str
    response: int
    value: float
    status: Status = "error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict on two answers.

    Attributes:
        item: The item's id.
        pair: The answers' places in it, the smaller one first.
        order: Which of the verdicts on the pair it is, from 0.
        prefers: 1 for the first of the pair, 0 for the second, 0.5 for a declared tie; NaN where there is none.
        shown_first: Which of the pair the judge read first, 0 or 1, where that is known.
        status: Why there is none.
    """

    item: str
    pair: tuple[int, int]
    order: int
    prefers: float
    shown_first: int | None = None
    status: Status = "unparsed"


@dataclass(slots=True)
class Reading:
    """What is known while a file is read.

    Attributes:
        path: The file.
        rows: Its rows.
        index: The items.
        steps: How scores of steps become one, a name of `STEPS`; None where that was not chosen.
        remarks: What a reader of the numbers must know, and of how many rows.
        reduced: Whether there were scores of steps.
    """

    path: Path
    rows: Sequence[Row]
    index: ItemIndex
    steps: str | None = None
    remarks: Counter[str] = field(default_factory=Counter)
    reduced: bool = False
    _seen: set[str] = field(default_factory=set)
    _times: Counter[str] = field(default_factory=Counter)

    def again(self, name: str) -> bool:
        """Whether something was named before, in the course of the file."""
        known = name in self._seen
        self._seen.add(name)
        return known

    def times(self, name_of: Callable[[Row], str], name: str) -> int:
        """How many rows of the file have a name."""
        if not self._times:
            self._times.update(map(name_of, self.rows))
        return self._times[name]

    def remark(self, sentence: str, times: int = 1) -> None:
        """Notes something of a row, in words that a number of rows follows."""
        self.remarks[sentence] += times


@dataclass(frozen=True, slots=True)
class Form:
    """A form of files.

    Attributes:
        name: What it is called.
        takes: Whether it has these columns.
        read: The scores or verdicts of a row; none if the row belongs to no item.
        verdicts: Whether they are verdicts on pairs.
        states: By benchmark, the rows in its own columns that a file's rows state; of a file that says enough.
    """

    name: str
    takes: Callable[[set[str]], bool]
    read: Callable[[Row, Reading], Iterator[Score | Verdict]]
    verdicts: bool = False
    states: Mapping[str, Callable[[Sequence[Row], Path], Iterator[Row]]] = field(default_factory=dict)


def has(*columns: str, without: Sequence[str] = ()) -> Callable[[set[str]], bool]:
    """Whether there are all of some columns and none of others."""
    return lambda there: there >= set(columns) and not there & set(without)


def number(row: Row, value: Any) -> float:
    """A score; NaN where there is none.

    Raises:
        DataError: If it is no number.
    """
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{row.where}: a score must be a number, not {quoted(value)}")
    try:
        return float(value)
    except OverflowError as error:
        raise DataError(f"{row.where}: a score must be a number that fits a float") from error


_WHOLE = re.compile(r"\s*[+-]?\d{1,18}\s*")
_NUMBERS = re.compile(r"score|reward|^results?$|^k$|correct", re.IGNORECASE)


def from_csv(row: Row) -> Row:
    """A row of CSV, where all is text, with the cells of columns of numbers as what they stand for."""
    return Row(
        {name: _cell(text, row.where) if _NUMBERS.search(name) else text for name, text in row.fields.items()},
        row.where,
    )


def _cell(text: str, where: str) -> Any:
    """What a cell of a CSV file stands for: a number, nothing, a JSON list, or its text."""
    if not text.strip() or text.strip().lower() in ("none", "null", "na", "n/a"):
        return None
    try:
        return int(text) if _WHOLE.fullmatch(text) else float(text)
    except ValueError:
        pass
    try:
        value = parse_json(text)
    except JSONError as error:
        raise DataError(f"{where}: a list of numbers written as JSON cannot be read: {error}") from error
    except ValueError:
        return text
    return value if isinstance(value, list) else text


def numbers(row: Row, column: str, length: int | None = None) -> list[float]:
    """The scores in a column, of `length` if given."""
    value = row.get(column)
    values = value if isinstance(value, list) else [value]
    if length is not None and len(values) != length:
        raise DataError(f"{row.where}: {column!r} must hold one number, not {len(values)}")
    return [number(row, entry) for entry in values]


def of_steps(row: Row, scores: Any, reading: Reading) -> float:
    """One score from a score or those of steps.

    Raises:
        DataError: If there are several and `steps` is None.
    """
    if not isinstance(scores, list):
        return number(row, scores)
    if len(scores) > 1 and reading.steps is None:
        raise DataError(
            f"{row.where}: these are scores of steps, {len(scores)} of one answer: choose how they become one with "
            f"`steps` {', '.join(STEPS)}"
        )
    reading.reduced |= len(scores) > 1
    values = [number(row, score) for score in scores]
    if not values or not all(map(math.isfinite, values)):
        return math.nan
    return float(STEPS[reading.steps or "last"](values))


def winner_of(item: Item) -> int | None:
    """The place of the better answer of an item that has one comparison, with a winner."""
    decided = [comparison for comparison in item.comparisons if comparison.gold is not None]
    return decided[0].members[decided[0].gold or 0] if len(decided) == 1 else None


def pair_verdict(
    item: Item, one: int, other: int, order: int, prefers: float, one_first: bool | None, status: Status = "unparsed"
) -> Verdict:
    """A verdict on two answers in any order.

    Args:
        item: The item.
        one: Place of an answer.
        other: Place of the other.
        order: Which of the verdicts on the pair it is.
        prefers: 1 if the verdict is for `one`, 0 if it is for the other, 0.5 for a declared tie; NaN if there is none.
        one_first: Whether the judge read `one` first; None where that is not known.
        status: Why there is none.
    """
    first = None if one_first is None else int(not one_first)
    if one < other:
        return Verdict(item.id, (one, other), order, prefers, first, status)
    return Verdict(item.id, (other, one), order, 1 - prefers, None if first is None else 1 - first, status)


def result_verdict(row: Row, item: Item, order: int, right: float, right_first: bool | None) -> Verdict:
    """A verdict of which it is known whether it is right, on an item of two answers."""
    winner = winner_of(item)
    if winner is None or len(item.responses) != 2:
        raise DataError(f"{row.where}: one verdict for the {len(item.responses)} answers of item {item.id}")
    return pair_verdict(item, winner, 1 - winner, order, right, right_first)
