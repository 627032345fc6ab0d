"""Texts of models as HTML: everything in them is text, also what looks like a script, a link or a mark."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

from rmeval.data.differing_words import Parts, compared
from rmeval.messages import visible

__all__ = ["LONGEST_RENDERED", "Shown", "as_written", "compared_texts", "rendered", "shown"]

LONGEST_RENDERED = 200_000
"""Characters of a text up to which its markdown is rendered."""
_BEGIN, _END = "\ue000", "\ue001"
"""Private characters around a marked word while markdown is rendered; texts cannot contain them, because `visible`
escapes private characters."""
_BETWEEN = re.compile(f"{_END}( +){_BEGIN}")
_WORDS = re.compile(r"&#?\w+;|([^\s*_`#\[\]()<>|~!&\\]+)")
"""What can be marked without a change of what markdown means, in the group: no entity, and no punctuation of it."""
_STRUCTURE = re.compile(r"[ \t]*(?:[`~]{3}.*|[\s|:=+*_-]*$|(?:>[ \t]?|[-+*][ \t]+|\d{1,9}[.)][ \t]+|#{1,6}[ \t]+)*)")
"""The beginning of a line, or a whole line, that is markdown's structure."""
_TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code"),
    *("em", "strong", "s", "a", "table", "thead", "tbody", "tr", "th", "td"),
}


@lru_cache(16)
def compared_texts(first: str, second: str) -> tuple[Parts, Parts]:
    """Mark the words in which two texts differ; a page is loaded again after each verdict."""
    return compared(first, second)


def as_written(parts: Parts) -> Markup:
    """Return a text letter for letter; invisible characters are shown as escapes, and marked words in `mark`."""
    return Markup("".join(_marked(html.escape(visible(text, lines=True)), marked) for text, marked in parts))


def _marked(text: str, marked: bool) -> str:
    return f"<mark>{text}</mark>" if marked and text else text


class Shown(NamedTuple):
    """A text as a page shows it.

    Attributes:
        html: The text.
        is_rendered: Whether its markdown is rendered.
        note: What is missing in this view; empty if nothing is.
    """

    html: Markup
    is_rendered: bool
    note: str


def shown(parts: Parts, markdown: bool) -> Shown:
    """Return a text with its markdown rendered if that is wanted and the text is not too long, or as it is written."""
    if not markdown or sum(len(text) for text, _ in parts) > LONGEST_RENDERED:
        note = f"longer than {LONGEST_RENDERED:,} characters: shown as written" if markdown else ""
        return Shown(as_written(parts), False, note)
    html = rendered(parts)
    lost = any(marked for _, marked in parts) and "<mark>" not in html
    return Shown(html, True, "differing words are marked in the text as written" if lost else "")


def rendered(parts: Parts) -> Markup:
    """Return a text with its markdown rendered, and marked words in `mark`.

    HTML in the text stays text, images are shown as links, and links lead only to http, https and mail. If marks would
    change how the text is rendered, as in the middle of an address without spaces, no word is marked.
    """
    plain = _clean("".join(visible(text, lines=True) for text, _ in parts))
    marked = _clean("".join(_lines(parts)))
    if marked.replace(_BEGIN, "").replace(_END, "") != plain:
        return Markup(plain)
    # One mark for words that follow each other: a long text would have tens of thousands.
    joined = _BETWEEN.sub(r"\1", marked)
    return Markup(joined.replace(_BEGIN, "<mark>").replace(_END, "</mark>"))


def _clean(source: str) -> str:
    """Render markdown to HTML with harmless elements only."""
    return nh3.clean(
        _markdown().render(source),
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


@lru_cache(1)
def _markdown() -> MarkdownIt:
    found = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    normalize = found.normalizeLink
    # A marked word may be a part of an address.
    found.normalizeLink = lambda url: normalize(url.replace(_BEGIN, "").replace(_END, ""))  # type: ignore[method-assign]
    return found.disable("image")


def _lines(parts: Parts) -> Iterator[str]:
    """The source with private characters around marked words, except where they would change its structure."""
    line: list[tuple[str, bool]] = []
    for text, marked in parts:
        first, *others = visible(text, lines=True).split("\n")
        line.append((first, marked))
        for other in others:
            yield _line(line) + "\n"
            line = [(other, marked)]
    yield _line(line)


def _line(line: list[tuple[str, bool]]) -> str:
    whole = "".join(text for text, _ in line)
    structure = _STRUCTURE.match(whole)
    kept = structure.end() if structure else 0
    found, place = [whole[:kept]], 0
    for text, marked in line:
        rest = text[max(kept - place, 0) :]
        place += len(text)
        found.append(_WORDS.sub(_mark, rest) if marked else rest)
    return "".join(found)


def _mark(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else f"{_BEGIN}{found[1]}{_END}"
