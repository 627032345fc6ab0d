"""A real, if small, reward model on real data: SmolLM2-135M with a trained head, on RM-Bench chat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.benchmarks.rm_bench import RMBench
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.types import Evidence

ITEMS = 10


def test_its_scores_are_those_of_the_reference(real_models: Path, shared: Path, fixtures: Any) -> None:
    wanted = {
        f"chat/{row['id']}": row["score_chosen"] + row["score_rejected"]
        for row in fixtures("real_rm_chat.json")["scores"]
    }
    items = RMBench(str(shared / "data" / "rm-bench" / "chat_filtered.json")).load()
    some = sorted(items, key=lambda item: sum(len(response.text) for response in item.responses))[:ITEMS]
    found = rmeval.score(
        str(real_models / "smollm2-rm"), [item.conversation(n) for item in some for n in range(6)]
    ).reshape(-1, 6)
    assert found == pytest.approx(np.array([wanted[item.id] for item in some]), abs=1e-4)


def test_its_numbers_are_those_of_the_reference(shared: Path, fixtures: Any) -> None:
    reference = fixtures("real_rm_chat.json")
    bench = RMBench(str(shared / "data" / "rm-bench" / "chat_filtered.json"))
    evidence = {
        f"chat/{row['id']}": Evidence(
            f"chat/{row['id']}", "score", np.array(row["score_chosen"] + row["score_rejected"])
        )
        for row in reference["scores"]
    }
    records = {(r.metric, r.scope): r.value for r in bench.aggregate(bench.load(), evidence, OFFICIAL)}
    for level, value in reference["metrics"].items():
        assert records[level, "chat"] == pytest.approx(value, abs=1e-12)
