"""Views: a title, tables of labelled cells, and notes. Every renderer writes the same views."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

from rmeval.report.cells import COUNTS, Cell, Joined, Number, clean

__all__ = ["Row", "Table", "View", "flat_rows"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        label: What its numbers are of, as it is shown.
        cells: One cell a column.
        name: What its numbers are of, in full, where `label` leaves out what the rows above say.
        level: How deep it is indented.
        strong: Whether it stands out.
        faint: Whether it stands back.
    """

    label: str
    cells: tuple[Cell, ...]
    name: str = ""
    level: int = 0
    strong: bool = False
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells.

    Attributes:
        name: What programs call it.
        columns: Names of the columns; the first is that of the labels, and may be empty.
        rows: The rows.
        title: What the table is about.
        notes: How to read it, a sentence or more each, without full stop.
        layout: Where there is a choice, whether intervals are below their numbers (`stacked`), and whether the rows
            are a list of lines rather than a grid (`lines`), or a grid without names of columns (`bare`).
        extra: The last columns, which only programs read: they are in CSV and JSON.
        keys: What programs call the columns, where that is not what people read; the labels are `name`.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    layout: Literal["grid", "stacked", "lines", "bare"] = "grid"
    extra: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns that people see."""
        return self.columns[: len(self.columns) - len(self.extra)]


@dataclass(frozen=True, slots=True)
class View:
    """Tables of one benchmark, and what must be known to read them.

    Attributes:
        benchmark: The benchmark.
        tables: The tables.
        model: The model, if it is one.
        data: What was read or generated.
        headline: A number for the title, and its name.
        about: Units, intervals, rules.
        status: What is unfinished.
        notes: What a reader must know, a sentence each.
        source: The run folder.
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

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes that accompany the numbers in every format."""
        return (*([self.status] if self.status else []), *self.notes)


def flat_rows(view: View) -> Iterator[dict[str, Any]]:
    """Each row of each table as names and plain values: numbers as they are, in several columns with their intervals.

    A number that there is none of is None, and so is an infinite one.
    """
    for table in view.tables:
        label, *names = table.keys or ("name", *table.columns[1:])
        for row in table.rows:
            found: dict[str, Any] = {"benchmark": clean(view.benchmark)}
            if view.model:
                found["model"] = clean(view.model)
            found |= {"table": table.name, label: clean(row.name or row.label)}
            for name, cell in zip(names, row.cells, strict=True):
                # A model may be named as another column is.
                found |= {_free(key, found): value for key, value in _flat(clean(name), cell).items()}
            yield found


def _free(key: str, taken: Collection[str]) -> str:
    """The name of a column, with a number where another column has that name."""
    return next(own for own in chain([key], (f"{key} ({n})" for n in count(2))) if own not in taken)


def _flat(name: str, cell: Cell) -> dict[str, Any]:
    if isinstance(cell, Joined):
        return {
            key: value
            for part, number in zip(cell.names, cell.numbers, strict=True)
            for key, value in _flat(f"{name} {part}", number).items()
        }
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
    """A number of JSON; none for NaN and infinities."""
    return None if not math.isfinite(value) else int(value) if whole else float(value)
