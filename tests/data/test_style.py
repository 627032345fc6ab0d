from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from rmeval.data.style import count_text

pieces = st.sampled_from(
    ["\n", "#", " ", "-", "*", "**", "__", "12", "٣", ".", ")", "```", "`", "a", "\r", "\u2028", "+"]
)


@given(st.lists(pieces).map("".join))
def test_elements_are_counted_at_the_beginning_of_lines(text: str) -> None:
    found = count_text(text)
    assert found.characters == len(text)
    assert found.headers == len(re.findall(r"^ {0,3}#{1,6} ", text, re.MULTILINE))
    assert found.lists == len(re.findall(r"^ *(?:[-*+]|\d{1,3}[.)]) ", text, re.MULTILINE))
    assert found.bold == len(re.findall(r"\*\*[^*\n]+\*\*|__[^_\n]+__", text))
    assert found.code == len(re.findall(r"^ *```[^`]*$", text, re.MULTILINE)) // 2
