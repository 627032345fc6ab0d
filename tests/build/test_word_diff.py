"""The words in which texts differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.build.word_diff import Place, word_changes, words_in

WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta", "Straße", "don't", "3.5", "C++"]), max_size=12)
DISTINCT = st.lists(st.from_regex(r"[a-z]{2,6}", fullmatch=True), min_size=3, max_size=12, unique=True)


def keys(text: str) -> list[str]:
    return [one.key for one in words_in(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don\u2019t use C++, or **C#**!", ["don't", "use", "c++", "or", "c#"]),
        ("-5.5% of 1,000 km in the 1990s", ["-5.5%", "of", "1,000", "km", "in", "the", "1990s"]),
        ("The U.S. pages 12-15, if x < 3", ["the", "u.s", "pages", "12", "15", "if", "x", "<", "3"]),
        ("- 5 eggs\n* 3 spoons\n1. Mix", ["5", "eggs", "3", "spoons", "1", "mix"]),
        ("\u6771\u4eac\u3067\u3059", ["\u6771", "\u4eac", "\u3067", "\u3059"]),
        ("\u0939\u093f\u0928\u094d\u0926\u0940 is", ["\u0939\u093f\u0928\u094d\u0926\u0940", "is"]),
        ("nai\u0308ve na\u00efve", ["na\u00efve", "na\u00efve"]),
        ("", []),
        ("--- ** __ ``` ...", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert keys(text) == expected
    assert all(text[one.start : one.end].strip() for one in words_in(text))


@given(WORDS)
def test_form_is_no_change(words: list[str]) -> None:
    plain = " ".join(words)
    dressed = "\n\n".join(f"**{word.upper()}**," for word in words)
    assert word_changes(plain, plain).changed == word_changes(plain, dressed).changed == 0
    assert word_changes(plain, dressed).words == len(words)


@given(WORDS, WORDS)
def test_changes_of_any_texts(first: list[str], second: list[str]) -> None:
    before, after = " ".join(first), " ".join(second)
    found = word_changes(before, after, near=0)
    assert 0 <= found.share <= 1
    assert (found.changed == 0) == (keys(before) == keys(after)) == (found.places == ())
    assert max(len(first), len(second)) <= found.words <= len(first) + len(second)
    for place in found.places:
        assert place.before in before
        assert place.after in after


@given(DISTINCT, st.data())
def test_one_replaced_word_is_one_change(words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    other = [*words[:place], "Replaced9", *words[place + 1 :]]
    found = word_changes(" ".join(words), " ".join(other))
    assert (found.changed, found.words) == (1, len(words))
    assert found.places == (Place(words[place], "Replaced9"),)


def test_added_and_removed_words_are_shown_with_a_neighbour() -> None:
    assert word_changes("It is safe.", "It is not safe.").places == (Place("is", "is not"),)
    assert word_changes("It is not safe.", "It is safe.").places == (Place("is not", "is"),)
    assert word_changes("Never do it.", "Do it.").places == (Place("Never do", "Do"),)
    assert word_changes("", "Do it.").places == (Place("", "Do it"),)


def test_changes_that_are_near_are_one_place() -> None:
    before, after = "one two three four five six", "1 two three four five 6"
    assert len(word_changes(before, after, near=4).places) == 1
    assert len(word_changes(before, after, near=3).places) == 2
    assert word_changes(before, after, near=4).changed == 2


def test_long_texts_with_a_small_change_are_quick() -> None:
    words = ["the", "same", "word"] * 10_000
    other = [*words[:15_000], "new", *words[15_001:]]
    assert word_changes(" ".join(words), " ".join(other)).changed == 1
