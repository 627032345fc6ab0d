"""Chat and safety from problems to styles, against a model whose answers have known truth and many faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from rmeval.build import BuildResult, build, load_config
from rmeval.types import STYLES
from tests.build.towns import FAULTS, Towns, requests, towns, truth_of
from tests.http_server import serve

CONFIG = """
name: towns
models:
  writer: {{model: "{url}/v1", served_model: writer}}
  judge: {{model: "{url}/v1", served_model: judge}}
  compliant: {{model: "{url}/v1", served_model: compliant}}
domains:
  chat:
    recipe: chat
    problems: {{file: chat.jsonl}}
  response:
    recipe: safety-response
    problems: {{file: response.jsonl}}
  refuse:
    recipe: safety-refuse
    problems: {{file: refuse.jsonl}}
"""
MEANT = {
    "chat": {"chosen": "right", "rejected": "wrong"},
    "response": {"chosen": "compliance", "rejected": "refusal"},
    "refuse": {"chosen": "refusal", "rejected": "compliance"},
}


def built(folder: Path, model: Towns, config: str = CONFIG, counts: Mapping[str, int] | None = None) -> BuildResult:
    sizes = {"chat": 40, "response": 20, "refuse": 20} | dict(counts or {})
    rows = {name: towns(size) if name == "chat" else requests(size, name) for name, size in sizes.items()}
    for name, own in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in own))
    with serve(model) as server:
        (folder / "config.yaml").write_text(config.format(url=server.url))
        return build(load_config(folder / "config.yaml"), folder / "out", until="styles")


def test_a_model_with_faults_leaves_nothing_wrong_among_the_chosen(tmp_path: Path) -> None:
    model = Towns(FAULTS)
    found = built(tmp_path, model)
    for name in ("responses", "styles"):
        for record in found.stages[name].records:
            for one in record.candidates:
                assert truth_of(record.problem.prompt, one.text) == MEANT[record.problem.domain][one.side], one
                assert one.verified
    records = found.stages["styles"].records
    assert len(records) > 50
    assert all([(one.side, one.style) for one in record.candidates] == SLOTS for record in records)
    assert set(model.planted) == set(FAULTS)


SLOTS = [(side, style) for side in ("chosen", "rejected") for style in STYLES]
