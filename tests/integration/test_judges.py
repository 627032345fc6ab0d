"""A real language model as a judge: SmolLM2 behind `transformers serve`, on chat items of RM-Bench.

It is too small to follow the protocols that come with rmeval, so that these tests have protocols with short verdicts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.benchmarks.rm_bench import RMBench
from rmeval.results.result import Result
from rmeval.store.raw import read_raw
from tests.command import running
from tests.integration.servers import StartTransformers, TransformersServer

ITEMS = 8
PROMPT = '''
prompt = """
{{ conversation }}
{% for block in blocks %}

{{ block }}
{% endfor %}

QUESTION"""
'''
PAIRS = f"""
name = "short@1"
kind = "pair"
reads = "text"
find = '([AB])\\b'
verdict = "{{label}}"
several = "last"
{PROMPT.replace("QUESTION", "Which response is better, A or B? Answer with one letter.")}
[labels]
A = 1.0
B = 0.0

[sampling]
max_new_tokens = 6
"""
RATINGS = f"""
name = "short-rating@1"
kind = "rate"
reads = "text"
find = '(\\d+(?:\\.\\d+)?)'
verdict = "{{label}}"
several = "last"
scale = [1, 10]
{PROMPT.replace("QUESTION", "Rate the response from 1 to 10. Answer with one number.")}
[sampling]
max_new_tokens = 12
"""


@pytest.fixture
def server(transformers_server: StartTransformers, real_models: Path) -> TransformersServer:
    return transformers_server(real_models / "smollm2")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Path:
    """A folder with the protocols and the list of the shortest items."""
    folder = tmp_path_factory.mktemp("judges")
    (folder / "short.toml").write_text(PAIRS)
    (folder / "short-rating.toml").write_text(RATINGS)
    items = RMBench(str(shared / "data" / "rm-bench" / "chat_filtered.json")).load()
    shortest = sorted(items, key=lambda item: sum(len(response.text) for response in item.responses))
    (folder / "items.csv").write_text("\n".join(["id", *(item.id for item in shortest[:ITEMS])]) + "\n")
    return folder


def evaluated(server: TransformersServer, shared: Path, out: Path, protocol: str, **options: Any) -> Result:
    return rmeval.evaluate(
        server.model_name,
        "rm-bench",
        base_url=server.url,
        data=shared / "data" / "rm-bench",
        items=out / "items.csv",
        protocol=str(out / protocol),
        out=out / "runs",
        concurrency=1,
        read_timeout=600,
        timeout=1_800,
        **options,
    )


def journal(folder: Path) -> list[Any]:
    files = sorted((folder / "journal").iterdir())
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_the_diagonal_in_both_orders_killed_and_continued(server: TransformersServer, shared: Path, out: Path) -> None:
    options = ["--base-url", server.url, "-b", "rm-bench", "--data", shared / "data" / "rm-bench", "--concurrency", 1]
    options += ["--items", out / "items.csv", "--protocol", out / "short.toml", "-o", out / "runs", "--store-text"]
    victim = running("run", server.model_name, *options, "--cells", "diagonal", "--read-timeout", "600")
    folder = None
    while victim.poll() is None and (folder is None or len(journal(folder)) < 4):
        folder = next((file.parent for file in (out / "runs").rglob("journal")), None)
    victim.kill()
    victim.communicate()
    assert folder is not None
    first = [line["key"] for line in journal(folder)]
    assert 4 <= len(first) < 2 * 3 * ITEMS
    result = evaluated(server, shared, out, "short.toml", cells=["diagonal"], store_text=True)
    lines = journal(folder)
    keys = [line["key"] for line in lines]
    assert result.path == folder
    assert keys[: len(first)] == first
    assert len(keys) == len(set(keys)) == 2 * 3 * ITEMS
    assert {line["status"] for line in lines} <= {"ok", "unparsed", "no_verdict"}
    assert all(line["usage"]["tokens"] > 50 for line in lines)
    assert set(dict(read_raw(folder / "raw"))) == set(keys)
    assert 0 <= result.record("normal", "chat").value <= 1
    facts = result.manifest["sessions"][-1]
    assert facts["server"]["calls"] >= len(keys) - len(first)


def test_ratings_are_scores(server: TransformersServer, shared: Path, out: Path) -> None:
    result = evaluated(server, shared, out, "short-rating.toml")
    lines = journal(result.path)
    assert 5 * ITEMS < len(lines) == len({line["key"] for line in lines}) <= 6 * ITEMS  # Some responses are equal.
    rated = [line["values"]["rating"] for line in lines if line["status"] == "ok"]
    assert rated
    assert all(1 <= rating <= 10 for rating in rated)
    assert {record.variant for record in result.records} >= {"rating"}


def test_a_protocol_that_needs_probabilities_stops_at_the_first_answer(
    server: TransformersServer, shared: Path, out: Path, tmp_path: Path
) -> None:
    """This server ignores `logprobs` in silence."""
    with pytest.raises(rmeval.ModelError, match="returns no log-probabilities: choose a `protocol` that reads text"):
        rmeval.evaluate(
            server.model_name,
            "rm-bench",
            base_url=server.url,
            data=shared / "data" / "rm-bench",
            items=out / "items.csv",
            protocol="ab-labels",
            out=tmp_path,
        )
