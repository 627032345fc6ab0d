"""Orders of responses: both, rotations, or one that a seed, the item and the responses determine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.protocols.judging import JudgeOptions, JudgeProtocol
from rmeval.protocols.judging.orders import rotations, seeded_order
from rmeval.protocols.registry import judge_protocol
from rmeval.types import Comparison, Item, Message, Response

KINDS = ("ab", "best", "rating", "principles")


def item(texts: Sequence[str], name: str = "one", *members: tuple[int, ...]) -> Item:
    comparisons = tuple(Comparison(own, 0) for own in members or [tuple(range(len(texts)))])
    return Item(name, "all", (Message("user", "Why?"),), tuple(map(Response, texts)), comparisons, name)


def asked(protocol: JudgeProtocol, own: Item) -> list[tuple[tuple[int, ...], int]]:
    return [(one.members, one.vote) for one in protocol.questions(own)]


def test_both_orders_and_rotations() -> None:
    four = item("abcd")
    pairs = [one for one, _ in asked(judge_protocol(JudgeOptions("ab")), four)]
    assert len(pairs) == 12 and len(set(pairs)) == 12
    assert [one for one, _ in asked(judge_protocol(JudgeOptions("ab", against="chosen")), four)] == [
        *((0, 1), (1, 0), (0, 2), (2, 0), (0, 3), (3, 0))
    ]
    best = [one for one, _ in asked(judge_protocol(JudgeOptions("best")), four)]
    assert best == [(0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2)]
    assert asked(judge_protocol(JudgeOptions("rating", votes=2)), item("ab")) == [
        *(((0,), 0), ((0,), 1), ((1,), 0), ((1,), 1))
    ]
    assert [one for one, _ in asked(judge_protocol(JudgeOptions("principles", order="both")), item("ab"))] == [
        *((0, 1), (1, 0))
    ]


def test_each_response_is_in_each_place_once() -> None:
    for size in range(1, 27):
        for places in zip(*rotations(tuple(range(size))), strict=True):
            assert sorted(places) == list(range(size))


@given(st.integers(0, 2**40), st.text(max_size=20), st.sets(st.integers(0, 100), min_size=1, max_size=8))
def test_a_drawn_order_does_not_depend_on_the_given_one(seed: int, name: str, members: set[int]) -> None:
    found = seeded_order(seed, name, sorted(members))
    assert sorted(found) == sorted(members)
    assert found == seeded_order(seed, name, sorted(members, reverse=True))


def test_drawn_orders_are_equally_frequent() -> None:
    counts = Counter(seeded_order(0, f"item-{number}", (0, 1, 2)) for number in range(6000))
    assert len(counts) == 6
    assert all(abs(count - 1000) < 5 * 1000**0.5 for count in counts.values())
    assert seeded_order(0, "item-1", range(5)) == (1, 3, 4, 2, 0)  # It stays the same for all versions.


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("order", ["both", "seeded"])
def test_the_number_of_requests_does_not_depend_on_the_item(name: str, order: str) -> None:
    given = None if name == "rating" else order  # One response has no order.
    protocol = judge_protocol(JudgeOptions(name, order=given, votes=2))  # type: ignore[arg-type]
    sizes = {len(asked(protocol, item("abcd", f"item-{number}"))) for number in range(50)}
    votes = {tuple(vote for _, vote in asked(protocol, item("abcd", f"item-{number}"))) for number in range(50)}
    assert len(sizes) == len(votes) == 1


@given(
    st.lists(st.text(max_size=3), min_size=2, max_size=2, unique=True), st.sampled_from(["ab", "best", "principles"])
)
def test_swapped_responses_swap_the_orders(texts: list[str], name: str) -> None:
    protocol = judge_protocol(JudgeOptions(name, order="both"))
    one, other = item(texts), item(texts[::-1])
    shown, swapped = (
        [tuple(own.responses[k].text for k in members) for members, _ in asked(protocol, own)] for own in (one, other)
    )
    assert shown == swapped[::-1]
    keys = protocol.keys(one, texts)
    assert protocol.keys(other, texts[::-1]) == keys[::-1]
    assert [one.responses for one in protocol.requests(one, keys)] == shown


def test_keys_of_a_vote_do_not_depend_on_the_other_options() -> None:
    own, digests = item("ab"), ("first", "second")
    plain = judge_protocol(JudgeOptions("ab")).keys(own, digests)
    votes = judge_protocol(JudgeOptions("ab", votes=3)).keys(own, digests)
    assert len(set(votes)) == 6 and votes[::3] == plain
    assert set(judge_protocol(JudgeOptions("ab", order="seeded")).keys(own, digests)) < set(plain)
    assert not set(judge_protocol(JudgeOptions("five-way")).keys(own, digests)) & set(plain)
