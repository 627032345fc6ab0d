"""What can be counted in an answer without understanding it, and the null baselines that live on nothing else."""

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
    """Characters and markdown elements of one answer.

    Attributes:
        characters: Unicode code points.
        headers: Lines that open a heading.
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
        """All markdown elements together."""
        return self.headers + self.lists + self.bold + self.code


def count_text(text: str) -> TextCounts:
    """Counts what `TextCounts` names (headers, lists and bold as Arena's style control does)."""
    return TextCounts(
        characters=len(text),
        headers=len(_HEADER.findall(text)),
        lists=len(_LIST.findall(text)),
        bold=len(_BOLD.findall(text)),
        code=len(_CODE.findall(text)) // 2,
    )
