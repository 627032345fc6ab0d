"""Evidence of judges: orders, rotations and votes, against numbers by hand and against each order by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.outcomes import HALF, OFFICIAL, SCORE_RULES, outcomes
from rmeval.protocols.base import Question
from rmeval.protocols.judging import JudgeOptions, JudgeProtocol
from rmeval.protocols.judging.best import JudgeBest
from rmeval.protocols.judging.card import JudgeCard
from rmeval.protocols.judging.pairs import JudgePairs
from rmeval.protocols.judging.rating import JudgeRateAll, JudgeRating
from rmeval.types import Comparison, Item, Observation, Response

NAN = math.nan
PAIRS, BEST, RATE, RATE_ALL = (
    JudgeCard(f"{kind}-test@1", kind, "text", "", labels={"A": 1.0, "B": 0.0})
    for kind in ("pair", "best", "rate", "rate-all")
)


def item(name: str = "i", size: int = 2, comparisons: Sequence[Comparison] | None = None, subset: str = "s") -> Item:
    own = (Comparison(tuple(range(size)), 0),) if comparisons is None else tuple(comparisons)
    return Item(name, subset, (), tuple(Response("", float(k == 0)) for k in range(size)), own, name)


Answer = Callable[[Item, Question], Observation]


def fold(protocol: JudgeProtocol, items: Sequence[Item], answer: Answer, variant: str | None = None) -> EvidenceTable:
    """The evidence of a judge that answers each question by a function."""
    table = ItemTable.of(items)
    found = [answer(one, question) for one in items for question in protocol.questions(one)]
    observations = ObservationTable(len(found))
    rows = np.arange(len(found), dtype=np.int32)
    observations.add(rows.astype(np.int64), found)
    return protocol.fold(table, observations, rows, variant or protocol.variants(observations)[0])


def prefers(verdict: float) -> Observation:
    """A verdict on a pair as presented; NaN for output without one."""
    return Observation("", "unparsed") if math.isnan(verdict) else Observation("", "ok", {"p_first": verdict})


def by_order(*verdicts: float) -> Answer:
    """The same verdicts on the pair, in the orders (0, 1) and (1, 0), each for the response presented first."""
    return lambda _, question: prefers(verdicts[int(question.members[0] > question.members[1])])


def accuracy(seen: EvidenceTable, rule: str = "official@1") -> float:
    return float(np.nanmean(outcomes(seen.table, seen, SCORE_RULES[rule]).credit))


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        # Of the response presented first in each order; the first response of the item is the better one.
        ((1.0, 0.0), {"orders/each": 1.0, "orders/agree": 1.0, "orders/net": 1.0}),
        ((0.0, 1.0), {"orders/each": 0.0, "orders/agree": 0.0, "orders/net": 0.0}),
        ((1.0, 1.0), {"orders/each": 0.5, "orders/agree": 0.0, "orders/net": 0.0}),
        ((1.0, 0.5), {"orders/each": 0.5, "orders/agree": 0.0, "orders/net": 1.0}),
        ((1.0, NAN), {"orders/each": 0.5, "orders/agree": 0.0, "orders/net": 1.0}),
        ((NAN, NAN), {"orders/each": 0.0, "orders/agree": 0.0, "orders/net": 0.0}),
    ],
)
def test_two_orders_of_a_pair(verdicts: tuple[float, float], expected: dict[str, float]) -> None:
    judge = JudgePairs(PAIRS, JudgeOptions())
    assert {name: accuracy(fold(judge, [item()], by_order(*verdicts), name)) for name in expected} == expected


def test_the_headline_is_the_mean_of_the_orders() -> None:
    judge = JudgePairs(PAIRS, JudgeOptions())
    items = [item(str(number)) for number in range(4)]
    # Right in both orders, in the first, in the second, and without a verdict in the second.
    verdicts = {"0": (1.0, 0.0), "1": (1.0, 1.0), "2": (0.0, 0.0), "3": (1.0, NAN)}
    seen = fold(judge, items, lambda one, question: by_order(*verdicts[one.id])(one, question))
    assert [accuracy(one) for one in seen.readings] == [3 / 4, 2 / 4]
    assert accuracy(seen) == 5 / 8
    assert seen.failures == {"unparsed": 1}
    # Without failures: items 0 to 2 only, in both orders.
    assert accuracy(seen, "half-ties@1") == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_a_declared_tie_in_one_order_is_shared_in_that_order_only() -> None:
    seen = fold(JudgePairs(PAIRS, JudgeOptions()), [item()], by_order(0.5, 0.0))
    assert accuracy(seen, "shared-ties@1") == 0.75
    assert accuracy(seen) == 0.5


def test_probabilities_decide_by_their_mean() -> None:
    card = JudgeCard("labels-test@1", "pair", "labels", "", labels={"A": 1.0, "B": 0.0})
    judge = JudgePairs(card, JudgeOptions())
    own = fold(judge, [item()], by_order(0.9, 0.6), "orders/mean")
    assert accuracy(own) == 1.0
    assert accuracy(fold(judge, [item()], by_order(0.9, 0.6))) == 0.5
    assert accuracy(fold(judge, [item()], by_order(0.6, 0.9), "orders/mean")) == 0.0

    def rounded(_: Item, question: Question) -> Observation:
        first = question.members[0] == 0
        return Observation("", "ok", {"p_first": 1.0, "log_odds": 41.0 if first else 40.0})

    assert accuracy(fold(judge, [item()], rounded, "orders/mean")) == 1.0


def by_vote(votes: Sequence[float], other: Sequence[float]) -> Answer:
    return lambda _, question: prefers((votes if question.members[0] == 0 else other)[question.vote])


@pytest.mark.parametrize(
    ("votes", "credit", "failures"),
    [
        ((1.0, 1.0, 0.0), 1.0, {}),
        ((1.0, 0.0, 0.0), 0.0, {}),
        ((1.0, 1.0, NAN), 1.0, {"unparsed": 1}),
        ((1.0, NAN, 0.0), NAN, {"unparsed": 1, "no_majority": 1}),
        ((1.0, NAN, NAN), NAN, {"unparsed": 2, "no_majority": 1}),
        ((NAN, NAN, NAN), NAN, {"unparsed": 3}),
        ((0.5, 0.5, 0.0), 0.5, {}),
        ((0.5, 1.0, 0.0), NAN, {"no_majority": 1}),
    ],
)
def test_votes_need_more_than_half_of_all(votes: tuple[float, ...], credit: float, failures: dict[str, int]) -> None:
    seen = fold(JudgePairs(PAIRS, JudgeOptions(votes=3)), [item()], by_vote(votes, (0.0, 0.0, 0.0)))
    assert outcomes(seen.table, seen.readings[0], HALF).credit.tolist() == pytest.approx([credit], nan_ok=True)
    assert seen.failures == failures


def test_two_votes_that_differ_are_no_majority_and_never_half_a_win() -> None:
    seen = fold(JudgePairs(PAIRS, JudgeOptions(votes=2)), [item()], by_vote((1.0, 0.0), (0.0, 0.0)))
    assert accuracy(seen, "shared-ties@1") == 0.5  # The second order only.
    assert seen.failures == {"no_majority": 1}


def test_single_votes_are_averaged() -> None:
    judge = JudgePairs(PAIRS, JudgeOptions(votes=3))
    seen = fold(judge, [item()], by_vote((1.0, 0.0, 0.0), (0.0, 0.0, NAN)), "votes/each")
    assert accuracy(seen) == (1 + 2) / 6


def test_a_drawn_order_has_one_verdict() -> None:
    judge = JudgePairs(PAIRS, JudgeOptions(order="seeded"))
    items = [item(str(number)) for number in range(20)]
    orders = {question.members for one in items for question in judge.questions(one)}
    assert orders == {(0, 1), (1, 0)}
    seen = fold(judge, items, lambda _, question: prefers(float(question.members[0] == 0)))
    assert (seen.variant, seen.readings, accuracy(seen)) == ("verdict", (), 1.0)


def choose(by_position: Callable[[Question], int | None]) -> Answer:
    def answer(_: Item, question: Question) -> Observation:
        choice = by_position(question)
        return Observation("", "unparsed") if choice is None else Observation("", "ok", {}, choice)

    return answer


def test_best_of_four_by_rotation() -> None:
    judge = JudgeBest(BEST, JudgeOptions())
    first = choose(lambda _: 0)
    right = choose(lambda question: question.members.index(0))
    assert accuracy(fold(judge, [item(size=4)], right)) == 1.0
    assert accuracy(fold(judge, [item(size=4)], first)) == 1 / 4
    assert accuracy(fold(judge, [item(size=4)], first, "rotations/mean")) == 0.0
    assert accuracy(fold(judge, [item(size=4)], first, "rotations/mean"), "shared-ties@1") == 1 / 4
    tie = choose(lambda _: -1)
    assert accuracy(fold(judge, [item(size=4)], tie)) == 0.0
    assert accuracy(fold(judge, [item(size=4)], tie), "shared-ties@1") == 1 / 4
    some = fold(judge, [item(size=4)], choose(lambda q: q.members.index(0) if q.members[0] < 2 else None))
    assert accuracy(some) == 1 / 2
    assert accuracy(some, "half-failures@1") == (1 + 1 + 1 / 4 + 1 / 4) / 4
    assert some.failures == {"unparsed": 2}


def test_items_of_different_sizes_count_equally() -> None:
    judge = JudgeBest(BEST, JudgeOptions())
    items = [item("0", 2), item("1", 3), item("2", 4)]
    seen = fold(judge, items, choose(lambda question: 0))
    assert outcomes(seen.table, seen, OFFICIAL).credit.tolist() == [1 / 2, 1 / 3, 1 / 4]
    kept = seen.take(np.array([True, False, True]))
    assert outcomes(kept.table, kept, OFFICIAL).credit.tolist() == [1 / 2, 1 / 4]
    again = ItemTable.of([items[2], items[0]])
    assert outcomes(again, seen, OFFICIAL).credit.tolist() == [1 / 4, 1 / 2]
    mixed = item("3", 5, (Comparison((0, 1)), Comparison((2, 3, 4))))
    assert outcomes([mixed], fold(judge, [mixed], choose(lambda question: 0)), OFFICIAL).credit.tolist() == [
        1 / 2,
        pytest.approx(1 / 3),
    ]


def test_votes_on_the_best_need_more_than_half_of_all() -> None:
    judge = JudgeBest(BEST, JudgeOptions(votes=3))
    wanted: list[int | None] = [0, 0, None]
    seen = fold(judge, [item(size=4)], choose(lambda q: None if wanted[q.vote] is None else q.members.index(0)))
    assert (accuracy(seen), seen.failures) == (1.0, {"unparsed": 4})
    split = fold(judge, [item(size=4)], choose(lambda q: q.vote))
    assert (accuracy(split, "shared-ties@1"), split.failures) == (0.0, {"no_majority": 4})


def test_probabilities_of_four_are_averaged_by_response() -> None:
    judge = JudgeBest(BEST, JudgeOptions())
    own = {0: 0.4, 1: 0.35, 2: 0.15, 3: 0.1}

    def answer(_: Item, question: Question) -> Observation:
        p = tuple(own[member] for member in question.members)
        biased = (p[0] + 0.28, *p[1:])
        return Observation("", "ok", {"p": biased}, int(np.argmax(biased)))

    assert accuracy(fold(judge, [item(size=4)], answer)) == 2 / 4
    assert accuracy(fold(judge, [item(size=4)], answer, "rotations/mean")) == 1.0
    even = fold(judge, [item(size=4)], lambda *_: Observation("", "ok", {"p": (0.3, 0.3, 0.2, 0.2)}))
    assert (accuracy(even, "shared-ties@1"), even.failures) == (1 / 4, {})


def rated(ratings: Callable[[Question], Sequence[float]]) -> Answer:
    def answer(_: Item, question: Question) -> Observation:
        own = ratings(question)
        if any(math.isnan(one) for one in own):
            return Observation("", "refused")
        return Observation("", "ok", {"rating": own[0]} if len(question.members) == 1 else {"ratings": tuple(own)})

    return answer


def test_ratings_are_the_mean_of_the_votes_that_exist() -> None:
    judge = JudgeRating(RATE, JudgeOptions(votes=2))
    given = {(0, 0): 8.0, (0, 1): NAN, (1, 0): 7.0, (1, 1): 8.5, (2, 0): NAN, (2, 1): NAN}
    seen = fold(judge, [item(size=3)], rated(lambda question: [given[question.members[0], question.vote]]))
    assert seen.scores.tolist() == pytest.approx([8.0, 7.75, NAN], nan_ok=True)
    assert seen.failures == {"refused": 3}
    single = fold(judge, [item(size=3)], rated(lambda q: [given[q.members[0], q.vote]]), "votes/each")
    assert [one.scores.tolist()[:2] for one in single.readings] == [[8.0, 7.0], pytest.approx([NAN, 8.5], nan_ok=True)]


def test_ratings_of_all_responses_by_order() -> None:
    judge = JudgeRateAll(RATE_ALL, JudgeOptions())
    own = {0: 5.0, 1: 4.0, 2: 3.0}
    # The first response presented gets 1.5 more.
    seen = fold(judge, [item(size=3)], rated(lambda q: [own[m] + 1.5 * (m == q.members[0]) for m in q.members]))
    assert [one.scores.tolist() for one in seen.readings] == [[6.5, 4.0, 3.0], [5.0, 5.5, 3.0], [5.0, 4.0, 4.5]]
    assert accuracy(seen) == pytest.approx(2 / 3)
    mean = fold(judge, [item(size=3)], rated(lambda q: [own[m] for m in q.members]), "rating")
    assert (mean.scores.tolist(), mean.readings) == ([5.0, 4.0, 3.0], ())


VERDICTS = st.sampled_from([0.0, 0.5, 1.0, NAN])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(VERDICTS, VERDICTS), min_size=1, max_size=12), st.sampled_from(sorted(SCORE_RULES)))
def test_each_order_by_itself(verdicts: list[tuple[float, float]], rule: str) -> None:
    """The mean over orders is the mean of the numbers that the plain formula gives in each order."""
    items = [item(str(number)) for number in range(len(verdicts))]
    judge = JudgePairs(PAIRS, JudgeOptions())
    seen = fold(judge, items, lambda one, question: by_order(*verdicts[int(one.id)])(one, question))
    own = SCORE_RULES[rule]
    failed = {"loss": 0.0, "share": 0.5, "exclude": NAN}[own.failure]
    tie = 0.5 if own.tie == "share" else 0.0
    credit = {1.0: 1.0, 0.5: tie, 0.0: 0.0}
    plain = [[credit.get(one, failed), credit.get(1 - other, failed)] for one, other in verdicts]
    complete = [pair for pair in plain if not any(map(math.isnan, pair))]
    found = outcomes(seen.table, seen, own).credit
    if not complete:
        assert np.isnan(found).all()
        return
    orders = [np.mean([pair[order] for pair in complete]) for order in (0, 1)]
    assert np.nanmean(found) == pytest.approx(np.mean(orders))
