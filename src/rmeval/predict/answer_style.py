"""Style of an answer as Arena-Hard-Auto counts it: length, headers, list entries and bold passages."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from typing import NamedTuple

__all__ = ["PIECES", "TOKENS", "AnswerStyle", "length_counter", "style_of"]

# The elements of utils/add_markdown_info.py (Arena-Hard-Auto, commit 196f6b8), each counted with one expression that
# takes linear time: where its own lets a list entry begin on an earlier empty line, the number of entries is equal.
_BLOCK = re.compile(r"```([^`]*)```")
_HEADER = re.compile(r"^#{1,6}\s", re.MULTILINE)
_LIST = re.compile(r"^[^\S\n]*(?:\d+\.|[-*+])\s", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*")
_UNDERSCORED = re.compile(r"__[^_\n]+__")
_PIECE = re.compile(r"\w+|[^\w\s]")
PIECES, TOKENS = "words and punctuation marks", "tokens of GPT-4o"
_ENCODING = "o200k_base"
_SOURCE = f"https://openaipublic.blob.core.windows.net/encodings/{_ENCODING}.tiktoken"


class AnswerStyle(NamedTuple):
    """Counts of one answer.

    Attributes:
        length: Tokens, or another unit of length.
        header: Lines that begin a heading.
        list: List entries, ordered and unordered.
        bold: Passages of bold text.
    """

    length: float
    header: float
    list: float
    bold: float


def style_of(text: str, length: Callable[[str], int]) -> AnswerStyle:
    """Count the elements of an answer; those of markdown without what is inside code blocks.

    Args:
        text: The answer.
        length: Returns the length of a text, see `length_counter`.
    """
    plain = text
    # The reference removes the text of a code block wherever it occurs.
    for block in dict.fromkeys(_BLOCK.findall(text)):
        plain = plain.replace(block, "") if block else plain
    header, listed, bold, other = (len(one.findall(plain)) for one in (_HEADER, _LIST, _BOLD, _UNDERSCORED))
    return AnswerStyle(length(text), header, listed, bold + other)


def length_counter() -> tuple[Callable[[str], int], str]:
    """Return a function that measures a text's length without a download, and its unit.

    The unit is tokens of GPT-4o, as in the metadata of Arena-Hard-Auto, if tiktoken is installed and has stored their
    encoding on this machine before; else words and punctuation marks.
    """
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    stored = Path(folder or Path(tempfile.gettempdir()) / "data-gym-cache") / sha1(_SOURCE.encode()).hexdigest()
    try:
        if not stored.is_file():
            return _pieces, PIECES
        import tiktoken
    except ImportError:
        return _pieces, PIECES
    encoding = tiktoken.get_encoding(_ENCODING)
    return lambda text: len(encoding.encode(text, disallowed_special=())), TOKENS


def _pieces(text: str) -> int:
    return len(_PIECE.findall(text))
