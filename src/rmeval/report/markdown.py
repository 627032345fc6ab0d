"""Renderer of views as Markdown, with GitHub's tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rmeval.report.cells import Cell, Number, clean, interval_text, value_text
from rmeval.report.views import Row, Table, View

__all__ = ["markdown_text"]


def markdown_text(views: Sequence[View]) -> str:
    """Return the views, separated by blank lines."""
    return "\n".join(line for view in views for line in (*_view(view), ""))


def _view(view: View) -> Iterator[str]:
    model = f" {_escaped(view.model)}" if view.model else ""
    data = f" ({_escaped(view.data)})" if view.data else ""
    number = ""
    if view.headline:
        number = f": {_escaped(view.headline[0])} {_cell(view.headline[1])}".replace(":  ", ": ")
    yield f"**{_escaped(view.benchmark)}**{model}{data}{number}"
    if view.about:
        yield from ("", *(f"{_escaped(line)}  " for line in view.about[:-1]), _escaped(view.about[-1]))
    if view.absent:
        yield from ("", _escaped(view.absent))
    for table in view.printed:
        yield from _table(table)
    if view.below:
        yield from ("", *(f"* {_escaped(note)}" for note in view.below))


def _table(table: Table) -> Iterator[str]:
    yield ""
    if table.title:
        yield from (_escaped(table.title), "")
    yield _line(table.shown)
    yield "|" + "|".join([" :-- ", *[" --: "] * (len(table.shown) - 1)]) + "|"
    for row in table.rows:
        yield _row(row, len(table.shown) - 1)
    for note in table.notes:
        yield from ("", _escaped(note))


def _row(row: Row, columns: int) -> str:
    indent = "&emsp;" * row.level
    label = _escaped(row.label)
    cells = (_cell(cell) for cell in row.cells[:columns])
    if row.strong:
        label, cells = f"**{label}**", (f"**{value}**{rest}" for value, rest in map(_parts, row.cells[:columns]))
    return f"| {' | '.join([indent + label, *cells])} |".replace("****", "")


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escaped, texts))} |"


def _cell(cell: Cell) -> str:
    value, rest = _parts(cell)
    return f"**{value}**{rest}" if isinstance(cell, Number) and cell.strong else f"{value}{rest}"


def _parts(cell: Cell) -> tuple[str, str]:
    """Return a cell's value, and its interval with letters."""
    rest = f" {_escaped(interval)}" if (interval := interval_text(cell)) else ""
    if isinstance(cell, Number) and cell.letters:
        rest += f" {cell.letters}"
    return _escaped(value_text(cell)), rest


_ACTIVE = re.compile(r"([\\`*_\[\]<>|~$#!])")


def _escaped(text: str) -> str:
    """Escape Markdown's special characters in a text."""
    return _ACTIVE.sub(r"\\\1", clean(text).replace("&", "&amp;"))
