"""Chance levels by formula, against the exact enumeration of all verdicts of a judge that decides at random."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from rmeval.metrics.outcomes import OFFICIAL, SCORE_RULES, SHARED, outcomes
from rmeval.protocols.judging import JudgeOptions, JudgeProtocol
from rmeval.protocols.judging.best import JudgeBest
from rmeval.protocols.judging.card import JudgeCard
from rmeval.protocols.judging.chance import best_guess, pair_guess
from rmeval.protocols.judging.pairs import JudgePairs
from rmeval.types import Comparison, Item, Observation, Response
from tests.protocols.test_judge_evidence import BEST, PAIRS, fold


def enumerated(judge: JudgeProtocol, size: int, variant: str, tie: float, rule: str) -> float:
    """The mean credit over all outputs, weighted by their probabilities."""
    item = Item("i", "s", (), (Response(""),) * size, (Comparison(tuple(range(size)), 0),), "i")
    questions = judge.questions(item)
    pairs = isinstance(judge, JudgePairs)
    options = (0, 1) if pairs else tuple(range(size))
    outputs = (
        [(-1, tie), *((one, (1 - tie) / len(options)) for one in options)]
        if tie
        else [(one, 1 / len(options)) for one in options]
    )
    total = known = 0.0
    for drawn in product(outputs, repeat=len(questions)):
        choices = {(one.members, one.vote): choice for one, (choice, _) in zip(questions, drawn, strict=True)}
        weight = math.prod(probability for _, probability in drawn)

        def answer(_: Item, question: object, own: dict[object, int] = choices) -> Observation:  # type: ignore[assignment]
            choice = own[question.members, question.vote]  # type: ignore[attr-defined]
            values = {"p_first": {0: 1.0, 1: 0.0, -1: 0.5}[choice]} if pairs else {}
            return Observation("", "ok", values, choice)

        seen = fold(judge, [item], answer, variant)
        credit = float(outcomes(seen.table, seen, SCORE_RULES[rule]).credit[0])
        if not np.isnan(credit):
            total += weight * credit
            known += weight
    return total / known


@pytest.mark.parametrize("rule", ["official@1", "shared-ties@1", "half-ties@1", "half-failures@1"])
@pytest.mark.parametrize(
    ("size", "votes", "tie", "variant"),
    [
        (2, 1, 0.0, "orders/each"),
        (2, 1, 0.2, "orders/each"),
        (2, 1, 0.0, "orders/agree"),
        (2, 1, 0.2, "orders/agree"),
        (2, 1, 0.2, "orders/net"),
        (2, 2, 0.2, "orders/each"),
        (2, 2, 0.2, "orders/agree"),
        (2, 2, 0.2, "orders/net"),
        (2, 2, 0.2, "orders/mean"),
        (2, 2, 0.2, "votes/each"),
        (2, 3, 0.0, "orders/net"),
        (3, 1, 0.2, "orders/each"),
        (3, 1, 0.2, "orders/agree"),
        (3, 1, 0.2, "orders/net"),
    ],
)
def test_chance_of_pairs(size: int, votes: int, tie: float, variant: str, rule: str) -> None:
    judge = JudgePairs(PAIRS, JudgeOptions(votes=votes))
    own = pair_guess(variant, tie, votes, graded=False).credit(size, SCORE_RULES[rule])
    assert own == pytest.approx(enumerated(judge, size, variant, tie, rule))


@pytest.mark.parametrize("rule", ["official@1", "shared-ties@1", "half-ties@1", "half-failures@1"])
@pytest.mark.parametrize(
    ("size", "votes", "tie", "variant"),
    [
        (4, 1, 0.0, "rotations/each"),
        (3, 1, 0.2, "rotations/each"),
        (3, 1, 0.2, "rotations/mean"),
        (4, 1, 0.0, "rotations/mean"),
        (2, 2, 0.2, "rotations/each"),
        (2, 2, 0.2, "votes/each"),
        (2, 2, 0.2, "rotations/mean"),
    ],
)
def test_chance_of_the_best_of_several(size: int, votes: int, tie: float, variant: str, rule: str) -> None:
    judge = JudgeBest(BEST, JudgeOptions(votes=votes))
    own = best_guess(variant, tie, votes, graded=False).credit(size, SCORE_RULES[rule])
    assert own == pytest.approx(enumerated(judge, size, variant, tie, rule))


def test_known_levels() -> None:
    assert pair_guess("orders/each", 0, 1, graded=False).credit(2, OFFICIAL) == 0.5
    assert pair_guess("orders/agree", 0, 1, graded=False).credit(2, OFFICIAL) == 0.25
    assert pair_guess("orders/net", 0, 1, graded=False).credit(2, OFFICIAL) == 0.25
    assert pair_guess("orders/mean", 0, 1, graded=True).credit(2, OFFICIAL) == 0.5
    assert pair_guess("orders/agree", 0, 1, graded=False).credit(2, SHARED) == 0.5
    assert pair_guess("verdict", 0.1, 1, graded=False).credit(2, OFFICIAL) == pytest.approx(0.45)
    assert best_guess("rotations/each", 0, 1, graded=False).credit(4, OFFICIAL) == 0.25
    assert pair_guess("orders/each", 0, 1, graded=False).credit(4, OFFICIAL) == 0.125
    # Two votes that must both agree: one half of the pairs have no verdict.
    assert pair_guess("orders/each", 0, 2, graded=False).credit(2, OFFICIAL) == 0.25
    assert pair_guess("votes/each", 0, 2, graded=False).credit(2, OFFICIAL) == 0.5


def test_a_judge_with_probabilities_never_ties() -> None:
    card = JudgeCard("labels-test@1", "best", "labels", "", labels={"A": 1.0})
    assert JudgeBest(card, JudgeOptions()).form == "labels"
    assert best_guess("rotations/mean", 0, 1, graded=True).credit(4, OFFICIAL) == 0.25


def test_many_votes_on_many_responses() -> None:
    # Their number of outcomes is far too large to list, and the factorials exceed a float.
    random = np.random.default_rng(0)
    counts = random.multinomial(10 * 12, [0.1, *[0.9 / 10] * 10], size=40_000)[:, 1:]
    alone = (counts[:, [0]] > counts[:, 1:]).all(axis=1).mean()
    assert best_guess("rotations/mean", 0.1, 12, graded=False).credit(10, OFFICIAL) == pytest.approx(alone, abs=0.004)
    half = math.comb(1200, 600) / 2**1200
    guess = pair_guess("orders/mean", 0, 600, graded=False)
    assert guess.credit(2, OFFICIAL) == pytest.approx((1 - half) / 2)
    assert guess.credit(2, SHARED) == pytest.approx(0.5)
    assert pair_guess("orders/mean", 1.0, 3, graded=False).credit(2, OFFICIAL) == 0
