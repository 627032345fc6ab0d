"""Marks on differing words, and what is left out of long texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data.differing_words import compared
from rmeval.report.cells import Passage
from rmeval.report.words import left_out, without_middles


def shown(text: str, other: str) -> str:
    """The first text with its marked words in brackets."""
    return "".join(f"[{part}]" if marked else part for part, marked in compared(text, other)[0])


@pytest.mark.parametrize(
    ("text", "other", "marks"),
    [
        ("It is Aro.", "It is Bel.", "It is [Aro]."),
        ("It is Aro.", "It may be Fay or not.", "It [is Aro]."),
        ("It may be Fay or not.", "It is Aro.", "It [may be Fay or not]."),
        ("same words", "same  words\n", "same words"),
        ("", "all new", ""),
        ("all new", "", "[all new]"),
        ("a b c", "b c", "[a] b c"),
        ("one\ntwo three", "four", "[one]\n[two three]"),
        ("x = 1", "x = -1", "x = 1"),
        ("x = -1", "x = 1", "x = [-]1"),
        # Each letter of languages without spaces is a word.
        ("天气很好", "天气不好", "天气[很]好"),
        ("naïve Käse", "naive Käse", "[naïve] Käse"),
    ],
)
def test_marks(text: str, other: str, marks: str) -> None:
    assert shown(text, other) == marks


@given(st.text(), st.text())
def test_no_letter_is_lost(one: str, two: str) -> None:
    parts = compared(one, two)
    assert ["".join(text for text, _ in own) for own in parts] == [one, two]
    passage = Passage(one, parts[0])
    assert "\n".join("".join(text for text, _ in line) for line in passage.lines) == one.replace("\r\n", "\n")


def test_long_texts_are_marked_from_the_first_to_the_last_difference() -> None:
    words = [f"w{n}" for n in range(200_000)]
    other = ["start", *words[1:-1], "end"]
    assert shown(" ".join(words[:1500]), " ".join(other[:1500])).startswith("[w0] w1")
    found = compared(" ".join(["same", *words]), " ".join(["same", *reversed(words)]))[0]
    assert [(len(text.split()), marked) for text, marked in found] == [(1, False), (200_000, True)]


def test_what_is_left_out_is_counted() -> None:
    words = "word " * 200
    parts = without_middles(((words, False), ("other", True), (words, False)), 2_000, 100)
    head, tail = "word " * 19 + "word", "word " * 19
    middle = (left_out(1_000 - len(head) - len(tail)), False)
    assert parts == ((head, False), middle, (tail, False), ("other", True), (head, False), middle, (tail, False))
    assert left_out(802) == " [... 802 characters left out ...] "
    cut = without_middles(((words, True),), 100, 10)
    assert cut == ((head, True), (left_out(1_000 - len(head)).rstrip(), False))
    assert without_middles((("short", False), ("text", True)), 100, 10) == (("short", False), ("text", True))


@given(
    st.lists(st.tuples(st.text(alphabet="ab \n", max_size=80), st.booleans())), st.integers(1, 60), st.integers(1, 9)
)
def test_counts_of_what_is_left_out_add_up(parts: list[tuple[str, bool]], longest: int, around: int) -> None:
    whole = "".join(text for text, _ in parts)
    found = without_middles(tuple(parts), longest, around)
    kept = counted = 0
    for text, _ in found:
        if number := re.fullmatch(r" \[\.\.\. (\d+) characters? left out \.\.\.\] ?", text):
            counted += int(number[1])
        else:
            kept += len(text)
    assert kept + counted == len(whole)
