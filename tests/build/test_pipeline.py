"""A build from a config to the records of the second stage, against a real server whose answers are scripted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rmeval.build import build, load_config
from rmeval.errors import DataError
from tests.checkpoints import make_checkpoint
from tests.http_server import Answer, Received, Scripted, json_answer, serve

CONFIG = """
name: sums
models:
  writer: {{model: "{url}/v1", served_model: scripted}}
domains:
  math:
    recipe: math
    problems: {{file: problems.jsonl}}
    responses: {{samples: 4}}
"""


def script(request: Received) -> Answer:
    """Half of the samples are right."""
    if request.path == "/v1/models":
        return json_answer({"data": [{"id": "scripted"}]})
    a, b = map(int, re.findall(r"\d+", request.json["messages"][-1]["content"]))
    text = f"The sum is \\boxed{{{a + b + request.json['seed'] % 2}}}"
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 20, "completion_tokens": 9}
    return json_answer({"model": "scripted", "choices": [choice], "usage": usage})


def write(folder: Path, server: Scripted, text: str = CONFIG) -> Path:
    rows = [{"id": str(n), "prompt": f"What is {n} + {n + 1}?", "answer": str(2 * n + 1)} for n in range(8)]
    (folder / "problems.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "config.yaml").write_text(text.format(url=server.url))
    return folder / "config.yaml"


def calls(server: Scripted) -> int:
    return sum(one.path.endswith("chat/completions") for one in server.received)


def test_a_build_makes_each_call_once(tmp_path: Path) -> None:
    with serve(script) as server:
        config = load_config(write(tmp_path, server))
        found = build(config, tmp_path / "out", until="responses")
        records = found.stages["responses"].records
        assert 0 < len(records) < 8
        assert len(records) + len(found.stages["responses"].dropped) == 8
        assert all([one.side for one in record.candidates] == ["chosen", "rejected"] for record in records)
        assert (calls(server), found.calls) == (32, 32)
        again = build(config, tmp_path / "out", until="responses")
        assert (calls(server), again.calls) == (32, 0)
        assert again.stages == found.stages


def test_a_changed_option_repeats_no_call(tmp_path: Path) -> None:
    with serve(script) as server:
        path = write(tmp_path, server)
        build(load_config(path), tmp_path / "out", until="responses")
        path.write_text(path.read_text().replace("samples: 4", "samples: 6"))
        build(load_config(path), tmp_path / "out", until="responses")
        assert calls(server) == 48


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("samples: 4", "sample: 4", "line 9: there is no option `domains.math.responses.sample`: did you mean samples"),
        (
            "samples: 4",
            "samples: many",
            "line 9: `domains.math.responses.samples` is 'many', and",
        ),
        ("recipe: math", "recipe: maths", "did you mean math"),
        ("name: sums", "name: Sums!", "line 2: `name:` is 'Sums!', and use lower-case letters"),
        ("domains:", "domain:", "there is no option `domain:`: did you mean domains"),
        ("recipe: math", "recipes: math", "line 7: there is no option `domains.math.recipes`: did you mean recipe"),
    ],
)
def test_wrong_configs_are_explained(tmp_path: Path, before: str, after: str, message: str) -> None:
    with serve(script) as server:
        path = write(tmp_path, server, CONFIG.replace(before, after))
        with pytest.raises(DataError) as error:
            build(load_config(path), tmp_path / "out", until="responses")
    assert message in str(error.value)


def test_a_local_checkpoint_writes(tmp_path: Path) -> None:
    model = make_checkpoint(tmp_path / "model", "causal")
    with serve(script) as server:
        path = write(tmp_path, server)
    text = path.read_text().replace(f'"{server.url}/v1", served_model: scripted', f"{model}, max_new_tokens: 8")
    path.write_text(text)
    with pytest.raises(DataError, match="no verified sample"):
        build(load_config(path), tmp_path / "out", until="responses")
