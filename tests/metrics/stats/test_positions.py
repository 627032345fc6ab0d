from __future__ import annotations

import pytest

from rmeval.data.tables import ItemTable
from rmeval.metrics.outcomes import HALF, OFFICIAL, SHARED
from rmeval.metrics.stats.positions import NO_VERDICT, TIE, Presented, Share, order_shares
from rmeval.types import Comparison, Item, Response


def items(count: int, size: int = 2) -> ItemTable:
    own = (Comparison(tuple(range(size)), 0),)
    return ItemTable.of([Item(str(n), "s", (), (Response(""),) * size, own, f"problem {n // 2}") for n in range(count)])


def named(found: list[Share]) -> dict[tuple[str, int | None], tuple[float, int]]:
    return {(one.name, one.position): (one.value, one.count) for one in found}


def both(item: int, first: int, second: int, vote: int = 0) -> list[Presented]:
    """Verdicts on the orders (0, 1) and (1, 0): positions as presented."""
    return [Presented(item, (0, 1), vote, first), Presented(item, (1, 0), vote, second)]


VERDICTS = [
    *both(0, 0, 1),  # Right in both orders.
    *both(1, 0, 0),  # The first response in both.
    *both(2, 1, 0),  # Wrong in both.
    *both(3, TIE, 1),  # A tie, then right.
    *both(4, 0, NO_VERDICT),
]


def test_two_orders_by_hand() -> None:
    found = named(order_shares(items(5), VERDICTS, OFFICIAL))
    assert found == {
        ("flipped", None): (2 / 4, 4),  # Items 1 and 3.
        # Item 0: 1, 0; item 1: 1, 1; item 2: 0, 1; item 3: 1/2, 0; item 4: 1.
        ("prefers", 1): (pytest.approx(5.5 / 9), 9),
        ("accuracy", 1): (3 / 5, 5),
        ("accuracy", 2): (2 / 5, 5),
        ("ties", None): (pytest.approx(1 / 9), 9),
    }


def test_ties_and_failures_count_by_the_score_rule() -> None:
    shared = named(order_shares(items(5), VERDICTS, SHARED))
    assert (shared["accuracy", 1], shared["accuracy", 2]) == ((3.5 / 5, 5), (2 / 5, 5))
    left_out = named(order_shares(items(5), VERDICTS, HALF))
    assert (left_out["accuracy", 1], left_out["accuracy", 2]) == ((3.5 / 5, 5), (2 / 4, 4))


def test_rotations_of_four() -> None:
    members = (0, 1, 2, 3)
    verdicts = [Presented(0, members[k:] + members[:k], 0, 0) for k in range(4)]
    found = named(order_shares(items(1, 4), verdicts, OFFICIAL))
    assert [found["prefers", place] for place in range(1, 5)] == [(1.0, 4), (0.0, 4), (0.0, 4), (0.0, 4)]
    assert [found["accuracy", place] for place in range(1, 5)] == [(1.0, 1), (0.0, 1), (0.0, 1), (0.0, 1)]
    assert found["flipped", None] == (1.0, 1)


def test_votes_are_separate_groups_and_sizes_separate_tables() -> None:
    table = ItemTable.of(
        [
            Item("0", "s", (), (Response(""),) * 3, (Comparison((0, 1)), Comparison((1, 2), 1)), "0"),
            Item("1", "s", (), (Response(""),) * 3, (Comparison((0, 1, 2), None),), "1"),
        ]
    )
    verdicts = [
        *both(0, 0, 1),
        *both(0, 0, 0, vote=1),
        Presented(0, (1, 2), 0, 1),
        Presented(1, (0, 1, 2), 0, 0),
    ]
    found = order_shares(table, verdicts, OFFICIAL)
    assert {one.size for one in found} == {2, 3}
    assert named([one for one in found if one.size == 2])["flipped", None] == (0.5, 2)
    # The pair (1, 2) is right with its second response; a human tie has no accuracy.
    assert named([one for one in found if one.size == 2])["accuracy", 2] == (2 / 3, 3)
    assert named([one for one in found if one.size == 3])["accuracy", 1][1] == 0


def test_intervals_are_clustered() -> None:
    twice = [one for item in range(40) for one in both(item, item % 4 // 2, 1 - item % 4 // 2)]
    found = {(one.name, one.position): one for one in order_shares(items(40), twice, OFFICIAL)}
    accuracy = found["accuracy", 1]
    assert accuracy.value == 0.5
    assert accuracy.ci is not None
    # 20 problems of two equal items each: about as wide as for 20 independent decisions.
    assert 0.38 < accuracy.ci[1] - accuracy.ci[0] < 0.46
