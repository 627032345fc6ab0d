"""Averages of rows, worked by hand."""

from __future__ import annotations

import pytest

from rmeval.published.contradictions import Average, contradictions, mean_of, named

DOMAINS = Average("overall all", ("average chat", "average math"))
LEVELS = Average("overall all", ("easy all", "hard all"))
SCORE = Average("score", ("section A", "section B"), half="prior", fewer=True)


def sentences(averages: list[Average], row: dict[str, float], digit: float = 0.1) -> list[str]:
    return [wrong.sentence() for wrong in contradictions(averages, row, digit)]


def test_rounding_explains_one_unit_of_the_last_digit() -> None:
    row = {"average chat": 70.0, "average math": 60.1}
    assert sentences([DOMAINS], row | {"overall all": 65.1}) == []
    assert sentences([DOMAINS], row | {"overall all": 65.15}) == []
    assert sentences([DOMAINS], row | {"overall all": 65.2}) == [
        "the overall is 65.2, but the mean of chat and math is 65.05"
    ]


def test_two_definitions_of_one_number_are_checked_together() -> None:
    row = {"average chat": 70.0, "average math": 60.0, "easy all": 90.0, "hard all": 44.0, "overall all": 67.0}
    assert sentences([DOMAINS, LEVELS], row) == [
        "the overall is 67, but the mean of chat and math is 65 and the mean of easy and hard is 67"
    ]
    del row["overall all"]
    assert sentences([DOMAINS, LEVELS], row) == [
        "the mean of chat and math is 65 and the mean of easy and hard is 67, but both are the overall"
    ]


def test_an_average_without_its_parts() -> None:
    assert sentences([DOMAINS], {"overall all": 65.0}) == []
    assert sentences([DOMAINS], {"overall all": 65.0, "average chat": 65.0}) == [
        "the overall is 65, but there is no number of math"
    ]


def test_a_number_with_half_a_weight() -> None:
    row = {"section A": 0.9, "section B": 0.7}
    assert mean_of(SCORE, row) == pytest.approx(0.8)
    assert mean_of(SCORE, row, half=True) is None
    assert mean_of(SCORE, row | {"prior": 0.4}, half=True) == pytest.approx(1.8 / 2.5)
    assert sentences([SCORE], row | {"score": 0.8}, 1e-4) == []
    assert sentences([SCORE], row | {"score": 0.72, "prior": 0.4}, 1e-4) == []
    assert sentences([SCORE], row | {"score": 0.8, "prior": 0.0}, 1e-4) == [
        "the score is 0.8, but the mean of A, B and half of prior is 0.64"
    ]
    # Without a part, the score is the mean of the others.
    assert sentences([SCORE], {"section A": 0.9, "score": 0.9}, 1e-4) == []
    assert mean_of(SCORE, {"score": 0.9}) is None


def test_names() -> None:
    assert named(["section Chat Hard"]) == "Chat Hard"
    assert named(["easy all", "average math", "Domain Avg"]) == "easy, math and Domain Avg"
