"""Which value of a metric is best, and which number is the headline."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from rmeval.metrics.composition import absence, absent, headline, parts
from rmeval.metrics.targets import best_note, is_better, merit
from rmeval.results.order import from_best, letters_of, ranks_of
from rmeval.types import Record
from tests.metrics.stats.differences import difference

ZERO = Record("b", "score", "official@1", "style_gap", "all", 0.0, None, None, 9, 9, 9.0, 0, 0, {}, "f@1")


def gap(value: float, half: float = 0.05) -> Record:
    return replace(ZERO, value=value, ci=(value - half, value + half))


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("accuracy", [0.9, 0.5, 0.1]),
        ("mrr", [0.9, 0.5]),
        ("style_gap", [0.0, -0.1, 0.2, -0.3]),
        ("prefers_fancier", [0.5, 0.6, 0.3, 1.0]),
        ("over_refusing", [0.1, 0.2]),
        ("under_refusing", [0.1, 0.2]),
        ("brier", [0.1, 0.2]),
        ("loss", [0.1, 0.2]),
    ],
)
def test_values_from_the_best(metric: str, values: list[float]) -> None:
    merits = [merit(metric, value) for value in values]
    assert merits == sorted(merits, reverse=True)
    records = [replace(ZERO, metric=metric, value=value) for value in values]
    assert from_best(records[::-1]) == list(range(len(values)))[::-1]


def test_notes() -> None:
    assert [best_note(metric) for metric in ("accuracy", "style_gap", "prefers_fancier", "brier")] == [
        "",
        "0 is best",
        "50 is best",
        "lower is better",
    ]


def test_better_where_the_best_value_lies_between() -> None:
    """A test of the difference says nothing of the distances from 0 if the numbers are on two sides of it."""
    assert is_better("style_gap", gap(0.1), gap(0.3))
    assert is_better("style_gap", gap(-0.1), gap(-0.3))
    assert not is_better("style_gap", gap(0.3), gap(0.1))
    assert not is_better("style_gap", gap(-0.29), gap(0.3)), "the intervals of the distances overlap"
    assert is_better("style_gap", gap(-0.01), gap(0.6)), "they do not"
    assert not is_better("style_gap", replace(gap(-0.01), ci=None), gap(0.6))
    assert is_better("accuracy", gap(0.6), gap(0.1))
    assert is_better("loss", gap(0.1), gap(0.6))


def test_ranks_and_letters_of_gaps() -> None:
    """Gaps of 60, -10 and 5 points: the last two do not differ, both differ from the first."""
    records, names = [gap(0.6), gap(-0.1), gap(0.05, 0.2)], ["most", "less", "least"]
    differences = [
        difference("most", "less", 0.7, 0.01),
        difference("most", "least", 0.55, 0.01),
        difference("less", "least", -0.15, 0.5),
    ]
    assert from_best(records) == [2, 1, 0]
    assert letters_of(records, names, differences) == ["b", "a", "a"]
    assert ranks_of(records, names, differences) == [(3, 3), (1, 2), (1, 2)]


@pytest.mark.parametrize(
    ("values", "order"),
    [([0.05, -0.4, 0.6], [0, 1, 2]), ([-0.78, 0.76, 0.78, 0.4], [3, 1, 0, 2]), ([0.78, -0.78, 0.4], [2, 1, 0])],
)
def test_letter_a_and_rank_1_are_those_of_the_smallest_bias(values: list[float], order: list[int]) -> None:
    """Gaps on both sides of 0, all pairs of which differ significantly, in any order of the models."""
    for turn in range(len(values)):
        places = [(k + turn) % len(values) for k in range(len(values))]
        records, names = [gap(values[k], 0.005) for k in places], [f"m{k}" for k in places]
        differences = [
            difference(names[one], names[other], records[one].value - records[other].value, 0.001)
            for one, other in combinations(range(len(records)), 2)
        ]
        letters = dict(zip(names, letters_of(records, names, differences), strict=True))
        assert [letters[f"m{k}"] for k in order] == ["a", "b", "c", "d"][: len(values)]
        ranks = dict(zip(names, ranks_of(records, names, differences), strict=True))
        assert ranks[f"m{order[0]}"] == (1, 1)
        assert max(ranks.values(), key=lambda rank: rank[0]) == ranks[f"m{order[-1]}"]
        # -78 and 78 differ significantly, and are equally far from 0.
        if values[order[-1]] == -values[order[-2]]:
            assert ranks[f"m{order[-1]}"] == ranks[f"m{order[-2]}"]


def test_of_gaps_near_0_a_significant_difference_is_not_enough() -> None:
    """True gaps of -1 and +1 are equally far from 0, and both estimates can be above it."""
    assert not is_better("style_gap", gap(0.01, 0.02), gap(0.03, 0.02)), "their sum may be 0"
    assert is_better("style_gap", gap(0.02, 0.01), gap(0.05, 0.01))
    assert not is_better("style_gap", gap(-0.01, 0.02), gap(-0.03, 0.02))
    assert is_better("style_gap", gap(-0.02, 0.01), gap(-0.05, 0.01))
    assert is_better("prefers_fancier", gap(0.52, 0.01), gap(0.6, 0.05))


def test_the_headline_stands_for_all_items() -> None:
    assert headline([("accuracy", "x"), ("accuracy", "all"), ("overall", "all")]) == ("overall", "all")
    assert headline([("mrr", "all"), ("accuracy", "x"), ("accuracy", "all")]) == ("accuracy", "all")
    assert headline([("accuracy", "x"), ("mrr", "all")]) == ("mrr", "all")
    assert headline([("average", "prior"), ("accuracy", "x"), ("accuracy", "y")]) == ("average", "prior")
    assert headline([]) is None


def test_a_part_is_never_the_headline() -> None:
    chat = [("easy", "chat"), ("average", "chat"), ("cell:a/b", "chat")]
    math = [(metric, "math") for metric, _ in chat]
    assert headline(chat) is None
    assert headline([*chat, *math]) is None
    assert parts([*chat, *math]) == [("average", "chat"), ("average", "math")]
    sections = [("section", "Chat"), ("accuracy", "x"), ("section", "Chat Hard"), ("accuracy", "y")]
    assert headline(sections) is None
    assert parts(sections) == [("section", "Chat"), ("section", "Chat Hard")]
    assert headline([("composite", "Ties"), ("tied", "Ties")]) is None
    assert parts([("accuracy", "Focus"), ("composite", "Ties"), ("tied", "Ties")]) == [
        ("accuracy", "Focus"),
        ("composite", "Ties"),
    ]


def test_what_is_absent_is_one_sentence() -> None:
    note = absent("overall", "math, code")
    assert note == "no overall: there are no items of math, code"
    assert absence([("accuracy", "x")], ["another note", note]) == note
    assert absence([("accuracy", "x")], []) == "no overall: no number is of all items"
    assert absence([("accuracy", "all")], ["no style control: too few"]) == ""
    assert absence([], []) == ""
