"""Texts of models as HTML: nothing is lost, nothing runs, and marks change nothing but themselves."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data.differing_words import compared
from rmeval.messages import visible
from rmeval.web.texts import as_written, rendered

PIECES = (
    *("word", "other", "12", "12. ", "- ", "* ", "# ", "> ", "**", "_", "`", "```", "```python\n", "|", "---", "\n"),
    *("\n\n", " ", "  \n", "[a](http://x.org/b)", "[a](javascript:b)", "![i](http://x.org)", "<b>", "<script>"),
    *("&amp;", "&", "<", "$x_1$", "\\(y\\)", "\u202e", "\ue000", "é", "漢字", "==", ":--|:--", "    ", "\t", "~~"),
)
source = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


def without_marks(text: str) -> str:
    return text.replace("<mark>", "").replace("</mark>", "")


@given(source, source)
def test_text_as_written_is_that_text(one: str, two: str) -> None:
    first = as_written(compared(one, two)[0])
    assert html.unescape(without_marks(first)) == visible(one, lines=True)
    assert set(re.findall(r"<[^>]*>", first)) <= {"<mark>", "</mark>"}


@given(source, source)
def test_marks_do_not_change_rendered_markdown(one: str, two: str) -> None:
    marked = rendered(compared(one, two)[0])
    assert without_marks(marked) == rendered(((one, False),))


ELEMENT = re.compile(
    r"</?(?:p|h[1-6]|ul|li|blockquote|pre|code|em|strong|s|table|thead|tbody|tr|th|td|mark)>|<(?:br|hr)>|</[ao]l?>|"
    r'<ol(?: start="\d+")?>|<a(?: href="(?:https?|mailto):[^"<>]*")? rel="noopener noreferrer nofollow">'
)


@given(source, source)
def test_rendered_markdown_has_only_harmless_elements(one: str, two: str) -> None:
    assert "<" not in ELEMENT.sub("", rendered(compared(one, two)[0]))


@pytest.mark.parametrize(
    ("one", "two", "shown"),
    [
        ("It is **4.5%**.", "It is **5.5%**.", "<p>It is <strong><mark>4</mark>.5%</strong>.</p>\n"),
        ("1. a\n2. b", "3. a\n2. c", "<ol>\n<li>a</li>\n<li><mark>b</mark></li>\n</ol>\n"),
        ("`x + 1`", "`x - 1`", "<p><code>x <mark>+</mark> 1</code></p>\n"),
        ("```py\na\n```", "```js\nb\n```", "<pre><code><mark>a</mark>\n</code></pre>\n"),
        ("a &amp; b", "a + b", "<p>a &amp; b</p>\n"),
        ("|a|b|\n|-|-|\n|1|2|", "", None),
    ],
)
def test_marks_in_markdown(one: str, two: str, shown: str | None) -> None:
    found = rendered(compared(one, two)[0])
    if shown is None:
        assert found.count("<mark>") == 4
        assert "<table>" in found
    else:
        assert found == shown


def test_marked_words_that_follow_each_other_share_a_mark() -> None:
    """A long text has no tens of thousands of marks."""
    assert rendered((("one two  three", True), (" end", False))) == "<p><mark>one two  three</mark> end</p>\n"
    assert rendered((("one **two** three", True),)).count("<mark>") == 3
