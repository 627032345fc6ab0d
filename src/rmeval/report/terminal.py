"""Text and tables on a terminal; names from files can neither control it nor add lines."""

from __future__ import annotations

import io
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table as Columns
from rich.text import Text

from rmeval.messages import count_of, visible
from rmeval.report.cells import COUNT, Cell, Number, Passage, clean, interval_text, value_text
from rmeval.report.grid import Grid
from rmeval.report.views import Block, Row, Table, View, blocks_of

__all__ = [
    "Line",
    "Screen",
    "make_console",
    "new_grid",
    "passage",
    "print_briefly",
    "print_views",
    "rendered",
    "stacked",
    "views_text",
]

_PIPED = 100
"""Width in columns if the output is not a terminal."""


class Line(Text):
    """Text on one line, without secrets; line breaks and control characters in its parts are shown as escapes."""

    def __init__(self, text: str = "", style: Any = "", **options: Any) -> None:
        super().__init__(_shown(text), style, **options)

    def append(self, text: Text | str, style: Any = None) -> Text:
        """Append text."""
        return super().append(_shown(text) if isinstance(text, str) else text, style)


def _shown(text: str) -> str:
    return _encodable(clean(text))


def _encodable(text: str) -> str:
    # Escape characters that standard output cannot encode, so that the width of columns is right.
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def passage(text: str) -> Text:
    """Return text that may have several lines, such as a conversation."""
    return Text(visible(text, lines=True))


def stacked(*lines: Text) -> Text:
    """Join lines to one text."""
    return Text("\n").join(lines)


