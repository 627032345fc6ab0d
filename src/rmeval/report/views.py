"""Views: a title, tables of labelled cells, and notes; the common input of all renderers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rmeval.report.cells import COUNTS, Cell, Joined, Number, Passage, clean

__all__ = ["Block", "Row", "Table", "View", "blocks_of", "flat_rows", "worded"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        label: Name of the row, as shown.
        cells: One cell per column.
        name: Full name of the row, if `label` omits parts that the rows above contain.
        level: Level of indentation.
        strong: Whether to emphasise the row.
        faint: Whether to show the row dimmed.
    """

    label: str
    cells: tuple[Cell, ...]
    name: str = ""
    level: int = 0
    strong: bool = False
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of rows of cells.

    Attributes:
        name: Name of the table in CSV and JSON.
        columns: Names of the columns; the first is the name of the labels and may be empty.
        rows: The rows.
        title: Title of the table.
        notes: Explanations, one or more sentences each, without a final full stop.
        layout: Layout in renderers that support it: intervals below their numbers (`stacked`), a list of lines instead
            of a grid (`lines`), a grid without column names (`bare`), or one block per row, with passages side by side
            (`blocks`).
        extra: The last columns, which are written to CSV and JSON only.
        keys: Names of the columns in CSV and JSON, if they differ from `columns`; the labels are `name`.
        left: Columns of words, which are aligned on the left like the labels.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    layout: Literal["grid", "stacked", "lines", "bare", "blocks"] = "grid"
    extra: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns that are shown."""
        return self.columns[: len(self.columns) - len(self.extra)]

    @property
    def alignment(self) -> str:
        """A letter for each column that is shown: `l` for left, `r` for right."""
        return "".join("l" if not place or name in self.left else "r" for place, name in enumerate(self.shown))


@dataclass(frozen=True, slots=True)
class View:
    """Tables of one benchmark, with the information that is needed to interpret them.

    Attributes:
        benchmark: The benchmark.
        tables: The tables.
        model: The model, if all tables belong to one.
        data: The data that were read or generated.
        headline: Name and value of the number in the title.
        about: Units, intervals, rules.
        status: A note on an unfinished run.
        notes: Notes for the reader, one sentence each.
        source: The run folder.
        absent: A sentence that stands before the numbers: why the official headline does not exist.
        legend: The full names that short labels in the tables stand for. CSV and JSON contain the full names.
    """

    benchmark: str
    tables: tuple[Table, ...]
    model: str = ""
    data: str = ""
    headline: tuple[str, Number] | None = None
    about: tuple[str, ...] = ()
    status: str = ""
    notes: tuple[str, ...] = ()
    source: Path | None = None
    absent: str = ""
    legend: Table | None = None

    @property
    def remarks(self) -> tuple[str, ...]:
        """Everything that accompanies the numbers in every format."""
        return (*([self.absent] if self.absent else []), *self.below)

    @property
    def below(self) -> tuple[str, ...]:
        """Status and notes, which stand below the numbers."""
        return (*([self.status] if self.status else []), *self.notes)

    @property
    def printed(self) -> tuple[Table, ...]:
        """The legend, if there is one, and the tables."""
        return (*([self.legend] if self.legend else []), *self.tables)


@dataclass(frozen=True, slots=True)
class Block:
    """A row of a table of blocks, as it is shown.

    Attributes:
        label: What it is of.
        facts: The short cells, each with the name of its column.
        alone: The passages over the whole width, each with the name of its column.
        pair: The two passages side by side.
    """

    label: str
    facts: tuple[tuple[str, Cell], ...]
    alone: tuple[tuple[str, Passage], ...]
    pair: tuple[Passage, ...]


def blocks_of(table: Table) -> Iterator[Block]:
    """Yield the rows of a table of blocks, without empty facts."""
    for row in table.rows:
        cells = list(zip(table.shown[1:], row.cells, strict=False))
        passages = [(name, cell) for name, cell in cells if isinstance(cell, Passage)]
        facts = tuple((name, cell) for name, cell in cells if cell and not isinstance(cell, Passage))
        alone = tuple((name, cell) for name, cell in passages if not cell.side)
        yield Block(row.label, facts, alone, tuple(cell for _, cell in passages if cell.side))


def worded(view: View, wording: Callable[[str], str]) -> View:
    """Return a view whose titles, notes and explanations went through a function, such as one that names flags."""
    tables = (
        replace(table, title=wording(table.title), notes=tuple(map(wording, table.notes))) for table in view.tables
    )
    about, notes = (tuple(map(wording, texts)) for texts in (view.about, view.notes))
    return replace(view, tables=tuple(tables), about=about, notes=notes, absent=wording(view.absent))


def flat_rows(view: View) -> Iterator[dict[str, Any]]:
    """Yield each row of each table as a mapping of names to plain values, with separate keys for interval ends.

    Missing and infinite numbers are None. Columns whose names come from the data, such as models, do not replace other
    columns: a second `name` is `name (2)`.
    """
    for table in view.tables:
        label, *names = table.keys or ("name", *table.columns[1:])
        for row in table.rows:
            found: dict[str, Any] = {"benchmark": clean(view.benchmark)}
            if view.model:
                found["model"] = clean(view.model)
            elif view.data and "data" not in names:
                found["data"] = clean(view.data)
            found |= {"table": table.name, label: clean(row.name or row.label)}
            for name, cell in zip(names, row.cells, strict=True):
                for key, value in _flat(clean(name), cell).items():
                    found[_distinct(key, found)] = value
            yield found


def _distinct(key: str, taken: Mapping[str, Any]) -> str:
    names = (key if count == 1 else f"{key} ({count})" for count in itertools.count(1))
    return next(name for name in names if name not in taken)


def _flat(name: str, cell: Cell) -> dict[str, Any]:
    if isinstance(cell, Joined):
        return {
            key: value
            for part, number in zip(cell.names, cell.numbers, strict=True)
            for key, value in _flat(f"{name} {part}", number).items()
        }
    if isinstance(cell, Passage):
        return {name: cell.text}
    if not isinstance(cell, Number):
        return {name: None if cell is None else clean(cell)}
    whole = cell.unit in COUNTS
    found: dict[str, Any] = {name: _plain(cell.value, whole)}
    if cell.interval is not None:
        found |= {f"{name} low": _plain(cell.interval[0], whole), f"{name} high": _plain(cell.interval[1], whole)}
    if cell.letters is not None:
        found[f"{name} letters"] = cell.letters
    return found


def _plain(value: float, whole: bool) -> float | int | None:
    """Return a number for JSON; None for NaN and infinities."""
    return None if not math.isfinite(value) else int(value) if whole else float(value)
