"""Judges through any-llm: its own clients, called against a real server of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.errors import ModelError
from rmeval.results.result import Result
from tests.command import command
from tests.http_server import Received, Script, json_answer, serve
from tests.judge_server import CHAT, Known, faulty, judged_pairs, reply_of, scripted_judge

pytest.importorskip("any_llm", reason="make test-integration installs any-llm-sdk")

KEY = "sk-planted-0123456789abcdef"
PAIRS = 20
PROVIDERS = {"openai": "OPENAI_API_KEY", "vllm": "VLLM_API_KEY", "llamafile": "LLAMAFILE_API_KEY"}
"""Providers of OpenAI's form, and where each finds its key; two of them need none."""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Known]:
    for variable in (*PROVIDERS.values(), "RMEVAL_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    return judged_pairs(PAIRS, tmp_path / "pairs.jsonl", seed=1)


def run(spec: str, folder: Path, out: str = "runs", **options: Any) -> Result:
    data = str(folder / "pairs.jsonl")
    return rmeval.evaluate(spec, "pairs", data=data, protocol="five-way", out=folder / out, **options)


def verdicts(result: Result) -> list[tuple[Any, ...]]:
    files = sorted((result.path / "journal").glob("*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return sorted(((one["key"], one["status"], one.get("values"), one.get("choice")) for one in lines), key=str)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_verdicts_are_those_of_a_direct_run(
    tmp_path: Path, table: dict[str, Known], provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROVIDERS[provider], KEY)
    with serve(scripted_judge(table, accuracy=0.8, position_bias=0.1)) as server:
        direct = run(server.url, tmp_path, "direct")
        before = len(server.received)
        found = run(f"any-llm:{provider}/scripted", tmp_path, base_url=f"{server.url}/v1")
        sent = server.received[before:]
    assert verdicts(found) == verdicts(direct)
    assert len(sent) == 2 * PAIRS
    if provider != "llamafile":  # Its client sends none.
        assert {one.headers["authorization"] for one in sent} == {f"Bearer {KEY}"}
    assert found.manifest["identity"]["model"] == f"any-llm:{provider}/scripted"
    assert found.path != direct.path
    tokens = found.manifest["sessions"][-1]["server"]["tokens"]
    assert tokens == direct.manifest["sessions"][-1]["server"]["tokens"]


def test_failures_have_the_statuses_and_retries_of_a_direct_run(tmp_path: Path, table: dict[str, Known]) -> None:
    script = faulty(
        scripted_judge(table), share=0.3, seed=2, faults=("429", "500", "cut", "broken JSON", "empty choices")
    )
    with serve(script) as server:
        found = run("any-llm:vllm/scripted", tmp_path, base_url=f"{server.url}/v1", retries=8)
        called = len([one for one in server.received if one.path == CHAT])
    facts = found.manifest["sessions"][-1]["server"]
    assert [status for _, status, *_ in verdicts(found)] == ["ok"] * 2 * PAIRS
    assert facts["requests"] == called > 2 * PAIRS
    assert sum(facts["retries"].values()) == called - 2 * PAIRS
    assert {"429", "500"} <= facts["retries"].keys()


def test_refusals_and_prompts_that_are_too_long(tmp_path: Path, table: dict[str, Known]) -> None:
    well = scripted_judge(table)
    sentences = {
        "ref-00001": "Your request was blocked by our safety filter: content policy",
        "ref-00002": "This model's maximum context length is 4096 tokens. However, you requested 9999 tokens",
        "ref-00003": "something else is wrong with this request",
    }

    def script(request: Received) -> Any:
        said = next((said for mark, said in sentences.items() if mark.encode() in request.body), None)
        return well(request) if said is None else json_answer({"error": {"message": said}}, 400)

    with serve(script) as server:
        found = run("any-llm:vllm/scripted", tmp_path, base_url=f"{server.url}/v1")
    statuses = [status for _, status, *_ in verdicts(found)]
    assert [statuses.count(name) for name in ("refused", "overlength", "error")] == [2, 2, 2]


def test_the_key_is_in_no_file_and_no_message(
    tmp_path: Path, table: dict[str, Known], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    well = scripted_judge(table)

    def script(request: Received) -> Any:
        if b"ref-00001" in request.body:
            return json_answer({"error": {"message": f"the key {KEY} may not do that"}}, 400)
        return well(request)

    given = ("run", "any-llm:openai/scripted", "-b", "pairs", "--data", tmp_path / "pairs.jsonl", "--store-text")
    with serve(script) as server:
        place = ("--protocol", "five-way", "--base-url", f"{server.url}/v1", "-o", tmp_path / "runs")
        done = command(capsys, *given, *place)
    assert done.code == 0, done.err
    assert KEY not in done.out + done.err
    files = [file for file in (tmp_path / "runs").rglob("*") if file.is_file()]
    assert any(b"may not do that" in file.read_bytes() for file in files)
    assert not any(KEY.encode() in file.read_bytes() for file in files)


def refuses(status: int, message: str) -> Script:
    return lambda request: json_answer({"error": {"message": message}}, status)


@pytest.mark.parametrize(
    ("spec", "script", "message"),
    [
        ("openai/scripted", refuses(200, ""), r"cannot call openai .* set the environment variable OPENAI_API_KEY"),
        ("vllm/scripted", refuses(401, "wrong key"), "refuses access .*set the environment variable VLLM_API_KEY"),
        ("vllm/scripted", refuses(404, "no such model"), "does not serve the model 'scripted'"),
        ("nobody/scripted", refuses(200, ""), "any-llm has no provider 'nobody': choose one of"),
        ("vllm", refuses(200, ""), "names no model: write it as any-llm:PROVIDER/MODEL"),
    ],
    ids=["no key", "wrong key", "no model", "no provider", "no name"],
)
def test_what_cannot_work_is_one_sentence(
    tmp_path: Path, table: dict[str, Known], spec: str, script: Script, message: str
) -> None:
    with serve(script) as server, pytest.raises(ModelError, match=message) as caught:
        run(f"any-llm:{spec}", tmp_path, base_url=f"{server.url}/v1")
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there(tmp_path: Path, table: dict[str, Known]) -> None:
    with serve(refuses(200, "")) as server:
        address = f"{server.url}/v1"
    with pytest.raises(ModelError, match="any-llm:vllm cannot be reached"):
        run("any-llm:vllm/scripted", tmp_path, base_url=address)


def test_votes_are_sampled_with_seeds(tmp_path: Path, table: dict[str, Known]) -> None:
    with serve(lambda request: json_answer(reply_of("[[A>B]]"))) as server:
        run("any-llm:vllm/scripted", tmp_path, base_url=f"{server.url}/v1", votes=2, temperature=0.7)
        seeds = [one.json["seed"] for one in server.received]
    assert len(set(seeds)) == 4 * PAIRS
