"""A build of 320 published problems by `rmeval build`, with a scripted model that knows right and wrong solutions."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rmeval.build import BuildFolder, Record, StageResult, build, load_config
from rmeval.build.answers import AnswerLog
from rmeval.solutions.final_answers import needs_algebra, normalised
from rmeval.solutions.keys import boxed
from tests.build.known import Known, gsm8k, humaneval, math_algebra, math_test, mbpp, with_mutants
from tests.build.oracle import run_plainly
from tests.build.scripted import ScriptedModel
from tests.build.scripted_styles import rewriting
from tests.build.test_scripted_build import assert_all_true
from tests.command import process
from tests.http_server import serve

pytestmark = pytest.mark.slow

COUNTS = {"humaneval": 64, "mbpp": 110, "gsm8k": 80, "math": 80}
CONFIG = """
name: real-problems
licence: for this test only
seed: {seed}
models:
  writer: {{model: "{url}/v1", served_model: scripted}}
domains:
  humaneval: {{recipe: code, problems: {{file: humaneval.jsonl}}, responses: {{samples: 6}}}}
  mbpp: {{recipe: code, problems: {{file: mbpp.jsonl}}, responses: {{samples: 6}}}}
  gsm8k: {{recipe: math, problems: {{file: gsm8k.jsonl}}, responses: {{samples: 6}}}}
  math: {{recipe: math, problems: {{file: math.jsonl}}, responses: {{samples: 6}}}}
"""


@dataclass(frozen=True)
class Build:
    model: ScriptedModel
    known: Mapping[str, Known]
    stages: Mapping[str, StageResult]
    seconds: float


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("real")
    sources: dict[str, Sequence[Known]] = {
        "humaneval": with_mutants(humaneval(shared, COUNTS["humaneval"])),
        "mbpp": with_mutants(mbpp(shared, COUNTS["mbpp"])),
        "gsm8k": gsm8k(shared, COUNTS["gsm8k"]),
        "math": math_test(shared, COUNTS["math"]),
    }
    for name, known in sources.items():
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(one.row)}\n" for one in known))
    model = ScriptedModel([one for known in sources.values() for one in known])
    rewriting(model)
    with serve(model) as server:
        (folder / "config.yaml").write_text(CONFIG.format(url=server.url, seed=3))
        started = time.monotonic()
        ended = process("-m", "rmeval", "build", folder / "config.yaml", "-o", folder / "out", "--until", "styles")
        seconds = time.monotonic() - started
    assert ended.returncode == 0, ended.stderr
    out = BuildFolder(folder / "out")
    stages = {name: out.read(name) for name in ("problems", "responses", "styles")}
    found = {name: stage for name, stage in stages.items() if stage is not None}
    problems = {record.key: model.problem_of(record.problem.prompt) for record in found["problems"].records}
    # For the figures in the documentation.
    facts = {name: [len(stage.records), dict(stage.facts), _reasons(stage)] for name, stage in found.items()}
    (folder / "figures.json").write_text(json.dumps({"seconds": seconds, "calls": model.calls(), "stages": facts}))
    return Build(model, problems, found, seconds)


def _reasons(stage: StageResult) -> dict[str, int]:
    return dict(Counter(f"{one.key.split('/')[0]}: {one.reason}" for one in stage.dropped))


def candidates(records: Sequence[Record]) -> list[tuple[Record, str, str]]:
    return [(record, one.side, one.text) for record in records for one in record.candidates]


def test_more_than_300_problems_are_read(real: Build) -> None:
    assert len(real.stages["problems"].records) > 300
    # Most have both sides, and the funnel states why the others have not.
    assert len(real.stages["responses"].records) > 200
    assert {one.reason for one in real.stages["responses"].dropped} <= {
        "no right sample",
        "no wrong sample",
        "no verified sample",
    }


@pytest.mark.parametrize("stage", ["responses", "styles"])
def test_no_wrong_text_is_chosen_and_no_right_one_rejected(real: Build, stage: str) -> None:
    records = real.stages[stage].records
    assert len(records) > 150
    assert_all_true(real.model, records)
    assert {record.problem.domain for record in records} == set(COUNTS)


@pytest.mark.parametrize("stage", ["responses", "styles"])
def test_plain_runs_and_keys_agree(real: Build, stage: str) -> None:
    """Code is run again without the sandbox, and final answers are compared as texts with the keys."""
    code, jobs = [], list[tuple[str, str]]()
    for record, side, text in candidates(real.stages[stage].records):
        known = real.known[record.key]
        if known.kind == "math":
            if side == "rejected":
                assert boxed(text) != known.right
            continue
        blocks = re.findall(r"```\w*\n(.*?)\n```", text, re.DOTALL) or [text]
        own = next(block for block in blocks if f"def {known.entry_point}" in block)
        forged = real.model.truth[known.id][text].kind == "forged"
        assert not (forged and side == "chosen")
        if not forged:
            code.append((record.key, side))
            jobs.append((f"{_given(known)}{own}", known.tests))
    verdicts = run_plainly(jobs)
    wrong = [one for one, verdict in zip(code, verdicts, strict=True) if (verdict == "pass") != (one[1] == "chosen")]
    assert len(code) > 150
    assert wrong == []


def _given(known: Known) -> str:
    """The imports and functions before the one that is to be written."""
    row: dict[str, Any] = known.row
    return f"{row['prompt'].rpartition('def ')[0]}\n" if "canonical_solution" in row else ""


def test_no_call_is_made_twice(real: Build) -> None:
    assert real.model.repeated() == 0


def test_keys_that_need_algebra(shared: Path, tmp_path: Path) -> None:
    """The first keys of MATH are numbers, which math-verify does not see; here it decides on all others."""
    known = math_algebra(shared)
    assert len(known) > 150
    assert all(needs_algebra(normalised(one.right)) for one in known)
    (tmp_path / "math.jsonl").write_text("".join(f"{json.dumps(one.row)}\n" for one in known))
    model = ScriptedModel(known)
    with serve(model) as server:
        models = {"writer": {"model": f"{server.url}/v1", "served_model": "scripted"}}
        domain = {"recipe": "math", "problems": {"file": "math.jsonl"}, "responses": {"samples": 6}}
        (tmp_path / "config.yaml").write_text(
            json.dumps({"name": "algebra", "models": models, "domains": {"math": domain}})
        )
        found = build(load_config(tmp_path / "config.yaml"), tmp_path / "out", until="responses").stages["responses"]
    assert len(AnswerLog(tmp_path / "out" / "verdicts")) > 300
    assert len(found.records) > 100
    assert_all_true(model, found.records)
