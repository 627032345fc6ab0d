"""Colours of token scores: one scale for both responses, and texts as they are written."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rmeval.app.heat import MOST_TOKENS, heat_of
from rmeval.models.token_scores import TokenScores


def scores_of(tokens: list[str], scores: list[float], start: int = 1) -> TokenScores:
    return TokenScores(tuple(tokens), np.array(scores, float), start)


def test_the_change_at_a_token_is_against_the_token_before() -> None:
    first = scores_of(["<user>", "It", " is", " four"], [0.5, 1.5, 1.5, -0.5])
    second = scores_of(["<user>", "No"], [0.5, 0.75])
    heat = heat_of([(first, "It is four"), (second, "No")])
    assert [(one.text, one.title) for one in heat.lines[0].tokens] == [
        ("It", "+1, score 1.5"),
        (" is", "+0, score 1.5"),
        (" four", "-2, score -0.5"),
    ]
    assert [one.score for one in heat.lines] == ["-0.5", "0.75"]
    # The strongest colour is that of the largest change of both, so that colours of the two can be compared.
    assert [one.step for one in heat.lines[0].tokens][1:] == [0, -5]
    assert heat.lines[1].tokens[0].step == 1
    assert [(one.number, one.text, one.change) for one in heat.lines[0].largest] == [(3, "four", "-2"), (1, "It", "+1")]
    assert (heat.lowest, heat.highest, heat.longest) == ("-0.5", "1.5", 3)


def test_curves_share_a_frame() -> None:
    heat = heat_of([(scores_of(["a", "b", "c"], [0, 2, 0]), "bc"), (scores_of(["a", "b"], [0, 1]), "b")])
    assert heat.lines[0].curve == "500.0,0.0 1000.0,100.0"
    assert heat.lines[1].curve == "500.0,50.0"
    flat = heat_of([(scores_of(["a", "b"], [1, 1]), "b")])
    assert (flat.lines[0].curve, flat.lines[0].tokens[0].step, flat.lines[0].largest) == ("1000.0,50.0", 0, ())


def test_missing_scores_have_no_colour() -> None:
    heat = heat_of([(scores_of(["a", "b", "c"], [0, math.nan, 1]), "bc")])
    assert [one.title for one in heat.lines[0].tokens] == ["no score", "no score"]
    assert heat.lines[0].curve == "1000.0,50.0"
    nothing = heat_of([(scores_of(["a"], [1.0]), "")])
    assert (nothing.lines[0].tokens, nothing.lines[0].score, nothing.lowest) == ((), "-", "0")
    first = heat_of([(scores_of(["a", "b"], [1.0, 3.0], start=0), "ab")])
    assert [one.title for one in first.lines[0].tokens] == ["no score", "+2, score 3"]


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["The", "cat", "sat", "<end>"], "The cat  sat"),
        (["The", " cat", " sat", "<end>"], "The cat sat"),
        (["The", "\n", "\n", "cat", "<end>"], "The\n\ncat"),
        (["T", "he", "c", "at"], "The cat"),
    ],
)
def test_spaces_that_a_tokenizer_leaves_out_are_shown(tokens: list[str], text: str) -> None:
    heat = heat_of([(scores_of(["p", *tokens], list(range(len(tokens) + 1))), text)])
    shown = "".join(one.text for one in heat.lines[0].tokens)
    assert shown.removesuffix("<end>") == text


def test_invisible_characters_are_escaped_and_long_responses_cut() -> None:
    tokens = ["p", "\u202eevil\x00", *["x"] * MOST_TOKENS]
    heat = heat_of([(scores_of(tokens, [0.0] * len(tokens)), "".join(tokens[1:]))])
    assert heat.lines[0].tokens[0].text == "\\u202eevil\\x00"
    assert len(heat.lines[0].tokens) == MOST_TOKENS
    assert heat.lines[0].note == "1 more token not drawn; the curve has all"
