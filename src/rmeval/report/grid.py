"""Grids: tables of a terminal, which are divided into blocks of columns where it is narrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

__all__ = ["Grid"]

_NAME = 12
"""Width that a name or a text may have at least, even if its longest word is shorter."""
_WORD = 24
"""Width of words above which they may be broken after a hyphen or the like, and without one anywhere."""
_FAR, _CLOSE = 2, 1
"""Numbers of spaces between columns: if everything fits, and otherwise."""
_BREAK = re.compile(r"[^\s/_:-]*[\s/_:-]*")
_SPACE = re.compile(r"\S*\s*")


class Grid:
    """A table without lines: names in the first column, numbers or texts in the others.

    Numbers are never broken, names and texts only between words and, within long words, after `-`, `_`, `/` and `:`
    (or anywhere in words without these, such as hashes).
    Columns that do not fit go into further blocks below, each of which begins with the first column.

    Attributes:
        headers: Names of the columns.
        line: Converts plain text to a text on one line.
        rows: The cells of each row, and the style of the row.
        texts: Positions of columns of texts, which may be broken.
        left: Positions of columns that are aligned on the left.
        show_header: Whether the names of the columns are shown.
    """

    def __init__(self, headers: Sequence[Text], line: Callable[[str], Text]) -> None:
        """Create a grid without rows."""
        self.headers, self.line = list(headers), line
        self.rows: list[tuple[list[Text], str]] = []
        self.texts: set[int] = {0}
        self.left: set[int] = {0}
        self.show_header = True

    def add_row(self, *cells: Text | str, style: str = "") -> None:
        """Add a row; plain text is converted to one line."""
        self.rows.append(([self.line(cell) if isinstance(cell, str) else cell for cell in cells], style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the blocks, with an empty line between them."""
        room = options.max_width
        wide = [self._width(place) for place in range(len(self.headers))]
        if sum(wide) + _FAR * (len(wide) - 1) <= room:
            yield self._block(range(len(wide)), wide, _FAR)
            return
        least = [self._least(place) for place in range(len(wide))]
        for number, block in enumerate(_blocks(least, room)):
            widths = self._widened(block, least, wide, room)
            needed = sum(widths) + _CLOSE * (len(widths) - 1)
            table = self._block(block, widths, _CLOSE)
            if number:
                yield self.line("")
            # Wider than the terminal rather than without its first column.
            yield from console.render(table, options.update(width=max(room, needed)))

    def _cells(self, place: int) -> Iterator[Text]:
        """Yield the name of a column and its cells."""
        yield self.headers[place] if self.show_header else self.line("")
        yield from (cells[place] for cells, _ in self.rows)

    def _width(self, place: int) -> int:
        return max((_longest(text.plain.splitlines()) for text in self._cells(place)), default=0)

    def _least(self, place: int) -> int:
        """The width of the longest part of a column that is not broken."""
        if place in self.texts:
            words = [word.rstrip() for text in self._cells(place) for word in _words(text, _WORD)]
            return max(_longest(words), min(_NAME, self._width(place)))
        header, *cells = self._cells(place)
        return max(_longest(header.plain.split()), *(_longest(cell.plain.splitlines()) for cell in cells), 0)

    def _widened(self, block: Sequence[int], least: Sequence[int], wide: Sequence[int], room: int) -> list[int]:
        """Return widths that use the room: first columns of numbers, from the left, then names, then other texts."""
        found = {place: least[place] for place in block}
        left = room - sum(found.values()) - _CLOSE * (len(block) - 1)
        for place in sorted(block, key=lambda place: (place in self.texts, place)):
            more = max(0, min(left, wide[place] - least[place]))
            found[place] += more
            left -= more
        return list(found.values())

    def _block(self, block: Sequence[int], widths: Sequence[int], apart: int) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, apart, 0, 0))
        table.show_header = self.show_header
        for place, width in zip(block, widths, strict=True):
            header = self._fitted(place, self.headers[place], width)
            table.add_column(header, width=width, no_wrap=True, justify="left" if place in self.left else "right")
        for cells, style in self.rows:
            own = [self._fitted(place, cells[place], width) for place, width in zip(block, widths, strict=True)]
            table.add_row(*own, style=style)
        return table

    def _fitted(self, place: int, text: Text, width: int) -> Text:
        """Return a text with line breaks between the words that do not fit on one line."""
        if _longest(text.plain.splitlines()) <= width:
            return text
        ends: list[int] = []
        begin = end = 0
        for word in _words(text, width):
            if end > begin and cell_len(text.plain[begin:end] + word.rstrip()) > width:
                ends.append(end)
                begin = end
            end += len(word)
        lines = text.divide(ends)
        for line in lines:
            line.rstrip()
        return text.blank_copy("\n").join(lines)


def _words(text: Text, width: int) -> Iterator[str]:
    """Yield the parts of a text between which it may be broken: words, and parts of words that are wider than this."""
    for word in _SPACE.findall(text.plain):
        if cell_len(word.rstrip()) <= width:
            yield word
            continue
        for part in _BREAK.findall(word):
            yield from [part] if cell_len(part.rstrip()) <= max(width, _WORD) else chop_cells(part, _WORD)


def _longest(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _blocks(least: Sequence[int], room: int) -> Iterator[list[int]]:
    """Yield the columns of each block: the first, and as many others as fit, at least one."""
    block, taken = [0], least[0]
    for place in range(1, len(least)):
        if len(block) > 1 and taken + _CLOSE + least[place] > room:
            yield block
            block, taken = [0], least[0]
        block.append(place)
        taken += _CLOSE + least[place]
    yield block
