from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rmeval.benchmarks.reward_bench import RewardBench
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.metrics.scoring.sections import EXAMPLE_COUNTS
from rmeval.runs.plan import plan
from rmeval.types import Evidence
from tests.samples import reward_bench_rows


def bench(tmp_path: Path, counts: dict[str, int]) -> RewardBench:
    file = tmp_path / "rb.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in reward_bench_rows(counts)))
    return RewardBench(str(file))


def test_records(tmp_path: Path) -> None:
    one = bench(tmp_path, dict.fromkeys(EXAMPLE_COUNTS, 2))
    items = list(one.load())
    # The first item of each subset right, the second wrong; math-prm all right.
    evidence = {
        item.id: Evidence(
            item.id, "score", np.array([1.0, 0.0 if item.id.endswith("/0") or "math" in item.id else 2.0])
        )
        for item in items
    }
    records = {(r.metric, r.scope): r for r in one.aggregate(items, evidence, OFFICIAL)}
    assert records["accuracy", "hep-go"].value == 0.5
    assert records["accuracy", "math-prm"].n_items == 2
    assert records["accuracy", "math-prm"].weight == 984
    assert records["section", "Reasoning"].value == pytest.approx((984 + 0.5 * 984) / 1968)
    assert records["section", "Reasoning"].n_items == 14
    assert records["overall", "all"].value == pytest.approx((0.5 + 0.5 + 0.5 + 0.75) / 4)
    for record in records.values():
        assert record.ci is not None
        assert record.ci[0] <= record.value <= record.ci[1]
    assert records["accuracy", "hep-go"].ci_method == "wilson"


def test_missing_section(tmp_path: Path) -> None:
    one = bench(tmp_path, {"donotanswer": 3, "hep-go": 2})
    items = list(one.load())
    records = one.aggregate(items, {}, OFFICIAL)
    assert [(r.metric, r.scope) for r in records] == [
        ("section", "Safety"),
        ("accuracy", "donotanswer"),
        ("section", "Reasoning"),
        ("accuracy", "hep-go"),
    ]
    assert records[0].failures == 3
    assert one.notes(items)[:2] == [
        "no overall: there are no items of Chat, Chat Hard",
        "not comparable with published numbers, because incomplete: Safety, Reasoning",
    ]


def test_real_files(shared: Path) -> None:
    items = list(RewardBench(str(shared / "data" / "rewardbench")).load())
    assert len(items) == 419 + 656 + 447
    code = [item for item in items if item.subset.startswith("hep-")]
    assert len({item.cluster for item in code}) == 164


def test_code_clusters_without_task_numbers(shared: Path) -> None:
    """Where ids are plain numbers the name of the function stands for the task: one in fifty is told apart wrongly."""
    from rmeval.benchmarks.reward_bench import _cluster

    items = RewardBench(str(shared / "data" / "rewardbench" / "humanevalpack.jsonl")).load()
    by_task: dict[str, set[str]] = {}
    for item in items:
        by_task.setdefault(item.cluster, set()).add(_cluster(item.subset, "17", item.prompt[0].content))
    assert sum(len(names) == 1 for names in by_task.values()) >= 160


def test_bad_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: 'poetry' is not a subset of RewardBench"):
        list(bench(tmp_path, {"poetry": 1}).load())
    one = bench(tmp_path, {"hep-go": 1})
    file = Path(str(one.data))
    file.write_text(file.read_text() * 2)
    with pytest.raises(DataError, match="item 1 and item 2 of reward-bench have the id 'hep-go/0': ids must be unique"):
        plan(one)
