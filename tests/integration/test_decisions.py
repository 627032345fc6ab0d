"""Decisions of a real language model: SmolLM2 behind `transformers serve`, on chat items of RM-Bench."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.results.result import Result
from tests.integration.servers import StartTransformers, TransformersServer

ITEMS = 8
PAIRS = 3 * ITEMS
"""Each chosen response with the rejected one of its style."""


@pytest.fixture
def server(transformers_server: StartTransformers, real_models: Path) -> TransformersServer:
    return transformers_server(real_models / "smollm2")


def run(server: TransformersServer, shared: Path, out: Path, protocol: str, **options: Any) -> Result:
    data = shared / "data" / "rm-bench"
    where: dict[str, Any] = {
        "base_url": server.url,
        "data": data,
        "subsets": ["chat"],
        "cells": ["diagonal"],
        "out": out,
    }
    return rmeval.evaluate(server.model_name, "rm-bench", protocol=protocol, **{"n_items": ITEMS, **where, **options})


def journal(folder: Path) -> list[Any]:
    return [
        json.loads(line) for file in sorted((folder / "journal").iterdir()) for line in file.read_text().splitlines()
    ]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def test_pairs_in_both_orders(server: TransformersServer, shared: Path, out: Path) -> None:
    result = run(server, shared, out, "decision")
    assert result.manifest["identity"]["dialect"] == "systemone@1"
    lines = journal(result.path)
    assert len(lines) == len({line["key"] for line in lines}) == 2 * PAIRS
    assert {line["status"] for line in lines} == {"ok"}
    assert all(0 < line["values"]["p_first"] < 1 and "label_mass" not in line["values"] for line in lines)
    assert {"orders/each", "orders/mean"} <= {record.variant for record in result.records}
    assert 0 <= result.value("normal", "chat") <= 1


def test_ratings_are_expectations_over_the_levels(server: TransformersServer, shared: Path, out: Path) -> None:
    result = run(server, shared, out, "decision-rating")
    lines = journal(result.path)
    assert len(lines) == 6 * ITEMS
    assert all(1 < line["values"]["rating"] < 5 for line in lines)
    assert len({line["values"]["rating"] for line in lines}) > ITEMS


class StopError(Exception):
    """Ends a run in the middle."""


def test_a_run_that_is_killed_repeats_no_call(server: TransformersServer, shared: Path, tmp_path: Path) -> None:
    def progress(done: int, total: int) -> None:
        if done > 4:
            raise StopError

    options: dict[str, Any] = {"n_items": 1, "cells": (), "concurrency": 2}
    with pytest.raises(StopError):
        run(server, shared, tmp_path, "decision", progress=progress, **options)
    (folder,) = (tmp_path / "rm-bench").glob("*/*")
    first = [line["key"] for line in journal(folder)]
    assert 4 < len(first) < 18
    result = run(server, shared, tmp_path, "decision", **options)
    keys = [line["key"] for line in journal(folder)]
    assert (result.path, keys[: len(first)]) == (folder, first)
    assert len(keys) == len(set(keys)) == 18


def test_questions_that_share_a_call_have_the_same_answers_alone(server: TransformersServer) -> None:
    """The reason why one question a call loses nothing: this server answers each by a prompt of its own."""
    import httpx2

    def answers(questions: dict[str, Any]) -> Any:
        body = {"model": server.model_name, "state": "A blue house beside a red barn.", "questions": questions}
        return httpx2.post(f"{server.url}/v1/systemone", json=body, timeout=300).raise_for_status().json()["answers"]

    questions = {
        f"q{number}": {
            "type": "choice",
            "instructions": f"Which colour fits {word}?",
            "criteria": {"A": "blue", "B": "red"},
        }
        for number, word in enumerate(("fire", "water", "blood", "sky"))
    }
    together = answers(questions)
    for name, question in questions.items():
        alone = answers({name: question})[name]
        assert alone["probabilities"] == pytest.approx(together[name]["probabilities"], abs=1e-6)
