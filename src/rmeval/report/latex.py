"""Renderer of views as LaTeX tables, for the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rmeval.report.cells import Cell, Joined, Number, clean, interval_text, value_text
from rmeval.report.views import Row, Table, View

__all__ = ["latex_text"]


def latex_text(views: Sequence[View]) -> str:
    r"""Return each table as an environment `table`, which needs `\usepackage{booktabs}` in the preamble."""
    lines = ["% \\usepackage{booktabs}"]
    for view in views:
        for table in view.printed:
            lines += ["", *_table(view, table, last=table is view.tables[-1])]
        if not view.tables:
            lines += ["", *(f"% {clean(text)}" for text in (*view.about, *view.remarks))]
    return "\n".join([*lines, ""])


def _table(view: View, table: Table, last: bool) -> Iterator[str]:
    columns = len(table.shown)
    yield from ("\\begin{table}[t]", "\\centering", f"\\caption{{{_caption(view, table)}}}")
    yield from (f"\\begin{{tabular}}{{l{'r' * (columns - 1)}}}", "\\toprule")
    if table.layout in ("grid", "stacked"):
        yield from (_line([_escaped(name) for name in table.shown]), "\\midrule")
    yield from (_row(row, columns - 1) for row in table.rows)
    yield from ("\\bottomrule", "\\end{tabular}")
    for note in (*table.notes, *(view.below if last else ())):
        yield f"\\par\\footnotesize {_escaped(note)}"
    yield "\\end{table}"


def _caption(view: View, table: Table) -> str:
    parts = [view.benchmark, view.model, view.data]
    if view.headline:
        name, number = view.headline
        parts.append(f"{name} {value_text(number)} {interval_text(number)}".strip())
    title = [", ".join(filter(None, parts)), table.title, *view.about, view.absent]
    return ". ".join(_escaped(text) for text in title if text) + "."


def _row(row: Row, columns: int) -> str:
    cells = [_cell(cell, row.strong) for cell in row.cells[:columns]]
    cells += [""] * (columns - len(cells))
    label = _escaped(row.label)
    return _line(["\\quad " * row.level + (f"\\textbf{{{label}}}" if row.strong else label), *cells])


def _line(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(cell: Cell, strong: bool) -> str:
    text = _number(value_text(cell)) if isinstance(cell, Number | Joined) else _escaped(value_text(cell))
    if text and (strong or (isinstance(cell, Number) and cell.strong)):
        text = f"\\textbf{{{text}}}"
    if interval := interval_text(cell):
        text += f" {{\\footnotesize {_number(interval)}}}"
    if isinstance(cell, Number) and cell.letters:
        text += f"\\textsuperscript{{{_escaped(cell.letters)}}}"
    return text


_ESCAPES = {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    "[": "{[}",
    "]": "{]}",
    **{letter: f"\\{letter}" for letter in "{}$&#_%"},
}
_ACTIVE = re.compile("[" + re.escape("".join(_ESCAPES)) + "]")


def _escaped(text: str) -> str:
    """Escape LaTeX's special characters in a text."""
    return _ACTIVE.sub(lambda letter: _ESCAPES[letter[0]], clean(text))


def _number(text: str) -> str:
    """Format a number or an interval: a minus sign before negative numbers, and an en dash in a range."""
    text = _RANGE.sub("--", _escaped(text))
    return _NEGATIVE.sub("$-$", text)


_RANGE = re.compile(r"(?<=\d)-(?=\d)")
_NEGATIVE = re.compile(r"(?<![\w-])-(?=\d)")
