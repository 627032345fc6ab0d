"""Marks on the words in which two texts differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import groupby

__all__ = ["Parts", "compared", "differing_ranges"]

Parts = tuple[tuple[str, bool], ...]
"""A text in parts, each with whether its words are marked."""
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
    ranges = differing_ranges(own, other)
    marked = {k for start, end, _, _ in ranges for k in range(start, end)}
    marked_too = {k for _, _, start, end in ranges for k in range(start, end)}
    return _parts(one, words[0], marked), _parts(two, words[1], marked_too)


def differing_ranges(one: Sequence[str], two: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Return the ranges in which two sequences of words differ: start and end in the first, and in the second.

    Sequences that are long between their common beginning and end differ in one range.
    """
    shortest = min(len(one), len(two))
    start = next((k for k in range(shortest) if one[k] != two[k]), shortest)
    rest = shortest - start
    end = next((k for k in range(rest) if one[-1 - k] != two[-1 - k]), rest)
    middles = one[start : len(one) - end], two[start : len(two) - end]
    if max(map(len, middles)) > _MOST:
        return [(start, len(one) - end, start, len(two) - end)]
    return [
        (start + places[0], start + places[1], start + places[2], start + places[3])
        for what, *places in SequenceMatcher(None, *middles, autojunk=False).get_opcodes()
        if what != "equal"
    ]


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
