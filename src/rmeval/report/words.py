"""Marks on the differing words of two texts, and shortening of long texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from rmeval.messages import count_of

__all__ = ["compared", "left_out", "without_middles"]

Parts = tuple[tuple[str, bool], ...]

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
"""Letters of languages without spaces: each is a word of its own."""
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|\s+|[^\w\s]")
_MOST = 2_000
"""Words in which two texts are compared; the time grows with the square of their number."""


def compared(first: str, second: str) -> tuple[Parts, Parts]:
    """Mark the words in which each of two texts differs from the other.

    Longer texts are marked from the first to the last word that differs.
    """
    one, two = _TOKEN.findall(first), _TOKEN.findall(second)
    words = [[k for k, token in enumerate(tokens) if not token.isspace()] for tokens in (one, two)]
    own, other = ([tokens[k] for k in places] for tokens, places in zip((one, two), words, strict=True))
    marked = _differing(own, other)
    return _parts(one, words[0], marked[0]), _parts(two, words[1], marked[1])


def _differing(one: Sequence[str], two: Sequence[str]) -> tuple[set[int], set[int]]:
    """Return the positions of the words that differ."""
    shortest = min(len(one), len(two))
    start = next((k for k in range(shortest) if one[k] != two[k]), shortest)
    rest = shortest - start
    end = next((k for k in range(rest) if one[-1 - k] != two[-1 - k]), rest)
    middles = one[start : len(one) - end], two[start : len(two) - end]
    if max(map(len, middles)) > _MOST:
        return set(range(start, len(one) - end)), set(range(start, len(two) - end))
    found: tuple[set[int], set[int]] = set(), set()
    for what, *places in SequenceMatcher(None, *middles, autojunk=False).get_opcodes():
        if what != "equal":
            found[0].update(range(start + places[0], start + places[1]))
            found[1].update(range(start + places[2], start + places[3]))
    return found


def _parts(tokens: Sequence[str], words: Sequence[int], marked: set[int]) -> Parts:
    """Split the text into parts; space between two marked words is marked, except at the end of a line."""
    flags = [False] * len(tokens)
    for place in marked:
        flags[words[place]] = True
    for k in range(1, len(tokens) - 1):
        if tokens[k].isspace() and "\n" not in tokens[k]:
            flags[k] = flags[k - 1] and flags[k + 1]
    together = groupby(zip(flags, tokens, strict=True), key=lambda one: one[0])
    return tuple(("".join(token for _, token in own), flag) for flag, own in together)


def left_out(characters: int) -> str:
    """Return the text that replaces characters that are not shown."""
    return f" [... {count_of(characters, 'character')} left out ...] "


class _Piece(NamedTuple):
    """A part of a text as it is shown, and the number of characters of the text that it replaces."""

    text: str
    marked: bool
    length: int


def without_middles(parts: Parts, longest: int, around: int) -> Parts:
    """Leave out the middle of each long part without marks, and what follows after `longest` characters.

    Args:
        parts: The text.
        longest: The number of characters after which the rest is left out.
        around: The number of characters that stay before and after each mark.
    """
    pieces = [piece for text, marked in parts for piece in _pieces(text, marked, around)]
    return tuple((text, marked) for text, marked, _ in _begin_of(pieces, longest))


def _pieces(text: str, marked: bool, around: int) -> Iterator[_Piece]:
    if marked or len(text) <= 3 * around:
        yield _Piece(text, marked, len(text))
        return
    head, tail = _begin(text, around), _begin(text[::-1], around)[::-1]
    for part in (head, "", tail):
        hidden = len(text) - len(head) - len(tail)
        yield _Piece(part, False, len(part)) if part else _Piece(left_out(hidden), False, hidden)


def _begin_of(pieces: Sequence[_Piece], longest: int) -> Iterator[_Piece]:
    if sum(len(piece.text) for piece in pieces) <= longest + longest // 4:
        yield from pieces
        return
    room, hidden = longest, sum(piece.length for piece in pieces)
    for piece in pieces:
        if len(piece.text) > room:
            # A mark for text that is left out is not cut in two.
            head = _begin(piece.text, room) if piece.length == len(piece.text) else ""
            yield _Piece(head, piece.marked, len(head))
            hidden -= len(head)
            yield _Piece(left_out(hidden).rstrip(), False, hidden)
            return
        yield piece
        room, hidden = room - len(piece.text), hidden - piece.length


def _begin(text: str, length: int) -> str:
    """Return about the first `length` characters, up to the end of a word."""
    start = max(length - _WORD, 0)
    place = max(text.rfind(" ", start, length), text.rfind("\n", start, length))
    return text[: place if place > 0 else length]


_WORD = 20
"""Characters that may be left out so that a word is whole."""
