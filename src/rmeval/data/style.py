"""Style counts of a response: length and markdown, the inputs of the null baselines."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["TextCounts", "count_text"]

# Patterns that begin with a line end take a tenth of the time of `^`, so one is prepended to the text.
_HEADER = re.compile(r"\n {0,3}#{1,6} ")
_LIST = re.compile(r"\n *(?:[-*+]|\d{1,3}[.)]) ")
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
_CODE = re.compile(r"^ *```[^`]*$", re.MULTILINE)


class TextCounts(NamedTuple):
    """Characters and markdown elements of one response.

    Attributes:
        characters: Unicode code points.
        headers: Lines that begin a heading.
        lists: List entries, bulleted or numbered.
        bold: Passages of bold text.
        code: Fenced code blocks.
    """

    characters: int
    headers: int
    lists: int
    bold: int
    code: int

    @property
    def markdown(self) -> int:
        """The number of all markdown elements."""
        return self.headers + self.lists + self.bold + self.code


def count_text(text: str) -> TextCounts:
    """Count the elements of `TextCounts` (headers, lists and bold as in Arena's style control)."""
    lines = f"\n{text}"
    return TextCounts(
        characters=len(text),
        headers=len(_HEADER.findall(lines)),
        lists=len(_LIST.findall(lines)),
        bold=len(_BOLD.findall(text)) if "**" in text or "__" in text else 0,
        code=len(_CODE.findall(text)) // 2 if "```" in text else 0,
    )
