"""Builds of code and mathematics with a scripted model that knows right and wrong solutions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rmeval.build import BuildResult, Record, build, load_config
from tests.build.known import Known, own_code, own_math
from tests.build.scripted import ScriptedModel
from tests.build.scripted_styles import rewriting
from tests.http_server import serve

CONFIG = """
name: scripted
models:
  writer: {{model: "{url}/v1", served_model: scripted}}
domains:
  code:
    recipe: code
    problems: {{file: code.jsonl}}
    responses: {{samples: 6}}
  math:
    recipe: math
    problems: {{file: math.jsonl}}
    responses: {{samples: 6}}
"""


def write_problems(folder: Path, code: Sequence[Known], math: Sequence[Known]) -> None:
    for name, known in (("code", code), ("math", math)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(one.row)}\n" for one in known))


def assert_all_true(model: ScriptedModel, records: Sequence[Record]) -> None:
    """No wrong text is among the chosen, and no right one among the rejected."""
    for record in records:
        problem = model.problem_of(record.problem.prompt)
        for candidate in record.candidates:
            truth = model.truth[problem.id][candidate.text]
            assert truth.right is (candidate.side == "chosen"), (record.key, candidate.id, truth)
            assert candidate.verified


def built(folder: Path, model: ScriptedModel, **options: Any) -> BuildResult:
    with serve(model) as server:
        (folder / "config.yaml").write_text(CONFIG.format(url=server.url))
        return build(load_config(folder / "config.yaml"), folder / "out", **options)


def test_no_wrong_text_is_chosen_and_no_right_one_rejected(tmp_path: Path) -> None:
    code, math = own_code(3), own_math(8)
    write_problems(tmp_path, code, math)
    model = ScriptedModel([*code, *math], faithful=0.7)
    rewriting(model)
    found = built(tmp_path, model, until="styles")
    responses, styles = found.stages["responses"], found.stages["styles"]
    assert len(responses.records) >= 7
    assert len(styles.records) >= 5
    assert_all_true(model, responses.records)
    assert_all_true(model, styles.records)
    assert all(len(record.candidates) == 6 for record in styles.records)
    assert model.repeated() == 0
    kinds = {truth.kind for known in model.truth.values() for truth in known.values()}
    assert {"right", "mutant", "forged", "flaky", "wrong", "no box"} <= kinds
    assert kinds & {"other side", "broken"}
