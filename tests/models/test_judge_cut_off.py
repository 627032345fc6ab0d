"""Outputs that are cut off run once more, with twice the budget."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import rmeval
from tests.http_server import Answer, Received, json_answer, serve
from tests.judge_server import CHAT, judged_pairs, reply_of, scripted_judge


def cut_at(table: Any, enough: int, limits: list[int]) -> Any:
    """A judge whose outputs need a number of tokens."""
    whole = scripted_judge(table)

    def script(request: Received) -> Answer:
        if request.path != CHAT:
            return whole(request)
        limits.append(request.json["max_tokens"])
        if request.json["max_tokens"] < enough:
            return json_answer(reply_of("First, I look at", prompt="x" * 400, finish="length"))
        return whole(request)

    return script


@pytest.mark.parametrize(("enough", "missing"), [(64, 0), (100, 0), (128, 0), (129, 60)])
def test_a_cut_off_output_runs_once_more_with_twice_the_budget(enough: int, missing: int, tmp_path: Path) -> None:
    table = judged_pairs(30, tmp_path / "pairs.jsonl")
    limits: list[int] = []
    with serve(cut_at(table, enough, limits)) as server:
        options: dict[str, Any] = {"data": str(tmp_path / "pairs.jsonl"), "protocol": "five-way", "out": tmp_path}
        if missing:
            with pytest.raises(rmeval.RunError, match="no_verdict"):
                rmeval.evaluate(server.url, "pairs", max_new_tokens=64, **options)
        else:
            result = rmeval.evaluate(server.url, "pairs", max_new_tokens=64, **options)
            assert result.record("accuracy").value == 1
        assert Counter(limits) == Counter({64: 60} if enough <= 64 else {64: 60, 128: 60})
        if missing:  # A status is a result: nothing is sent again.
            with pytest.raises(rmeval.RunError, match="no_verdict"):
                rmeval.evaluate(server.url, "pairs", max_new_tokens=64, **options)
            assert len(limits) == 120


def test_seeds_differ_between_votes_and_are_the_same_in_each_process(tmp_path: Path) -> None:
    table = judged_pairs(5, tmp_path / "pairs.jsonl")
    found = []
    for out in ("one", "two"):
        with serve(scripted_judge(table)) as server:
            rmeval.evaluate(
                server.url,
                "pairs",
                data=str(tmp_path / "pairs.jsonl"),
                protocol="five-way",
                votes=2,
                temperature=0.7,
                out=tmp_path / out,
            )
            found.append(sorted(one.json["seed"] for one in server.received if one.path == CHAT))
    assert found[0] == found[1]
    assert len(set(found[0])) == 20
    assert 0 <= min(found[0]) <= max(found[0]) < 2**31
