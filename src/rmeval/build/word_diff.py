"""The words in which two texts differ, whatever their punctuation, markdown, spaces and case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rmeval.data.differing_words import differing_ranges

__all__ = ["SPACELESS", "Place", "Word", "WordChanges", "word_changes", "words_in"]


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text.

    Attributes:
        key: What is compared: folded case, plain apostrophes, composed characters.
        start: Its first character.
        end: The character after it.
    """

    key: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """A passage in which two texts differ: from its first to its last changed word.

    Where words were only added or removed, a neighbouring word is part of it, so that neither side is empty.

    Attributes:
        before: The passage in the first text.
        after: The passage in the second text.
    """

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class WordChanges:
    """How two texts differ.

    Attributes:
        changed: Number of words that were replaced, added or removed.
        words: Number of words of both texts, where an equal or replaced word counts once.
        places: Where.
    """

    changed: int
    words: int
    places: tuple[Place, ...]

    @property
    def share(self) -> float:
        """The share of words that changed."""
        return self.changed / self.words if self.words else 0.0


def words_in(text: str) -> list[Word]:
    """The words of a text, with their places.

    Numbers keep their sign, decimals and percent; signs of comparison and arithmetic between spaces are words. Scripts
    without spaces count by characters.
    """
    return [Word(_key(found[0]), *found.span()) for found in _pattern().finditer(text)]


def word_changes(before: str, after: str, near: int = 2) -> WordChanges:
    """Compare two texts word by word.

    Args:
        before: The first text.
        after: The second text.
        near: Changes with at most that many equal words between them are one place.
    """
    first, second = words_in(before), words_in(after)
    ranges = differing_ranges([one.key for one in first], [one.key for one in second])
    changes: list[tuple[int, int, int, int]] = []
    changed, old = 0, 0
    for start, end, other, other_end in ranges:
        changed += max(end - start, other_end - other)
        old += end - start
        if changes and start - changes[-1][1] <= near:
            changes[-1] = (changes[-1][0], end, changes[-1][2], other_end)
        else:
            changes.append((start, end, other, other_end))
    wide = [_widened(*one, len(first), len(second)) for one in changes]
    places = tuple(Place(_span(before, first, *one[:2]), _span(after, second, *one[2:])) for one in wide)
    return WordChanges(changed, len(first) - old + changed, places)


def _widened(start: int, end: int, other: int, other_end: int, most: int, other_most: int) -> tuple[int, int, int, int]:
    """A range with the word before it, or at the beginning the word after it, if it is empty in one text."""
    if start < end and other < other_end:
        return start, end, other, other_end
    if start and other:
        return start - 1, end, other - 1, other_end
    return start, min(end + 1, most), other, min(other_end + 1, other_most)


def _span(text: str, words: Sequence[Word], start: int, end: int) -> str:
    return text[words[start].start : words[end - 1].end] if end > start else ""


def _key(word: str) -> str:
    plain = word.replace("\u2019", "'").replace("\u2212", "-")
    return unicodedata.normalize("NFKC", plain).casefold()


SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Characters of scripts without spaces: Thai, Lao, Burmese, Khmer, Japanese, Chinese."""


@cache
def _pattern() -> re.Pattern[str]:
    marks = "".join(re.escape(chr(code)) for code in range(0x300, 0xFFFF) if unicodedata.category(chr(code))[0] == "M")
    letter = rf"(?:[^\W_{SPACELESS}][{marks}]*)"
    number = r"(?<![^\W_])[-+\u2212]?\d+(?:[.,:/]\d+)*(?:[^\W\d_]+)?[%\u2030\u00b0]*"
    word = rf"{letter}+(?:['\u2019.-]{letter}+)*[+#]*"
    sign = r"(?<=\S )[-+\u2212*/=<>\u2264\u2265\u2260\u00d7\u00f7^]=?(?= [-(]?\d)"
    return re.compile(rf"{number}(?!{letter})|{word}|[{SPACELESS}][{marks}]*|{sign}")
