"""What the package's protocols ask, and the keys that run folders know it by."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data.digests import item_digests
from rmeval.data.observations import ObservationTable, Vectors
from rmeval.data.tables import ItemTable
from rmeval.errors import RunError
from rmeval.protocols import (
    STEPS,
    ProtocolLike,
    fold_steps,
    fold_votes,
    load_protocol,
    protocol_names,
    request_key,
)
from rmeval.protocols.base import sizes_of
from rmeval.protocols.pointwise import POINTWISE
from rmeval.protocols.registry import BUILTIN
from rmeval.types import Comparison, Item, Message, Observation, Request, Response

FOLLOW_GOLD = {"pairwise-chosen@1", "imported-verdicts@1", "imported-verdicts-both@1"}
"""docs/decisions/014-protocols.md says what that means."""


def item_of(golds: list[int | None], sizes: list[int]) -> Item:
    answers = tuple(Response(f"answer {k}", 1.0) for k in range(4))
    comparisons = tuple(
        Comparison(tuple(range(size)), None if gold is None else gold % size)
        for gold, size in zip(golds, sizes, strict=True)
    )
    return Item("i", "s", (Message("user", "q"),), answers, comparisons, "c")


def test_every_name_is_found_and_no_other() -> None:
    assert set(protocol_names()) >= set(BUILTIN)
    for name in BUILTIN:
        found = load_protocol(name)
        assert (found.protocol.name, found.spec, found.identity) == (name, name, {"protocol": name})
        assert isinstance(found.protocol, ProtocolLike)
    with pytest.raises(RunError, match=r"there is no protocol 'rating@9' .*install the package that registers it"):
        load_protocol("rating@9")


@pytest.mark.parametrize("name", sorted(BUILTIN))
@given(st.data())
def test_what_is_asked_does_not_follow_from_gold(name: str, data: st.DataObject) -> None:
    """Neither which requests there are, nor their order, nor anything in them."""
    protocol = BUILTIN[name]
    sizes = data.draw(st.lists(st.integers(2, 4), min_size=1, max_size=3))
    drawn = st.lists(st.none() | st.integers(0, 3), min_size=len(sizes), max_size=len(sizes))
    one, other = (item_of(data.draw(drawn), sizes) for _ in range(2))
    other = replace(other, responses=tuple(replace(own, gold=0.0) for own in other.responses))
    asked = [protocol.requests(item, protocol.keys(item, item_digests(item))) for item in (one, other)]
    if name not in FOLLOW_GOLD:
        assert asked[0] == asked[1]
    for own, item in zip(asked, (one, other), strict=True):
        assert [request.key for request in own] == list(protocol.keys(item, item_digests(item)))
        assert [request.members for request in own] == [question.members for question in protocol.questions(item)]
        assert sizes_of(protocol, ItemTable.of([item])).tolist() == [len(own)]
        assert all(request.responses == tuple(item.responses[k].text for k in request.members) for request in own)


def test_a_chosen_answer_is_in_all_pairs_that_are_asked() -> None:
    """All requests of an item together show the winner of `pairwise-chosen@1`, and one alone does not."""
    protocol = BUILTIN["pairwise-chosen@1"]
    item = item_of([2], [4])
    asked = [question.members for question in protocol.questions(item)]
    assert set.intersection(*map(set, asked)) == {2}
    assert sorted(asked) == sorted((b, a) for a, b in asked), "each pair is asked in both orders"


KEY_OF_ZEROS = "7e8b109691808d526ce15130f1a3e320"
KEYS_OF_FIRST = {
    "pointwise@1": "7e8b109691808d526ce15130f1a3e320",
    "imported@1": "249e4afee6f87cce1c234962aee9f752",
    "pairwise@1": "e4e85d0a7c610d76377dfb4d5fcba761",
    "pairwise-chosen@1": "e4e85d0a7c610d76377dfb4d5fcba761",
    "imported-verdicts@1": "85384ae78f1416e85658a1a8cbf8ccb5",
    "imported-verdicts-both@1": "a10eb847d5d48e4a90c1f93b4f1b7596",
}
"""The first key of an item, by the code of schema 1."""


def test_keys_of_runs_that_are_there_stay() -> None:
    assert POINTWISE.key_of("0" * 32) == KEY_OF_ZEROS
    item, digests = item_of([0], [2]), [f"{k:032x}" for k in range(4)]
    for name, key in KEYS_OF_FIRST.items():
        assert BUILTIN[name].keys(item, digests)[0] == key, name


def test_a_key_is_of_prompt_vote_judge_and_order() -> None:
    one, other = "0" * 32, "1" * 32
    keys = [
        request_key("p@1", (one, other)),
        request_key("p@2", (one, other)),
        request_key("p@1", (other, one)),
        request_key("p@1", (one, other), prompt="Which?"),
        request_key("p@1", (one, other), vote=1),
        request_key("p@1", (one, other), judge="gpt"),
        request_key("p@1", (one, other), prompt="Which?", vote=1, judge="gpt"),
        request_key("p@1", (one,)),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(bytes.fromhex(key)) == 16 for key in keys)


@given(
    st.lists(st.lists(st.floats(-10, 10), max_size=4).map(tuple) | st.none(), min_size=1, max_size=5),
    st.sampled_from(list(STEPS)),
)
def test_steps_become_one_score(rows: list[tuple[float, ...] | None], how: str) -> None:
    vectors = Vectors(len(rows))
    for place, row in enumerate(rows):
        if row is not None:
            vectors.put(place, row)
    found = fold_steps(vectors, np.arange(len(rows)), how)
    by_hand: Any = {"min": np.min, "prod": np.prod, "last": lambda own: own[-1], "mean": np.mean}[how]
    for row, value in zip(rows, found.tolist(), strict=True):
        assert math.isnan(value) if not row else value == pytest.approx(by_hand(row))


def test_scores_of_steps_are_variants_of_the_pointwise_protocol() -> None:
    seen = ObservationTable(3)
    request = [Request(f"{k:032x}", "i", (k,), (), ("",)) for k in range(3)]
    raw = [{"steps": [0.5, 0.25]}, {"steps": [0.9, math.nan]}, {"steps": (0.75,)}]
    seen.add(np.arange(3), [POINTWISE.parse(one, given_) for one, given_ in zip(request, raw, strict=True)])
    assert seen.errors == {1: "the model returned nan for steps"}
    assert POINTWISE.variants(seen) == ["steps/min", "steps/prod", "steps/last", "steps/mean"]
    items = ItemTable.of([Item("i", "s", (), (Response(""),) * 3, (), "c")])
    for variant, expected in (("steps/min", 0.25), ("steps/prod", 0.125), ("steps/last", 0.25), ("steps/mean", 0.375)):
        evidence = POINTWISE.fold(items, seen, np.arange(3, dtype=np.int32), variant)
        assert evidence.scores.tolist() == pytest.approx([expected, math.nan, 0.75], nan_ok=True)
        assert (evidence.variant, evidence.failures) == (variant, {"error": 1})


nan = math.nan


@pytest.mark.parametrize(
    ("votes", "mean", "majority"),
    [
        ([1, 1, 0], 2 / 3, 1.0),
        ([1, 0, 0.5], 0.5, 0.5),
        ([1, nan, nan], 1.0, 0.5),
        ([1, 1, nan], 1.0, 1.0),
        ([0, 0, 1], 1 / 3, 0.0),
        ([nan, nan, nan], nan, nan),
    ],
)
def test_votes(votes: list[float], mean: float, majority: float) -> None:
    """A majority is more than half of all votes, and a vote that is missing stays among them."""
    given_ = np.array([votes])
    assert fold_votes(given_, "mean")[0] == pytest.approx(mean, nan_ok=True)
    assert fold_votes(given_, "majority")[0] == pytest.approx(majority, nan_ok=True)


def test_an_unread_observation_is_no_value() -> None:
    request = Request("0" * 32, "i", (0, 1), (), ("", ""))
    for name, protocol in BUILTIN.items():
        seen = protocol.parse(request, math.nan)
        assert (seen.key, seen.values) == (request.key, {}), name
        assert seen.status in ("error", "unparsed")
    assert BUILTIN["pairwise@1"].parse(request, 2.0).status == "error"
    assert BUILTIN["pairwise@1"].parse(request, 0.25) == Observation(request.key, values={"p_first": 0.25})
