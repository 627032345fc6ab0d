"""Counts of style against the expressions of Arena-Hard-Auto's utils/add_markdown_info.py."""

from __future__ import annotations

import re
import sys
from hashlib import sha1
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rmeval.predict.answer_style import PIECES, TOKENS, length_counter, style_of

LISTS = (r"^\s*\d+\.\s", r"^\s*[-*+]\s")
PARTS = (
    "\n",
    " ",
    "\t",
    "# ",
    "## ",
    "#",
    "- ",
    "* ",
    "+ ",
    "1. ",
    "12.",
    "**a**",
    "**",
    "__b__",
    "_",
    "```",
    "`",
    "é",
)


def by_the_reference(text: str) -> tuple[int, int, int]:
    for block in re.findall(r"```([^`]*)```", text):
        text = text.replace(block, "")
    headers = sum(len(re.findall(rf"^#{{{n}}}\s", text, re.MULTILINE)) for n in range(1, 7))
    lists = sum(len(re.findall(pattern, text, re.MULTILINE)) for pattern in LISTS)
    return headers, lists, len(re.findall(r"\*\*[^*\n]+\*\*", text)) + len(re.findall(r"__[^_\n]+__", text))


@given(st.lists(st.sampled_from(PARTS), max_size=25).map("".join))
@example("text\n\n- one\n  2. two\n\t* three\n```\n- code\n```\n# head\n#no\n**bold** __too__ ****")
@example("\n\n \n- \n- x\n1.\n")
@example("``` ```- x``` ```")
def test_counts_are_those_of_the_reference(text: str) -> None:
    found = style_of(text, len)
    assert (found.header, found.list, found.bold) == by_the_reference(text)
    assert found.length == len(text)


def test_a_long_run_of_empty_lines_takes_no_time() -> None:
    assert style_of("\n" * 200_000 + "- x", len).list == 1


def test_length_without_an_encoding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    length, unit = length_counter()
    assert unit == PIECES
    assert length("Don't panic, it's *fine*: naïve.") == 14
    assert length("") == 0


TIKTOKEN = """
class Encoding:
    def __init__(self, name):
        assert name == "o200k_base"

    def encode(self, text, disallowed_special=None):
        assert disallowed_special == ()
        return list(text)


get_encoding = Encoding
"""


def test_length_with_a_stored_encoding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The encoding itself is on no package index: a package of this name stands for the one that reads it."""
    address = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
    (tmp_path / sha1(address.encode()).hexdigest()).write_text("stored")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "tiktoken.py").write_text(TIKTOKEN)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path / "own")
    monkeypatch.delitem(sys.modules, "tiktoken", raising=False)
    length, unit = length_counter()
    assert unit == TOKENS
    assert length("four") == 4
    sys.modules.pop("tiktoken")
