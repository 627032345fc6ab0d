"""Renderer of views as LaTeX tables, for the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rmeval.messages import visible
from rmeval.report.cells import Cell, Joined, Number, Passage, clean, interval_text, value_text
from rmeval.report.views import Row, Table, View, blocks_of

__all__ = ["escaped", "latex_text"]


def latex_text(views: Sequence[View]) -> str:
    r"""Return each table as an environment `table`, which needs `\usepackage{booktabs}` in the preamble."""
    lines = ["% \\usepackage{booktabs}"]
    for view in views:
        for table in view.printed:
            own = _blocks if table.layout == "blocks" else _table
            lines += ["", *own(view, table, last=table is view.tables[-1])]
        if not view.tables:
            lines += ["", *(f"% {clean(text)}" for text in (*view.about, *view.remarks))]
    return "\n".join([*lines, ""])


def _table(view: View, table: Table, last: bool) -> Iterator[str]:
    columns = len(table.shown)
    yield from ("\\begin{table}[t]", "\\centering", f"\\caption{{{_caption(view, table)}}}")
    yield from (f"\\begin{{tabular}}{{{table.alignment}}}", "\\toprule")
    if table.layout in ("grid", "stacked"):
        yield from (_line([escaped(name) for name in table.shown]), "\\midrule")
    yield from (_row(row, columns - 1) for row in table.rows)
    yield from ("\\bottomrule", "\\end{tabular}")
    for note in (*table.notes, *(view.below if last else ())):
        yield f"\\par\\footnotesize {escaped(note)}"
    yield "\\end{table}"


def _blocks(view: View, table: Table, last: bool) -> Iterator[str]:
    """Yield a paragraph for each row, and below it a table with its passages in two columns."""
    yield f"\\paragraph{{{_caption(view, table)}}}"
    for block in blocks_of(table):
        facts = (f"{escaped(name)} {_cell(cell, strong=False)}" for name, cell in block.facts)
        label = f"\\textbf{{{escaped(block.label)}}}"
        yield f"\\par\\bigskip\\noindent {', '.join([label, *facts])}"
        for name, passage in block.alone:
            yield f"\\par\\noindent\\emph{{{escaped(name)}}} {_passage(passage)}"
        if block.pair:
            yield "\\par\\medskip\\noindent\\begin{tabular}{p{0.46\\linewidth}p{0.46\\linewidth}}"
            yield from ("\\toprule", _line([escaped(one.caption) for one in block.pair]), "\\midrule")
            yield from (_line([_passage(one) for one in block.pair]), "\\bottomrule", "\\end{tabular}")
    for note in (*table.notes, *(view.remarks if last else ())):
        yield f"\\par\\footnotesize {escaped(note)}"


def _passage(passage: Passage) -> str:
    """Render a text with marked words in bold."""
    return " \\newline ".join(map(_marked, passage.lines)).strip()


def _marked(line: Sequence[tuple[str, bool]]) -> str:
    found = (f"\\textbf{{{_plain(text)}}}" if marked else _plain(text) for text, marked in line)
    # Spaces at the beginning, such as those of code, stay; a box that is empty lets an empty line be one.
    return re.sub("^ +", lambda spaces: "~" * len(spaces[0]), "".join(found)) or "\\mbox{}"


def _caption(view: View, table: Table) -> str:
    parts = [view.benchmark, view.model, view.data]
    if view.headline:
        name, number = view.headline
        parts.append(f"{name} {value_text(number)} {interval_text(number)}".strip())
    title = [", ".join(filter(None, parts)), table.title, *view.about, view.absent]
    return ". ".join(escaped(text) for text in title if text) + "."


def _row(row: Row, columns: int) -> str:
    cells = [_cell(cell, row.strong) for cell in row.cells[:columns]]
    cells += [""] * (columns - len(cells))
    label = escaped(row.label)
    return _line(["\\quad " * row.level + (f"\\textbf{{{label}}}" if row.strong else label), *cells])


def _line(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _cell(cell: Cell, strong: bool) -> str:
    text = _number(value_text(cell)) if isinstance(cell, Number | Joined) else escaped(value_text(cell))
    if text and (strong or (isinstance(cell, Number) and cell.strong)):
        text = f"\\textbf{{{text}}}"
    if interval := interval_text(cell):
        text += f" {{\\footnotesize {_number(interval)}}}"
    if isinstance(cell, Number) and cell.letters:
        text += f"\\textsuperscript{{{escaped(cell.letters)}}}"
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


def escaped(text: str) -> str:
    """Escape LaTeX's special characters in a text."""
    return _plain(clean(text))


def _plain(text: str) -> str:
    """Escape LaTeX's special characters and control characters in a line."""
    return _ACTIVE.sub(lambda letter: _ESCAPES[letter[0]], visible(text))


def _number(text: str) -> str:
    """Format a number or an interval: a minus sign before negative numbers, and an en dash in a range."""
    text = _RANGE.sub("--", escaped(text))
    return _NEGATIVE.sub("$-$", text)


_RANGE = re.compile(r"(?<=\d)-(?=\d)")
_NEGATIVE = re.compile(r"(?<![\w-])-(?=\d)")
