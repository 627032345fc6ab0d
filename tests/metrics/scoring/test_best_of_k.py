from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.outcomes import HALF, OFFICIAL
from rmeval.metrics.scoring.best_of_k import best_of_k, curve_records, pooled_auc, scaled
from rmeval.types import Item, Record, Response


def by_all_orders(scores: list[float], quality: list[float]) -> list[float]:
    """The mean quality of the first maximum of the first k answers, over all orders of them."""
    found = []
    for k in range(1, len(scores) + 1):
        picked = [
            quality[max(order[:k], key=lambda place: (scores[place], -order.index(place)))]
            for order in permutations(range(len(scores)))
        ]
        found.append(float(np.mean(picked)))
    return found


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 1.5, 2.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=5))
def test_the_curve_is_the_mean_over_all_orders(answers: list[tuple[float, float]]) -> None:
    scores, quality = [list(column) for column in zip(*answers, strict=True)]
    found = best_of_k(np.array([scores]), np.array([quality]))[0]
    assert found.tolist() == pytest.approx(by_all_orders(scores, quality))


def test_the_curve_by_hand() -> None:
    # The only right answer has the second highest of four scores. Of two: best with both lower ones, 2 of 6 pairs.
    found = best_of_k(np.array([[4.0, 3.0, 2.0, 1.0]]), np.array([[0.0, 1.0, 0.0, 0.0]]))
    assert found[0].tolist() == pytest.approx([1 / 4, 2 / 6, 1 / 4, 0])
    # Ideal: it is among k of four in k/4 of cases.
    ideal = best_of_k(np.array([[0.0, 1.0, 0.0, 0.0]]), np.array([[0.0, 1.0, 0.0, 0.0]]))
    assert ideal[0].tolist() == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1])


def test_scaled_within_items() -> None:
    found = scaled(np.array([[1.0, 3.0, 2.0], [5.0, 5.0, 5.0], [np.nan, -np.inf, 4.0], [0.0, 8.0, np.nan]]))
    assert found.tolist() == [[0, 1, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0, 1, 0]]


def test_area_by_hand() -> None:
    # Pairs right-wrong: .9 over .5 and .1, .5 over .1 and level with .5.
    scores, right = np.array([[0.9, 0.5], [0.5, 0.1]]), np.array([[True, False], [True, False]])
    assert pooled_auc(scores, right) == pytest.approx(3.5 / 4)
    assert np.isnan(pooled_auc(scores, np.ones((2, 2), bool)))


def item(number: int, gold: list[float], subset: str = "one") -> Item:
    answers = tuple(Response("", one) for one in gold)
    return Item(str(number), subset, (), answers, (), f"problem {number // 2}")


def numbers(
    items: list[Item], scores: Any, rule: Any = OFFICIAL, subsets: tuple[str, ...] = ("one",)
) -> dict[tuple[str, str], Record]:
    table = ItemTable.of(items)
    evidence = EvidenceTable(table, "score", np.array([one for own in scores for one in own], float))
    return {(r.metric, r.scope): r for r in curve_records("b", rule, table, evidence, subsets, (1, 2))}


def test_records_by_hand() -> None:
    items = [item(0, [0, 1, 0, 0]), item(1, [1, 0, 0, 0])]
    found = numbers(items, [[4, 3, 2, 1], [4, 3, 2, 1]])
    # The curves [1/4, 1/3, 1/4, 0] and [1/4, 1/2, 3/4, 1]; the ideal is the second of these for both.
    assert found["best_of_1", "one"].value == pytest.approx(1 / 4)
    assert found["best_of_2", "one"].value == pytest.approx(5 / 12)
    assert found["end_score", "one"].value == found["max_score", "one"].value == pytest.approx(1 / 2)
    assert found["loss", "one"].value == pytest.approx((0 + (1 / 12) ** 2 + (1 / 4) ** 2 + (1 / 2) ** 2) / 4)
    # Pooled: 1 is above all 6 wrong ones but for a level one; 2/3 is above 1/3, 0, 2/3 (level), 1/3, 0.
    assert found["auc", "one"].value == pytest.approx((5.5 + 4.5) / 12)
    assert found["end_score", "all"].value == pytest.approx(1 / 2)
    assert found["auc", "one"].formula == "b/auc@1"
    assert found["best_of_2", "one"].formula == "b/best-of-k@1"
    assert (found["loss", "one"].n_items, found["loss", "one"].n_clusters) == (2, 1)
    # One that falls after its top.
    fallen = numbers([items[0]], [[4, 3, 2, 1]])
    assert fallen["max_score", "one"].value == pytest.approx(1 / 3)
    assert fallen["end_score", "one"].value == 0


def test_all_is_the_plain_mean_and_needs_each_subset() -> None:
    items = [item(0, [1, 0]), item(2, [1, 0], "two"), item(4, [1, 0], "two")]
    found = numbers(items, [[2, 1], [1, 2], [1, 2]], subsets=("one", "two"))
    assert found["end_score", "one"].value == 1
    assert found["end_score", "two"].value == 0
    assert found["end_score", "all"].value == 0.5
    assert found["end_score", "all"].n_items == 3
    alone = numbers(items[:1], [[2, 1]], subsets=("one", "two"))
    assert [scope for _, scope in alone] == ["one"] * 5


def test_missing_scores() -> None:
    nan = float("nan")
    items = [item(0, [1, 0, 0]), item(2, [1, 0, 1]), item(4, [1, 1, 0])]
    scores = [[3, 2, 1], [nan, 0, 1], [nan, nan, nan]]
    lost = numbers(items, scores)["end_score", "one"]
    assert lost.value == pytest.approx(2 / 3)
    assert (lost.failures, lost.n_items) == (2, 3)
    kept = numbers(items, scores, HALF)["end_score", "one"]
    assert (kept.value, kept.failures, kept.n_items) == (1, 0, 1)
    assert numbers(items, [[nan] * 3] * 3) == {}


def test_ties_at_the_top_are_counted_where_they_matter() -> None:
    items = [item(0, [1, 0, 0]), item(2, [1, 1, 0]), item(4, [1, 0, 0])]
    found = numbers(items, [[2, 2, 1], [2, 2, 1], [2, 1, 1]])["end_score", "one"]
    assert found.value == pytest.approx(2.5 / 3)
    assert found.ties == 1


def test_intervals_hold_the_value_and_do_not_change_it() -> None:
    random = np.random.default_rng(0)
    items = [item(number, (random.random(6) < 0.4).astype(float).tolist()) for number in range(80)]
    scores = [[answer.gold or 0 for answer in one.responses] + random.normal(size=6) for one in items]
    found = numbers(items, [list(own) for own in scores])
    table = ItemTable.of(items)
    evidence = EvidenceTable(table, "score", np.concatenate(scores))
    plain = curve_records("b", OFFICIAL, table, evidence, ("one",), (1, 2), intervals=False)
    for record in plain:
        own = found[record.metric, record.scope]
        assert record.ci is None
        assert own.value == pytest.approx(record.value, abs=1e-12)
        assert own.ci is not None
        assert own.ci[0] < own.value < own.ci[1]
        assert own.n_clusters == 40
    # The spread of an area is about that of a mean over so many problems.
    area = found["auc", "one"].ci
    assert area is not None
    assert 0.05 < area[1] - area[0] < 0.25
