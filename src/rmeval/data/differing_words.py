"""Marks on the words in which two texts differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import groupby

__all__ = ["Parts", "compared"]

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
