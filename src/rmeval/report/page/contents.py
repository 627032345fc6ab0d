"""What a report contains, whatever its format: sections of texts, figures and views."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from rmeval.report.views import View, worded

__all__ = ["Contents", "Figure", "Section", "Shown", "slug"]


class Shown(NamedTuple):
    """A view in a report.

    Attributes:
        kind: What it is of, which is the beginning of the names of its CSV files.
        view: The view.
    """

    kind: str
    view: View


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a report.

    Attributes:
        name: Name of its files in `figures/`, without an ending.
        caption: What it shows, and how to read it.
        wide: Whether it has the whole width of the page.
    """

    name: str
    caption: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a report.

    Attributes:
        title: The title, as text.
        key: A name of letters, digits and hyphens that no other section has.
        text: Paragraphs.
        commands: Command lines.
        figures: The figures.
        views: The views.
        parts: Sections inside this one.
        folded: Whether the page shows only the title until the reader opens it.
        folder: Folder of its tables as CSV.
    """

    title: str
    key: str
    text: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    views: tuple[Shown, ...] = ()
    parts: tuple[Section, ...] = ()
    folded: bool = False
    folder: str = ""

    def worded(self, wording: Callable[[str], str]) -> Section:
        """Return the section with its texts and those of its views changed by a function."""
        return replace(
            self,
            text=tuple(map(wording, self.text)),
            views=tuple(Shown(kind, worded(view, wording)) for kind, view in self.views),
            parts=tuple(part.worded(wording) for part in self.parts),
        )

    def walk(self) -> Iterator[Section]:
        """Yield this section and all inside it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True, slots=True)
class Contents:
    """A report.

    Attributes:
        title: The title, as text.
        about: What it is made of, in one sentence.
        sections: The sections.
        notes: What is missing from it, one sentence each.
    """

    title: str
    about: str
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()


def slug(name: str, longest: int = 40) -> str:
    """Return a name for a file or an anchor: lower-case letters, digits and hyphens; `x` if nothing else is left."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:longest].strip("-") or "x"
