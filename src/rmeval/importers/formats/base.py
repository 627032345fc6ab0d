"""Common parts of file formats: scores and verdicts of a row, and reading of numbers."""

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
from rmeval.protocols.fold import STEPS
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


@dataclass(frozen=True, slots=True)
class Score:
    """A score of one response.

    Attributes:
        item: The item's id.
        response: The response's position in the item.
        value: The score; NaN if it is missing.
        status: The reason for a missing value.
    """

    item: str
    response: int
    value: float
    status: Status = "error"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict on two responses.

    Attributes:
        item: The item's id.
        pair: The responses' positions in the item, the smaller one first.
        order: Number of the verdict among the verdicts on the pair, from 0.
        prefers: 1 for the first of the pair, 0 for the second, 0.5 for a declared tie; NaN if the verdict is missing.
        shown_first: Which of the pair the judge read first, 0 or 1; None if unknown.
        status: The reason for a missing value.
    """

    item: str
    pair: tuple[int, int]
    order: int
    prefers: float
    shown_first: int | None = None
    status: Status = "unparsed"


@dataclass(slots=True)
class Reading:
    """State while a file is read.

    Attributes:
        path: The file.
        rows: Its rows.
        index: The items.
        steps: Reduction of step scores, a name of `STEPS`; None if the user gave none.
        remarks: Notes on rows, each with the number of rows.
        reduced: Whether the file has scores of steps.
        model: The reward model whose scores to read from a file with those of several; None if the user gave none.
    """

    path: Path
    rows: Sequence[Row]
    index: ItemIndex
    steps: str | None = None
    remarks: Counter[str] = field(default_factory=Counter)
    reduced: bool = False
    model: str | None = None
    _seen: set[str] = field(default_factory=set)
    _times: Counter[str] = field(default_factory=Counter)

    def again(self, name: str) -> bool:
        """Record a name and return whether it occurred before."""
        known = name in self._seen
        self._seen.add(name)
        return known

    def times(self, name_of: Callable[[Row], str], name: str) -> int:
        """Return the number of rows of the file with a name."""
        if not self._times:
            self._times.update(map(name_of, self.rows))
        return self._times[name]

    def remark(self, sentence: str, times: int = 1) -> None:
        """Count a row for a note, which ends with the number of rows."""
        self.remarks[sentence] += times


@dataclass(frozen=True, slots=True)
class Form:
    """A file format.

    Attributes:
        name: Description of the format, for messages.
        takes: Returns whether a set of columns is that of the format.
        read: Reads the scores or verdicts of a row; yields nothing if the row belongs to no item.
        verdicts: Whether the format has verdicts on pairs.
        states: By benchmark, a function that derives rows in the benchmark's columns from the file's rows, for formats
            that contain enough information.
    """

    name: str
    takes: Callable[[set[str]], bool]
    read: Callable[[Row, Reading], Iterator[Score | Verdict]]
    verdicts: bool = False
    states: Mapping[str, Callable[[Sequence[Row], Path], Iterator[Row]]] = field(default_factory=dict)


def has(*columns: str, without: Sequence[str] = ()) -> Callable[[set[str]], bool]:
    """Return a test of columns: all of `columns` exist and none of `without`."""
    return lambda there: there >= set(columns) and not there & set(without)


def number(row: Row, value: Any) -> float:
    """Read a score; NaN for a missing one.

    Raises:
        DataError: If it is not a number.
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
        raise DataError(f"{row.where}: a score must be a number in the range of a float: correct it") from error


_WHOLE = re.compile(r"\s*[+-]?\d{1,18}\s*")
_NUMBERS = re.compile(r"score|reward|^results?$|^k$|correct", re.IGNORECASE)


def from_csv(row: Row) -> Row:
    """Parse the cells of number columns in a row of CSV, where all values are text."""
    return Row(
        {name: _cell(text, row.where) if _NUMBERS.search(name) else text for name, text in row.fields.items()},
        row.where,
    )


def _cell(text: str, where: str) -> Any:
    """Return the value of a CSV cell: a number, None, a JSON list, or its text."""
    if not text.strip() or text.strip().lower() in ("none", "null", "na", "n/a"):
        return None
    try:
        return int(text) if _WHOLE.fullmatch(text) else float(text)
    except ValueError:
        pass
    try:
        value = parse_json(text)
    except JSONError as error:
        raise DataError(f"{where}: the list of numbers is not valid JSON ({error}): correct it") from error
    except ValueError:
        return text
    return value if isinstance(value, list) else text


def numbers(row: Row, column: str, length: int | None = None) -> list[float]:
    """Read the scores in a column, `length` of them if given."""
    value = row.get(column)
    values = value if isinstance(value, list) else [value]
    if length is not None and len(values) != length:
        raise DataError(f"{row.where}: {column!r} must contain one number, not {len(values)}")
    return [number(row, entry) for entry in values]


def of_steps(row: Row, scores: Any, reading: Reading) -> float:
    """Reduce a score or step scores to one score.

    Raises:
        DataError: If there are several scores and `steps` is None.
    """
    if not isinstance(scores, list):
        return number(row, scores)
    if len(scores) > 1 and reading.steps is None:
        raise DataError(
            f"{row.where}: a response has {len(scores)} scores, one for each step: choose how to reduce them with "
            f"`steps` {', '.join(STEPS)}"
        )
    reading.reduced |= len(scores) > 1
    values = [number(row, score) for score in scores]
    if not values or not all(map(math.isfinite, values)):
        return math.nan
    return float(STEPS[reading.steps or "last"](values))


def winner_of(item: Item) -> int | None:
    """Return the position of the better response of an item with one comparison; None without a winner."""
    decided = [comparison for comparison in item.comparisons if comparison.gold is not None]
    return decided[0].members[decided[0].gold or 0] if len(decided) == 1 else None


def pair_verdict(
    item: Item, one: int, other: int, order: int, prefers: float, one_first: bool | None, status: Status = "unparsed"
) -> Verdict:
    """Create a verdict on two responses, given in any order.

    Args:
        item: The item.
        one: Position of a response.
        other: Position of the other response.
        order: Number of the verdict among the verdicts on the pair.
        prefers: 1 if the verdict is for `one`, 0 if it is for the other, 0.5 for a declared tie; NaN for a missing
            verdict.
        one_first: Whether the judge read `one` first; None if unknown.
        status: The reason for a missing value.
    """
    first = None if one_first is None else int(not one_first)
    if one < other:
        return Verdict(item.id, (one, other), order, prefers, first, status)
    return Verdict(item.id, (other, one), order, 1 - prefers, None if first is None else 1 - first, status)


def winner_of_pair(row: Row, item: Item) -> int:
    """The position of the better of an item's two responses.

    Raises:
        DataError: If it has another number of responses, or no winner.
    """
    winner = winner_of(item)
    if winner is None or len(item.responses) != 2:
        raise DataError(
            f"{row.where}: the row has one verdict, but item {item.id} has {len(item.responses)} responses: check "
            "`benchmark` and `data`"
        )
    return winner


def result_verdict(row: Row, item: Item, order: int, right: float, right_first: bool | None) -> Verdict:
    """Make a verdict from its correctness, on an item of two responses."""
    winner = winner_of_pair(row, item)
    return pair_verdict(item, winner, 1 - winner, order, right, right_first)
