"""Words of a text, in languages with and without spaces, and sequences of them."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["sequences", "words"]

_WITHOUT_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese, where each letter counts as a word."""
_WORD = re.compile(rf"[{_WITHOUT_SPACES}]|[^\W{_WITHOUT_SPACES}]+|[-+*/%!^=<>|~$\u2200-\u22ff\u00d7\u00f7]")
"""A sign of calculation is a word: two problems may differ by nothing else."""


def words(text: str) -> list[str]:
    """Return the words of a text in small letters, and its signs of calculation, without punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def sequences(found: list[str], size: int) -> set[str]:
    """Return all sequences of `size` consecutive words, or a shorter text as a whole."""
    if not found:
        return set()
    return {" ".join(found[at : at + size]) for at in range(max(len(found) - size + 1, 1))}
