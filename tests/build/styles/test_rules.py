"""What the styles are."""

from __future__ import annotations

import pytest

from rmeval.build.styles.options import StyleOptions
from rmeval.build.styles.rules import Measure, difference, is_alike, is_concise, measure, out_of_style

OPTIONS = StyleOptions()
MARKED = "### Title\n\n- **One** thing\n- another"
CODE = "Use this:\n\n```python\n# A comment\nx = 1  # **bold**\n- 1\n```\n\nIt works."


def test_counts() -> None:
    assert measure(MARKED) == Measure(words=4, characters=len(MARKED), markdown=4, tables=0)
    assert measure("| a | b |\n|---|---|\n| 1 | 2 |").tables == 3


def test_code_is_no_markdown_but_has_words() -> None:
    assert measure(CODE).markdown == 0
    assert measure(CODE).words > measure("Use this: It works.").words
    assert measure("```python\n# A comment that has no end").markdown == 0
    assert measure("# A title").markdown == 1


@pytest.mark.parametrize(
    ("style", "text", "reason"),
    [
        ("concise", "One thing.", None),
        ("concise", "**One** thing.", "markdown in a plain text"),
        ("detailed_plain", "One thing.", None),
        ("detailed_plain", "One thing.\n- another", "markdown in a plain text"),
        ("detailed_plain", "| a | b |", "markdown in a plain text"),
        ("detailed_plain", CODE, None),
        ("detailed_markdown", MARKED, None),
        ("detailed_markdown", "**One** thing, **another**.", "too little markdown"),
        ("detailed_markdown", CODE, "too little markdown"),
    ],
)
def test_styles(style: str, text: str, reason: str | None) -> None:
    found = out_of_style(style, text, OPTIONS)
    assert (found and found.reason) == reason


def test_lengths() -> None:
    options = StyleOptions(length_tolerance=0.25, max_concise=0.5)
    assert is_alike("a " * 75, "a " * 100, options)
    assert not is_alike("a " * 74, "a " * 100, options)
    assert is_alike("a", "a b c d", options)  # Three words are no difference.
    assert is_concise("a " * 50, "a " * 100, options)
    assert not is_concise("a " * 51, "a " * 100, options)


def test_difference() -> None:
    assert (difference(0, 0), difference(3, 4), difference(4, 3), difference(0, 2)) == (0.0, 0.25, 0.25, 1.0)
