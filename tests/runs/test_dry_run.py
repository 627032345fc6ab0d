"""What a run would send: counted without a server and without a key, and equal to what is sent."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.report import views_text
from rmeval.report.dry_run import dry_run_view
from tests.command import command
from tests.decision_server import openai
from tests.http_server import Answer, Received, free_port, json_answer, serve
from tests.judge_server import CHAT, judged_pairs, reply_of, scripted_judge

PRICES = '[scripted]\ninput = 1.0\noutput = 10.0\n["*"]\ninput = 0.5\noutput = 2\n'


@pytest.fixture
def prices(tmp_path: Path) -> str:
    file = tmp_path / "prices.toml"
    file.write_text(PRICES)
    return str(file)


@pytest.mark.parametrize(
    ("protocol", "options", "benchmark", "calls"),
    [
        ("five-way", {}, "rm-bench-synthetic", 2 * 9 * 16),
        ("five-way", {"order": "seeded"}, "rm-bench-synthetic", 9 * 16),
        ("five-way", {"votes": 3, "temperature": 1.0}, "rm-bench-synthetic", 3 * 2 * 9 * 16),
        ("rating", {}, "rm-bench-synthetic", 6 * 16),
        ("ab-labels", {}, "rm-bench-synthetic", 2 * 9 * 16),
    ],
)
def test_the_calls_of_a_plan(protocol: str, options: dict[str, Any], benchmark: str, calls: int, prices: str) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    found = rmeval.dry_run(
        "scripted", benchmark, size=16, base_url=nowhere, protocol=protocol, prices=prices, **options
    )
    per_item = calls // 16
    assert (found.calls, found.done) == (per_item * found.items, 0)
    limit = {"rating": 2048, "five-way": 2048}.get(protocol, 1 / 3)
    assert found.most_output_tokens == round(3 * limit * found.calls)
    assert math.isnan(found.output_tokens) == (protocol != "ab-labels")
    assert found.most_cost == pytest.approx((found.most_input_tokens + 10 * found.most_output_tokens) / 1e6)
    assert found.input_tokens > 50 * found.calls
    by_address = rmeval.dry_run(nowhere, benchmark, size=16, protocol=protocol, prices=prices, **options)
    assert by_address.model == ""
    assert by_address.most_cost == pytest.approx((found.most_input_tokens + 4 * found.most_output_tokens) / 2e6)


def test_what_is_counted_is_what_is_sent(tmp_path: Path, prices: str) -> None:
    table = judged_pairs(40, tmp_path / "pairs.jsonl")
    sent: list[Received] = []
    whole = scripted_judge(table)

    def script(request: Received) -> Answer:
        if request.path != CHAT:
            return whole(request)
        sent.append(request)
        prompt = "".join(message["content"] for message in request.json["messages"])
        return json_answer(
            {**reply_of("[[A>B]]"), "usage": {"prompt_tokens": len(prompt) // 8, "completion_tokens": 30}}
        )

    with serve(script) as server:
        common: dict[str, Any] = {
            "data": str(tmp_path / "pairs.jsonl"),
            "base_url": server.url,
            "protocol": "five-way",
            "prices": prices,
            "out": tmp_path / "runs",
        }
        first = rmeval.dry_run("scripted", "pairs", **common)
        assert (first.calls, first.done, first.recorded, len(server.received)) == (80, 0, 0, 0)
        part = rmeval.evaluate("scripted", "pairs", limit=10, **common)
        assert len(sent) == 20
        left = rmeval.dry_run("scripted", "pairs", **common)
        assert (left.calls, left.done, left.recorded) == (60, 20, 20)
        assert left.output_tokens == 60 * 30
        rest = rmeval.evaluate("scripted", "pairs", **common)
        assert len(sent) == 80
    sessions = rest.manifest["sessions"]
    assert part.path == rest.path
    used = sessions[1]["server"]
    # The first results show that a token has 8 bytes here.
    assert left.input_tokens == pytest.approx(used["tokens"]["input"], rel=0.02)
    assert left.input_tokens == pytest.approx(first.input_tokens * 0.75 / 2, rel=0.02)
    assert left.cost == pytest.approx(used["cost"], rel=0.02)
    nothing = rmeval.dry_run("scripted", "pairs", **common)
    assert (nothing.calls, nothing.done, nothing.cost) == (0, 80, 0)
    other = rmeval.dry_run("scripted", "pairs", **common, max_new_tokens=77)
    assert (other.calls, other.done) == (80, 0)  # Another run, whose outputs have another limit.


def test_the_command(tmp_path: Path, prices: str, capsys: pytest.CaptureFixture[str]) -> None:
    judged_pairs(5, tmp_path / "pairs.jsonl")
    nowhere = f"http://127.0.0.1:{free_port()}"
    run = ["run", "scripted", "--base-url", nowhere, "-b", "pairs", "--data", tmp_path / "pairs.jsonl"]
    shown = command(capsys, *run, "--protocol", "five-way", "--dry-run", "--prices", prices, "-o", tmp_path / "runs")
    assert (shown.code, shown.err) == (0, "")
    assert "five-way@1; nothing was sent" in shown.out
    assert "--retries" in shown.out
    assert not (tmp_path / "runs").exists()
    refused = command(capsys, *run[:2], "-b", "rm-bench-synthetic", "--dry-run")
    assert refused.code == 2
    assert "give its --protocol" in refused.err
    (tmp_path / "prices.toml").write_text("[other]\ninput = 1\n")
    refused = command(capsys, *run, "--protocol", "five-way", "--dry-run", "--prices", prices)
    assert "has no price of the model 'scripted'" in refused.err


def test_other_scripts_have_more_tokens(tmp_path: Path) -> None:
    for name, text in (("en", "four"), ("zh", "判断回答")):
        rows = [{"prompt": f"{text * 50} {n}", "chosen": "a", "rejected": "b"} for n in range(3)]
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    counted = [
        rmeval.dry_run("m", "pairs", tmp_path / f"{name}.jsonl", base_url="http://h", protocol="five-way").input_tokens
        for name in ("en", "zh")
    ]
    assert counted[1] - counted[0] == pytest.approx(2 * 3 * 50 * (12 - 4) / 4, abs=6)


def test_a_model_of_a_provider_is_priced_by_its_own_name(prices: str) -> None:
    options: dict[str, Any] = {"size": 16, "protocol": "five-way", "prices": prices}
    found = rmeval.dry_run("any-llm:openai/scripted", "rm-bench-synthetic", **options)
    plain = rmeval.dry_run("scripted", "rm-bench-synthetic", base_url="http://127.0.0.1:9", **options)
    assert (found.model, found.calls, found.most_cost) == ("scripted", plain.calls, plain.most_cost)


def test_decisions_are_counted_without_a_server() -> None:
    found = rmeval.dry_run("http://127.0.0.1:9", "rm-bench-synthetic", size=16, protocol="decision")
    assert found.calls == 2 * 9 * found.items
    assert found.most_input_tokens == found.input_tokens > 50 * found.calls


@pytest.mark.parametrize(("dialect", "probes"), [("auto", 4), ("openai-decisions", 2)])
def test_calls_that_find_the_form_of_decisions_are_stated(tmp_path: Path, dialect: str, probes: int) -> None:
    judged_pairs(4, tmp_path / "pairs.jsonl")
    shared: dict[str, Any] = {"data": tmp_path / "pairs.jsonl", "protocol": "decision", "out": tmp_path / "runs"}
    with serve(openai(lambda text, names: [0.75, 0.25, 0.0, 0.0][: len(names)])) as server:
        found = rmeval.dry_run(server.url, "pairs", dialect=dialect, **shared)
        assert not server.received
        rmeval.evaluate(server.url, "pairs", dialect=dialect, **shared)
        sent = [one for one in server.received if one.method == "POST"]
    # OpenAI's form is the last that is tried.
    assert (found.calls, found.probes) == (8, probes)
    assert len(sent) == 8 + probes
    assert f"at most {probes} with a short question" in views_text([dry_run_view([found])])
    plain = rmeval.dry_run("m", "pairs", base_url="http://h", **(shared | {"protocol": "five-way"}))
    assert (plain.probes, "short question" in views_text([dry_run_view([plain])])) == (0, False)


def test_results_of_a_model_with_a_similar_name_are_not_counted(tmp_path: Path) -> None:
    judged_pairs(4, tmp_path / "pairs.jsonl")
    shared: dict[str, Any] = {"data": tmp_path / "pairs.jsonl", "protocol": "five-way", "out": tmp_path / "runs"}

    def script(request: Received) -> Answer:
        return json_answer(reply_of("[[A>B]]") if request.path == CHAT else {"data": [{"id": "a/b"}, {"id": "a-b"}]})

    with serve(script) as server:
        path = rmeval.evaluate("a/b", "pairs", base_url=server.url, **shared).path
    found = [rmeval.dry_run(name, "pairs", base_url="http://h", **shared) for name in ("a/b", "a-b")]
    assert path.parent.name == "a-b"
    assert [one.done for one in found] == [8, 0]


def test_an_address_without_a_name_finds_no_earlier_results(tmp_path: Path) -> None:
    """The counts of such a plan include calls that the run does not send, so that a note says why."""
    table = judged_pairs(4, tmp_path / "pairs.jsonl")
    shared: dict[str, Any] = {"data": tmp_path / "pairs.jsonl", "protocol": "five-way", "out": tmp_path / "runs"}
    with serve(scripted_judge(table)) as server:
        rmeval.evaluate(server.url, "pairs", **shared)
        unnamed = rmeval.dry_run(server.url, "pairs", **shared)
        named = rmeval.dry_run(server.url, "pairs", served_model="scripted", **shared)
    assert (unnamed.calls, named.calls) == (8, 0)
    assert "`served_model`" in views_text([dry_run_view([unnamed])])
    assert "served_model" not in views_text([dry_run_view([named])])
