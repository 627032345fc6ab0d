"""No output of a judge becomes a wrong value: each has its value or its status."""

from __future__ import annotations

from collections import Counter

import pytest

from rmeval.protocols.judging import JudgeOptions
from rmeval.protocols.registry import judge_protocol
from rmeval.types import Message, Request
from tests.protocols.judging.nasty import NASTY, SHOWN, Nasty


@pytest.mark.parametrize("case", NASTY, ids=[f"{number}-{one.protocol}" for number, one in enumerate(NASTY)])
def test_an_output_has_its_status_and_value(case: Nasty) -> None:
    protocol = judge_protocol(JudgeOptions(case.protocol))
    one = protocol.card.kind == "rate"
    responses = SHOWN[1:] if one else SHOWN
    request = Request(
        "key", "item", tuple(range(len(responses))), (Message("user", "What is the capital of France?"),), responses
    )
    seen = protocol.parse(request, case.output)
    assert seen.status == case.status
    if case.status != "ok":
        assert (dict(seen.values), seen.choice) == ({}, None)
        return
    name = {"pair": "p_first", "rate": "rating", "rate-all": "ratings"}.get(protocol.card.kind)
    assert (seen.choice if name is None else seen.values[name]) == pytest.approx(case.value)


def test_the_table_is_large_and_covers_all_protocols_and_statuses() -> None:
    from rmeval.protocols.judging.card_file import built_in_cards

    assert len(NASTY) >= 200
    assert {f"{one.protocol}@1" for one in NASTY} == set(built_in_cards())
    statuses = Counter(one.status for one in NASTY)
    assert set(statuses) == {"ok", "unparsed", "refused", "no_verdict", "error"}
