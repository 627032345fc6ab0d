from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rmeval.benchmarks.pairs import Pairs
from rmeval.data.digests import contents_digest, conversation_digest, item_digests
from rmeval.data.style import count_text
from rmeval.runs import plan as planning
from rmeval.types import Comparison, Item, Message, Response, Step

CALL: Any = {"type": "function", "function": {"name": "f", "arguments": {"x": 1.5, "a": None}}}
TOOL: Any = {"name": "f", "parameters": {"z": {}, "a": [1, "é"]}}


def items() -> Iterator[Item]:
    """Items that share shapes, and some with all that an item can hold."""
    for number in range(7):
        answers = (Response(f"**a** {number}", 1.0), Response("# b\n- c", 0.0))
        pair = (Comparison((0, 1), 0, "chosen/rejected"),)
        yield Item(f"i{number}", f"s{number % 2}", (Message("user", f"q{number}"),), answers, pair, f"c{number // 2}")
    yield Item(
        id="all",
        subset="s0",
        prompt=(Message("system", ""), Message("user", '"quoted"\u2028\x07\ud800é', name="n")),
        responses=(
            Response("", None, "concise", "m", (Step(0, 0, 0.5), Step(0, 0, None))),
            Response("call", 0.5, message=Message("assistant", "call", tool_calls=(CALL,), reasoning_content="r")),
            Response("\udcff", 2.0),
        ),
        comparisons=(Comparison((2, 0), None), Comparison((0, 1, 2), 1, "t")),
        cluster="c9",
        group="g",
        meta={"k": [1, {"x": "ü"}]},
        tools=(TOOL,),
    )


@pytest.mark.parametrize("window", [1, 3, 1 << 12])
def test_items_come_back_as_they_were(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_WINDOW", window)
    planned = planning.plan(Pairs("none"), items=items())
    for _ in range(2):
        found = list(planned.items())
        assert [one.item for one in found] == list(items())
        assert [one.digests for one in found] == [item_digests(item) for item in items()]
        assert [one.counts for one in found] == [
            tuple(count_text(response.text) for response in item.responses) for item in items()
        ]
    assert planned.contents == contents_digest((item.id, item_digests(item)) for item in items())
    some = np.arange(8) % 3 == 1
    assert [one.item.id for one in planned.take(some).items()] == ["i1", "i4", "all"]


def test_items_without_their_texts() -> None:
    planned = planning.plan(Pairs("none"), items=items())
    for bare, whole in zip(planned.items(texts=False), planned.items(), strict=True):
        assert (bare.digests, bare.counts) == (whole.digests, whole.counts)
        assert bare.item == replace(
            whole.item,
            prompt=(),
            tools=(),
            responses=tuple(replace(response, text="", message=None) for response in whole.item.responses),
        )


def test_the_digest_of_a_conversation_is_that_of_its_json() -> None:
    """Request keys are made of it: it stays what `json.dumps` of the messages gives."""
    for item in items():
        for index, own in enumerate(item_digests(item)):
            conversation = item.conversation(index)
            value: list[Any] = [[m.role, m.content, *([m.extras] if m.extras else [])] for m in conversation]
            value += [{"tools": list(item.tools)}] if item.tools else []
            text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            expected = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
            assert own == conversation_digest(conversation, item.tools) == expected


def test_a_number_that_json_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        conversation_digest((Message("assistant", "", tool_calls=({"x": float("nan")},)),))
