"""A build whose writer is a real language model: SmolLM2 behind `transformers serve`, on problems of GSM8K.

It seldom solves them, so that most problems are left out, and the build states why.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rmeval.build import BuildFolder
from rmeval.build.answers import AnswerLog
from tests.command import running
from tests.integration.servers import StartTransformers, TransformersServer

PROBLEMS, SAMPLES = 4, 2
CONFIG = """
name: real-writer
licence: MIT
models:
  writer:
    model: "{server.url}/v1"
    served_model: {server.model_name}
    max_new_tokens: 96
    options: {{concurrency: 1, read_timeout: 600, timeout: 1800}}
domains:
  math:
    recipe: math
    problems: {{file: {problems}, limit: {count}}}
    responses: {{samples: {samples}, temperature: 0.8}}
"""


@pytest.fixture
def server(transformers_server: StartTransformers, real_models: Path, tmp_path: Path) -> TransformersServer:
    """The model, set to sample: `transformers serve` ignores the temperature of calls otherwise."""
    model = tmp_path / "smollm2"
    model.mkdir()
    for path in (real_models / "smollm2").iterdir():
        (model / path.name).symlink_to(path)
    settings = json.loads((model / "generation_config.json").read_text())
    (model / "generation_config.json").unlink()
    (model / "generation_config.json").write_text(json.dumps({**settings, "do_sample": True}))
    return transformers_server(model)


def ended(folder: Path) -> tuple[int, str]:
    """The exit code and the errors of a build up to its second stage."""
    build = running("build", folder / "config.yaml", "-o", folder / "out", "--until", "responses")
    _, errors = build.communicate(timeout=3000)
    return build.returncode, errors


def test_the_funnel_of_a_weak_writer(server: TransformersServer, shared: Path, tmp_path: Path) -> None:
    problems = shared / "data" / "problems" / "gsm8k_test.jsonl"
    text = CONFIG.format(server=server, problems=problems, count=PROBLEMS, samples=SAMPLES)
    (tmp_path / "config.yaml").write_text(text)
    code, errors = ended(tmp_path)
    found = BuildFolder(tmp_path / "out").read("responses")
    assert found is not None, errors
    assert len(found.records) + len(found.dropped) == PROBLEMS
    assert sum(found.facts["samples of math"].values()) == PROBLEMS * SAMPLES
    assert {one.reason for one in found.dropped} <= {"no right sample", "no wrong sample", "no verified sample"}
    # Either a problem is left, or the command says that none is and where to look.
    assert (code == 0) == bool(found.records)
    assert "the same text" not in errors
    if not found.records:
        assert "no problem" in errors
        assert "dropped.jsonl" in errors
    with AnswerLog(tmp_path / "out" / "answers") as answers:
        texts = [answers.get(one.call) for record in found.records for one in record.candidates]
        assert len(answers) == PROBLEMS * SAMPLES
    assert all(one is not None and one.usage["output_tokens"] > 0 for one in texts)
    assert ended(tmp_path)[0] == code
    with AnswerLog(tmp_path / "out" / "answers") as answers:
        assert len(answers) == PROBLEMS * SAMPLES
