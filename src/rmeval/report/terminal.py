"""Text and tables on a terminal, in which no name from a file can act on it or add a line."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from rmeval.messages import shortened, visible
from rmeval.redaction import redacted

__all__ = ["Line", "Screen", "make_console", "passage", "stacked"]

_LONGEST = 5_000
"""Characters of a part of a line; no path is longer."""


class Line(Text):
    """Text on one line, without secrets: line breaks and control characters in its parts are shown as escapes."""

    def __init__(self, text: str = "", style: Any = "", **options: Any) -> None:
        super().__init__(_shown(text), style, **options)

    def append(self, text: Text | str, style: Any = None) -> Text:
        """Adds text to the end."""
        return super().append(_shown(text) if isinstance(text, str) else text, style)


def _shown(text: str) -> str:
    # Letters that standard output has none for are escapes here already, so that columns are as wide as they look.
    encoding = sys.stdout.encoding or "utf-8"
    return shortened(redacted(text), _LONGEST).encode(encoding, "backslashreplace").decode(encoding)


def passage(text: str) -> Text:
    """Text that may have several lines, such as a conversation."""
    return Text(visible(text, lines=True))


def stacked(*lines: Text) -> Text:
    """Lines below each other, as one text."""
    return Text("\n").join(lines)


class Screen(Console):
    """A console that reads no markup and no emoji codes in names, and shows control characters as escapes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Makes segments; those of rich itself, such as the movements of a progress bar, stay as they are."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(visible(segment.text, lines=True), segment.style)

    def on_broken_pipe(self) -> None:
        """Leaves it to the caller that nobody reads the output any more."""
        raise  # rich calls this while it handles the error.


def make_console() -> Console:
    """Standard output; wide enough for tables where it is no terminal."""
    console = Screen()
    return console if console.is_terminal else Screen(width=100)
