"""What the styles are: length and markdown of a text, and the rules for both."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rmeval.build.rounds import Failed
from rmeval.build.styles.options import StyleOptions
from rmeval.build.word_diff import words_in
from rmeval.data.style import count_text
from rmeval.messages import count_of

__all__ = ["Measure", "difference", "is_alike", "is_concise", "measure", "out_of_style"]

_CODE = re.compile(r"^ *```.*?^ *```[^\S\n]*$|^ *```.*\Z", re.MULTILINE | re.DOTALL)
_TABLE = re.compile(r"^\s*\|.*\|\s*$", re.MULTILINE)
_WORDS = 3
"""A difference of so few words is none, however short the texts are."""


class Measure(NamedTuple):
    """Length and markdown of a text.

    Attributes:
        words: Words, with those in code.
        characters: Characters.
        markdown: Headers, list entries and bold passages outside code, where `# comment` is no header.
        tables: Lines of tables.
    """

    words: int
    characters: int
    markdown: int
    tables: int

    def __str__(self) -> str:
        return f"{count_of(self.words, 'word')}, {count_of(self.markdown, 'markdown element')}"


@lru_cache(maxsize=1 << 16)
def measure(text: str) -> Measure:
    """Count words and markdown of a text."""
    prose = _CODE.sub("", text)
    return Measure(len(words_in(text)), len(text), count_text(prose).markdown, len(_TABLE.findall(prose)))


def out_of_style(style: str, text: str, options: StyleOptions) -> Failed | None:
    """Why a text is not in its style, whatever the other texts are; None if it is."""
    found = measure(text)
    if style == "detailed_markdown":
        if found.markdown + found.tables < options.min_markdown:
            return Failed("too little markdown", str(found))
    elif found.markdown + found.tables > options.max_plain_markdown:
        return Failed("markdown in a plain text", str(found))
    return None


def is_alike(chosen: str, rejected: str, options: StyleOptions) -> bool:
    """Whether the chosen and the rejected text of one style have about the same length."""
    one, other = measure(chosen).words, measure(rejected).words
    return abs(one - other) <= max(_WORDS, options.length_tolerance * max(one, other))


def is_concise(concise: str, detailed: str, options: StyleOptions) -> bool:
    """Whether a concise text is shorter than a detailed one by the ratio of the options."""
    return measure(concise).words <= options.max_concise * measure(detailed).words


def difference(one: float, other: float) -> float:
    """The difference of two sizes as a share of the larger; 0 if both are 0."""
    return abs(one - other) / max(one, other) if max(one, other) else 0.0
