"""A build from a config to the records of the second stage, against a real server whose answers are scripted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rmeval.build import BuildFolder, build, load_config
from rmeval.build.answers import AnswerLog
from rmeval.build.pipeline import silent
from rmeval.build.tools import Ask, Tools
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


def test_later_results_of_an_earlier_result_are_forgotten(tmp_path: Path) -> None:
    with serve(script) as server:
        path = write(tmp_path, server)
        first = build(load_config(path), tmp_path / "out", until="responses")
        own = first.stages["responses"]
        first.folder.write("styles", own)
        first.folder.benchmark.mkdir()
        path.write_text(path.read_text().replace("samples: 4", "samples: 4, keep: 1"))  # The default.
        build(load_config(path), tmp_path / "out", until="responses")
        assert first.folder.read("styles") == own
        assert first.folder.benchmark.is_dir()
        path.write_text(path.read_text().replace("samples: 4", "samples: 2"))
        changed = build(load_config(path), tmp_path / "out", until="responses")
        assert changed.stages["responses"].records != own.records
        assert first.folder.read("styles") is None
        assert not first.folder.benchmark.exists()
        assert first.folder.benchmark.with_name("benchmark.earlier").is_dir()


def test_the_server_names_the_model_and_another_seed_makes_other_calls(tmp_path: Path) -> None:
    with serve(script) as server:
        path = write(tmp_path, server, CONFIG.replace(", served_model: scripted", ""))
        found = build(load_config(path), tmp_path / "out", until="responses").stages["responses"]
        assert {one.model for record in found.records for one in record.candidates} == {"scripted"}
        assert build(load_config(path), tmp_path / "out", until="responses").stages["responses"] == found
        assert calls(server) == 32
        path.write_text(f"{path.read_text()}seed: 1\n")
        build(load_config(path), tmp_path / "out", until="responses")
        assert calls(server) == 64
        build(load_config(path), tmp_path / "fresh", until="responses")
        results = [BuildFolder(tmp_path / name).read("responses") for name in ("out", "fresh")]
        assert results[0] is not None and results[1] is not None
        assert results[0].records == results[1].records != found.records


def key_of(folder: Path, temperature: float, seed: int = 0, options: str = "{}") -> str:
    """The key of a call."""
    text = CONFIG.replace("scripted}}", f"scripted, options: {options.replace('{', '{{').replace('}', '}}')}}}}}")
    (folder / "config.yaml").write_text(text.format(url="http://127.0.0.1:9") + f"seed: {seed}\n")
    with AnswerLog(folder / "answers") as log:
        tools = Tools(load_config(folder / "config.yaml"), BuildFolder(folder), log, log, silent)
        values = {"problem": "1 + 1?", "language": "en"}
        return tools.key(Ask("writer", tools.prompts.get("math/solve"), values, temperature=temperature))


def test_a_key_has_all_that_an_answer_depends_on(tmp_path: Path) -> None:
    plain, thinking = key_of(tmp_path, 1.0), "{template_kwargs: {enable_thinking: true}}"
    effort = "{judge_kwargs: {reasoning_effort: high}}"
    others = [key_of(tmp_path, 0.5), key_of(tmp_path, 1.0, seed=1)]
    others += [key_of(tmp_path, 1.0, options=options) for options in (thinking, effort)]
    assert len({plain, *others}) == 5
    assert key_of(tmp_path, 1.0, options="{concurrency: 3, read_timeout: 9.0}") == plain
    assert key_of(tmp_path, 0.0, seed=1) == key_of(tmp_path, 0.0)


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
