"""Shortening of long texts whose differing words are marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rmeval.data.differing_words import Parts
from rmeval.messages import count_of

__all__ = ["left_out", "without_middles"]


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
