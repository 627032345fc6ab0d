"""One pass finds what the regular expressions of earlier versions found, which take forever on some texts."""

from __future__ import annotations

import random
import re

import pytest

from rmeval.benchmarks.function_names import defined_function, first_function
from rmeval.benchmarks.hhh_alignment import _turns

FIRST = re.compile(r"(\w+)\s*(?:=\s*)?(?:<[^>]*>)?\(")
DEFINED = re.compile(r"^(?:\s+public\s|\S).*?\b([A-Za-z_]\w*)\s*(?:=\s*)?(?:<[^>\n]*>)?\(", re.M | re.A)
TURNS = re.compile(r"\s*\n\s*(Human|Assistant):\s*")
LETTERS = ["a", "_", "1", "é", " ", "\n", "=", "<", ">", "(", "\u00a0", "٣", "\x0b", "\r"]


def texts(parts: list[str], count: int) -> list[str]:
    dice = random.Random(17)
    return ["".join(dice.choices(parts, k=dice.randint(0, 14))) for _ in range(count)]


def test_the_first_function() -> None:
    for text in texts(LETTERS, 20_000):
        assert first_function(text) == (found[1] if (found := FIRST.search(text)) else None), repr(text)


def test_the_function_that_is_defined() -> None:
    for text in texts([*LETTERS, "public", "public ", "\npublic\n", " public f("], 20_000):
        assert defined_function(text) == (found[1] if (found := DEFINED.search(text)) else None), repr(text)


def test_turns() -> None:
    for text in texts(["Human:", "Assistant:", "\n", " ", "a", "\t", "\r", "\u2028", "\x1c"], 20_000):
        assert _turns(text) == TURNS.split(text), repr(text)


@pytest.mark.parametrize(
    "part",
    ["a", " ", "\n", "<", "a<", "a ", "a = ", "a\n", "\n ", "x a", " \n public ", "\npublic\n", "Human:", "\nHuman:"],
)
def test_long_texts(part: str) -> None:
    text = part * (200_000 // len(part))
    assert first_function(text) is None
    assert defined_function(text) is None
    assert "".join(_turns(text)).count("Human") == text.count("Human")
