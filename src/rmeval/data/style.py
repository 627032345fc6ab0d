"""Style counts of a response: length and markdown, the inputs of the null baselines."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["TextCounts", "count_text"]

_HEADER = re.compile(r"^ {0,3}#{1,6} ", re.MULTILINE)
_LIST = re.compile(r"^ *(?:[-*+]|\d{1,3}[.)]) ", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__")
_CODE = re.compile(r"^ *```[^`]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class TextCounts:
    """Characters and markdown elements of one response.

    Attributes:
        characters: Unicode code points.
        headers: Lines that begin a heading.
        lists: List entries, bulleted or numbered.
        bold: Stretches of bold text.
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
    return TextCounts(
        characters=len(text),
        headers=len(_HEADER.findall(text)),
        lists=len(_LIST.findall(text)),
        bold=len(_BOLD.findall(text)),
        code=len(_CODE.findall(text)) // 2,
    )
