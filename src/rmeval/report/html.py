"""Views as HTML fragments: tables and notes without scripts, styles or links, in which all text is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from rmeval.messages import visible
from rmeval.report.cells import Cell, Number, Passage, clean, interval_text, value_text
from rmeval.report.views import Block, Row, Table, View, blocks_of

__all__ = ["blocks_html", "escaped", "html_text", "table_html"]


def html_text(views: Sequence[View]) -> str:
    """Return a `div` for each view."""
    return "\n".join(line for view in views for line in _view(view))


def _view(view: View) -> Iterator[str]:
    yield '<div class="rmeval">'
    yield f"<p>{' '.join(_heading(view))}</p>"
    if view.about:
        yield f"<p>{'<br>'.join(map(escaped, view.about))}</p>"
    if view.absent:
        yield f"<p>{escaped(view.absent)}</p>"
    for table in view.printed:
        yield from blocks_html(table) if table.layout == "blocks" else table_html(table)
        yield from (f"<p><small>{escaped(note)}</small></p>" for note in table.notes)
    if view.below:
        yield from ("<ul>", *(f"<li>{escaped(note)}</li>" for note in view.below), "</ul>")
    if view.source:
        yield f"<p>{'run' if view.model else 'runs'}: <code>{escaped(str(view.source))}</code></p>"
    yield "</div>"


def _heading(view: View) -> Iterator[str]:
    yield f"<strong>{escaped(view.benchmark)}</strong>"
    yield from map(escaped, filter(None, (view.model, view.data)))
    if view.headline:
        yield from (escaped(view.headline[0]), _cell(view.headline[1]))


def table_html(table: Table, kind: str = "") -> Iterator[str]:
    """Yield the lines of a table without its notes.

    Args:
        table: The table.
        kind: Classes of the element `table`.
    """
    yield f'<table class="{kind}">' if kind else "<table>"
    if table.title:
        yield f"<caption>{escaped(table.title)}</caption>"
    if table.layout in ("grid", "stacked"):
        names = "".join(f'<th scope="col">{escaped(name)}</th>' for name in table.shown)
        yield f"<thead><tr>{names}</tr></thead>"
    yield from ("<tbody>", *(_row(row, len(table.shown) - 1) for row in table.rows), "</tbody>", "</table>")


def _row(row: Row, columns: int) -> str:
    label = "&emsp;" * row.level + escaped(row.label)
    cells = "".join(f"<td>{_strong(_cell(cell), row.strong)}</td>" for cell in row.cells[:columns])
    kind = ' class="faint"' if row.faint else ""
    return f'<tr{kind}><th scope="row">{_strong(label, row.strong)}</th>{cells}</tr>'


def _strong(text: str, strong: bool) -> str:
    return f"<strong>{text}</strong>" if strong and text else text


def _cell(cell: Cell) -> str:
    text = escaped(value_text(cell))
    if not isinstance(cell, Number):
        return text
    text = _strong(text, cell.strong)
    if interval := interval_text(cell):
        text += f" <small>{escaped(interval)}</small>"
    return f"{text}<sup>{escaped(cell.letters)}</sup>" if cell.letters else text


def blocks_html(table: Table) -> Iterator[str]:
    """Yield the lines of a table of blocks without its notes."""
    if table.title:
        yield f"<p>{escaped(table.title)}</p>"
    for block in blocks_of(table):
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    facts = "".join(f", {escaped(name)} {_cell(cell)}" for name, cell in block.facts)
    yield f"<p><strong>{escaped(block.label)}</strong>{facts}</p>"
    yield from (f'<p dir="auto">{escaped(name)}: {_passage(passage)}</p>' for name, passage in block.alone)
    if block.pair:
        names = "".join(f'<th scope="col">{_left(escaped(one.caption))}</th>' for one in block.pair)
        texts = "".join(f"<td>{_left(_passage(one))}</td>" for one in block.pair)
        yield f"<table><thead><tr>{names}</tr></thead><tbody><tr>{texts}</tr></tbody></table>"


def _left(text: str) -> str:
    # Style sheets of notebooks align cells to the right, but not what is in them.
    return f'<div align="left" dir="auto">{text}</div>'


def _passage(passage: Passage) -> str:
    """Render a text with its lines; marked words are in `mark` elements."""
    return "<br>".join("".join(_marked(text, marked) for text, marked in line) for line in passage.lines)


def _marked(text: str, marked: bool) -> str:
    shown = html.escape(visible(text)).replace("  ", " &nbsp;")
    return f"<mark>{shown}</mark>" if marked else shown


def escaped(text: str) -> str:
    """Return a text on one line as HTML, without secrets and with escaped control characters."""
    return html.escape(clean(text))