class Screen(Console):
    """A console that does not interpret markup or emoji codes in names, and shows control characters as escapes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render segments; control segments of rich, such as cursor movements of a progress bar, are unchanged."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(visible(segment.text, lines=True), segment.style)

    def on_broken_pipe(self) -> None:
        """Raise the error instead of exiting, so that the caller handles a closed pipe."""
        raise  # rich calls this method while it handles the error.


def make_console() -> Console:
    """Return a console for standard output, wide enough for tables if it is not a terminal."""
    console = Screen()
    return console if console.is_terminal else Screen(width=_PIPED)


def print_views(views: Sequence[View]) -> None:
    """Print views on standard output."""
    _print(make_console(), views)


def print_briefly(views: Sequence[View], title: str = "") -> None:
    """Print the heading of each view, its description, and its run folder."""
    console = make_console()
    if title:
        console.print("", Line(title, "dim"), sep="\n")
    for view in views:
        heading = _heading(view)
        for line in view.about:
            heading.append("  ").append(Line(line))
        console.print(heading, soft_wrap=True)
        if view.absent:
            console.print(Line(f"  ! {view.absent}", "yellow"), soft_wrap=True)
        if view.source:
            console.print(Line(f"  {view.source}", "dim"), soft_wrap=True)


def views_text(views: Sequence[View]) -> str:
    """Return views as they are printed if the output is not a terminal."""
    screen = Screen(width=_PIPED, file=io.StringIO())
    _print(screen, views)
    text: str = screen.file.getvalue()  # type: ignore[attr-defined]
    return text


def _print(console: Console, views: Sequence[View]) -> None:
    for place, view in enumerate(views):
        if place:
            console.print()
        console.print(rendered(view), crop=False)


def rendered(view: View) -> Group:
    """Return a view as a renderable of rich."""
    parts: list[RenderableType] = [_heading(view), *(Line(line, "dim") for line in view.about)]
    if view.absent:
        parts.append(Line(f"! {view.absent}", "yellow"))
    if view.legend:
        # Keep a name on one line, so that it can be copied.
        lines = (_line(view.legend, row) for row in view.legend.rows)
        parts += ["", *(Text.assemble(line, no_wrap=True, overflow="ignore") for line in lines)]
    for table in view.tables:
        parts += ["", *_table(table)]
    if not view.tables or view.tables[-1].layout == "blocks":
        parts.append("")
    if view.status:
        parts.append(Line(view.status, "yellow"))
    parts += [Line(f"! {note}", style="yellow") for note in view.notes]
    if view.source:
        # Keep a path on one line, so that it can be copied.
        parts.append(
            Line(f"{'run' if view.model else 'runs'}: {view.source}", style="dim", no_wrap=True, overflow="ignore")
        )
    return Group(*parts)


def _heading(view: View) -> Text:
    found = Line.assemble((view.benchmark, "bold"))
    if view.model:
        found.append("  ").append(Line(view.model, "bold cyan"))
    if view.data:
        found.append("  ").append(Line(view.data))
    if view.headline:
        name, number = view.headline
        found.append(f"  {name} " if name else "  ").append(_cell(number))
    return found


def _table(table: Table) -> Iterator[RenderableType]:
    if table.title:
        yield Line(table.title, "dim")
    if table.layout == "blocks":
        for block in blocks_of(table):
            yield from _block(block)
    elif table.layout == "lines":
        yield from (_line(table, row) for row in table.rows)
    else:
        yield _grid(table)
    yield from (Line(note, "dim") for note in table.notes)


def _block(block: Block) -> Iterator[RenderableType]:
    heading = Line.assemble(("", ""), (block.label, "bold"))
    for name, cell in block.facts:
        heading.append("  ").append(Line(f"{name} ", "dim")).append(_cell(cell))
    yield from ("", heading)
    for name, passage in block.alone:
        yield Line(name, "dim")
        yield _columns([_marked(passage)])
    if not block.pair:
        return
    sides = [(Line(one.caption, "dim"), _marked(one)) for one in block.pair]
    if any(_is_uneven(text) for one in block.pair for text, _ in one.parts):
        yield from (_columns([line]) for side in sides for line in side)
    else:
        yield _columns(*zip(*sides, strict=True))


def _columns(*rows: Sequence[Text]) -> Columns:
    """Put texts side by side in columns of equal width."""
    grid = Columns.grid(expand=True, padding=(0, 0, 0, 2), pad_edge=True)
    for _ in rows[0]:
        grid.add_column(ratio=1, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    return grid


_MARKS = {1: ("{+", "+}", "bold green"), -1: ("[-", "-]", "bold red"), 0: ("", "", "")}
"""Marks around the words that only one of two texts has; they are visible without colours."""
_TAB = 4


def _marked(passage: Passage) -> Text:
    before, after, style = _MARKS[passage.side]
    found = Text()
    for number, line in enumerate(passage.lines):
        found.append("\n" if number else "")
        for text, marked in line:
            own = _encodable(visible(text, lines=True)).expandtabs(_TAB)
            found.append(f"{before}{own}{after}" if marked else own, style if marked else "")
    return found


def _is_uneven(text: str) -> bool:
    """Whether a terminal may draw the text from right to left, or with another width than its letters have."""
    return not text.isascii() and any(
        letter in "\u200c\u200d\ufe0f" or unicodedata.bidirectional(letter) in ("R", "AL") for letter in text
    )


def _line(table: Table, row: Row) -> Text:
    found = Line.assemble((row.label, "bold" if row.strong else ""))
    for column, cell in zip(table.shown[1:], row.cells, strict=False):
        counted = isinstance(cell, Number) and cell.unit is COUNT
        own = Line(count_of(int(cell.value), column.removesuffix("s"))) if counted else _cell(cell)  # type: ignore[union-attr]
        found.append("  ").append(own)
    return found


def _grid(table: Table) -> Grid:
    grid = new_grid(*table.shown)
    grid.show_header = table.layout != "bare"
    for row in table.rows:
        cells = [_cell(cell, table.layout == "stacked", row.faint) for cell in row.cells[: len(table.shown) - 1]]
        label = Line(f"{'  ' * row.level}{row.label}", "dim" if row.faint else "")
        grid.add_row(label, *cells, style="bold" if row.strong else "")
    for place in range(len(table.shown) - 1):
        if all(isinstance(row.cells[place], str) for row in table.rows):
            grid.texts.add(place + 1)
    grid.left |= {place for place, letter in enumerate(table.alignment) if letter == "l"}
    return grid


def new_grid(first: str, *rest: str) -> Grid:
    """Create a table without lines, with names in the first column and numbers in the others."""
    return Grid([Line(name) for name in (first, *rest)], Line)


_SIDES = {-1: "magenta", 0: "", 1: "cyan"}


def _cell(cell: Cell, below: bool = False, faint: bool = False) -> Text:
    """Return a cell with its interval beside or below it."""
    if not isinstance(cell, Number):
        return Line(value_text(cell))
    style = "bold" if cell.strong else "dim" if faint else _SIDES[cell.side]
    found: Text = Line(value_text(cell), style)
    if cell.interval is not None:
        interval = Line(interval_text(cell), "" if cell.unit.brackets else "dim not bold")
        found = stacked(found, interval) if below else found.append(" ").append(interval)
    if cell.letters is not None:
        found.append(f" {cell.letters:<3}" if cell.letters else "    ", "dim")
    return found
