from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.metrics.outcomes import HALF, OFFICIAL, outcomes
from rmeval.types import Comparison, Evidence, Item, Response, ScoreRule


def one(
    scores: list[float], gold: int = 0, beats: np.ndarray | None = None, rule: ScoreRule = OFFICIAL
) -> tuple[float, bool, bool]:
    """Credit, tied, failed of one comparison among all responses."""
    count = len(scores)
    item = Item("i", "s", (), (Response(""),) * count, (Comparison(tuple(range(count)), gold),), "c")
    found = outcomes([item], {"i": Evidence("i", "score", np.array(scores), beats)}, rule)
    return float(found.credit[0]), bool(found.tied[0]), bool(found.failed[0])


def test_a_pair() -> None:
    assert one([2, 1]) == (1.0, False, False)
    assert one([1, 2]) == (0.0, False, False)
    assert one([1, 2], gold=1) == (1.0, False, False)
    assert one([1, 1]) == (0.0, True, False)
    assert one([1, 1], rule=HALF) == (0.5, True, False)


def test_best_of_four_shares_the_top() -> None:
    assert one([3, 1, 2, 0], rule=HALF)[0] == 1.0
    assert one([3, 3, 3, 0], rule=HALF)[0] == pytest.approx(1 / 3)
    assert one([3, 3, 4, 0], rule=HALF)[0] == 0.0
    assert one([3, 3, 4, 0]) == (0.0, False, False)


def test_a_missing_score_fails_and_the_policy_decides() -> None:
    nan = float("nan")
    assert one([nan, 1]) == (0.0, False, True)
    assert one([1, nan]) == (0.0, False, True)
    credit, tied, failed = one([1, nan], rule=HALF)
    assert np.isnan(credit)
    assert (tied, failed) == (False, True)


def test_infinities_compare_as_numbers() -> None:
    inf = float("inf")
    assert one([inf, 1])[0] == 1.0
    assert one([inf, inf]) == (0.0, True, False)
    assert one([-inf, -inf], rule=HALF)[0] == 0.5


def test_a_comparators_matrix_decides_where_there_is_one() -> None:
    beats = np.array([[np.nan, 1.0, 0.5], [0.0, np.nan, 1.0], [0.5, 0.0, np.nan]])
    assert one([0, 0, 0], beats=beats, rule=HALF) == (0.5, True, False)
    beats[0, 2] = np.nan
    assert one([0, 0, 0], beats=beats)[2]


def test_no_evidence_has_failed() -> None:
    item = Item("i", "s", (), (Response(""),) * 2, (Comparison((0, 1)),), "c")
    assert outcomes([item], {}, OFFICIAL).failed.tolist() == [True]


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=6))
def test_credit_over_all_possible_winners_is_one(scores: list[float]) -> None:
    """Whoever is called the winner, the point is given once: so equal scores get chance level, 1/n."""
    total = sum(one(scores, gold=gold, rule=HALF)[0] for gold in range(len(scores)))
    assert total == pytest.approx(1.0)


def test_subsets_come_in_the_order_of_their_first_items() -> None:
    items = [
        Item(str(number), subset, (), (Response("a"), Response("b")), (Comparison((0, 1)),), str(number))
        for number, subset in enumerate(["z", "a", "z", "m", "a"])
    ]
    found = outcomes(
        items, {item.id: Evidence(item.id, "score", np.array([float(item.id != "2"), 0.5])) for item in items}, OFFICIAL
    )
    parts = dict(found.by_subset())
    assert list(parts) == found.present == ["z", "a", "m"]
    assert [part.credit.tolist() for part in parts.values()] == [[1.0, 0.0], [1.0, 1.0], [1.0]]
    assert found.within("m").present == ["m"]
