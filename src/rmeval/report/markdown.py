"""Renderer of views as Markdown, with GitHub's tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rmeval.messages import visible
from rmeval.report.cells import Cell, Number, Passage, clean, interval_text, value_text
from rmeval.report.views import Block, Row, Table, View, blocks_of

__all__ = ["escaped", "markdown_text"]


def markdown_text(views: Sequence[View]) -> str:
    """Return the views, separated by blank lines."""
    return "\n".join(line for view in views for line in (*_view(view), ""))


def _view(view: View) -> Iterator[str]:
    model = f" {escaped(view.model)}" if view.model else ""
    data = f" ({escaped(view.data)})" if view.data else ""
    number = ""
    if view.headline:
        number = f": {escaped(view.headline[0])} {_cell(view.headline[1])}".replace(":  ", ": ")
    yield f"**{escaped(view.benchmark)}**{model}{data}{number}"
    if view.about:
        yield from ("", *(f"{escaped(line)}  " for line in view.about[:-1]), escaped(view.about[-1]))
    if view.absent:
        yield from ("", escaped(view.absent))
    for table in view.printed:
        yield from _table(table)
    if view.below:
        yield from ("", *(f"* {escaped(note)}" for note in view.below))


def _table(table: Table) -> Iterator[str]:
    yield ""
    if table.title:
        yield from (escaped(table.title), "")
    if table.layout == "blocks":
        for block in blocks_of(table):
            yield from _block(block)
        return
    yield _line(table.shown)
    yield "|" + "|".join({"l": " :-- ", "r": " --: "}[letter] for letter in table.alignment) + "|"
    for row in table.rows:
        yield _row(row, len(table.shown) - 1)
    for note in table.notes:
        yield from ("", escaped(note))


def _block(block: Block) -> Iterator[str]:
    facts = (f"{escaped(name)} {_cell(cell)}" for name, cell in block.facts)
    yield from (", ".join([f"**{escaped(block.label)}**", *facts]), "")
    for name, passage in block.alone:
        yield from (f"{escaped(name)}: {_passage(passage)}", "")
    if block.pair:
        yield _line([one.caption for one in block.pair])
        yield "|" + "|".join(" :-- " for _ in block.pair) + "|"
        yield f"| {' | '.join(map(_passage, block.pair))} |"
        yield ""


def _passage(passage: Passage) -> str:
    """Render a text on one line of Markdown, with marked words in bold."""
    return "<br>".join(_marked(line) for line in passage.lines)


def _marked(line: Sequence[tuple[str, bool]]) -> str:
    text = "".join(one for one, _ in line)
    found, place = [], 0
    for one, marked in line:
        before, after = text[place - 1 : place], text[place + len(one) : place + len(one) + 1]
        place += len(one)
        found.append(_bold(_plain(one), _is_plain(before, one, after)) if marked else _plain(one))
    # Spaces at the beginning, such as those of code, stay.
    return re.sub("^ +", lambda spaces: "&nbsp;" * len(spaces[0]), "".join(found))


def _bold(text: str, plain: bool) -> str:
    return f"**{text}**" if plain else f"<strong>{text}</strong>"


def _is_plain(before: str, text: str, after: str) -> bool:
    """Whether asterisks around the text begin and end bold text, by CommonMark's rule of delimiter runs."""
    begins = text[:1].isalnum() or (not before.isalnum() and not text[:1].isspace())
    ends = text[-1:].isalnum() or (not after.isalnum() and not text[-1:].isspace())
    return begins and ends


def _row(row: Row, columns: int) -> str:
    indent = "&emsp;" * row.level
    label = escaped(row.label)
    cells = (_cell(cell) for cell in row.cells[:columns])
    if row.strong:
        label, cells = f"**{label}**", (f"**{value}**{rest}" for value, rest in map(_parts, row.cells[:columns]))
    return f"| {' | '.join([indent + label, *cells])} |".replace("****", "")


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(map(escaped, texts))} |"


def _cell(cell: Cell) -> str:
    value, rest = _parts(cell)
    return f"**{value}**{rest}" if isinstance(cell, Number) and cell.strong else f"{value}{rest}"


def _parts(cell: Cell) -> tuple[str, str]:
    """Return a cell's value, and its interval with letters."""
    rest = f" {escaped(interval)}" if (interval := interval_text(cell)) else ""
    if isinstance(cell, Number) and cell.letters:
        rest += f" {cell.letters}"
    return escaped(value_text(cell)), rest


_ACTIVE = re.compile(r"([\\`*_\[\]<>|~$#!])")


def escaped(text: str) -> str:
    """Escape Markdown's special characters in a text."""
    return _plain(clean(text))


def _plain(text: str) -> str:
    """Escape Markdown's special characters and control characters in a line."""
    return _ACTIVE.sub(r"\\\1", visible(text).replace("&", "&amp;"))
