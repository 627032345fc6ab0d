"""The model that comes with the package runs on every benchmark: on real data where they lie beside the project."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

import rmeval
from rmeval.benchmarks import BUILTIN
from rmeval.report.cells import percent
from rmeval.report.run import measure_name
from tests.benchmarks import (
    test_best_of_n,
    test_hhh_alignment,
    test_judgebench,
    test_llmbar,
    test_m_reward_bench,
    test_ppe_correctness,
    test_ppe_preference,
    test_preference_test_sets,
    test_reward_bench_2,
    test_reward_math,
)
from tests.command import command
from tests.samples import pair_rows


def _pairs(folder: Path) -> Path:
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in pair_rows(4)))
    return file


# In the schemas of the sources, made up.
MADE: dict[str, Callable[[Path], Path]] = {
    "reward-bench-2": lambda folder: test_reward_bench_2.written(folder, test_reward_bench_2.whole(1)),
    "judgebench": lambda folder: test_judgebench.written(folder, test_judgebench.rows(8)),
    "reward-math": lambda folder: test_reward_math.written(folder, test_reward_math.rows(2)),
    "m-reward-bench": lambda folder: test_m_reward_bench.hub(folder, ("deu_Latn",), each=1),
    "llmbar": lambda folder: test_llmbar.repository(folder, each=1),
    "hhh-alignment": lambda folder: test_hhh_alignment.hub(folder, dict.fromkeys(("harmless", "honest"), 2)),
    "preference-test-sets": lambda folder: test_preference_test_sets.hub(folder, each=1),
    "ppe-preference": lambda folder: test_ppe_preference.written(folder, test_ppe_preference.many(24)),
    "ppe-correctness": lambda folder: test_ppe_correctness.written(folder, test_ppe_correctness.whole(1)),
    "pairs": _pairs,
    "best-of-n": lambda folder: test_best_of_n.written(folder, test_best_of_n.ROW | {"gold": [1, 0, 0.5]}),
}
REAL = {
    "rm-bench": "rm-bench/chat_filtered.json",
    "reward-bench": "rewardbench/llmbar.jsonl",
    "reward-bench-2": "rewardbench2",
    "judgebench": "judgebench",
    "evalbiasbench": "evalbiasbench",
    "rmb": "rmb",
}


def test_each_benchmark_has_data_here() -> None:
    assert {*MADE, *REAL, "rm-bench-synthetic"} == set(BUILTIN)


@pytest.mark.parametrize("name", sorted(MADE))
def test_on_made_up_data(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = rmeval.evaluate("rmeval/tiny", name, MADE[name](tmp_path), out=tmp_path / "runs")
    assert result.records
    assert not any(math.isnan(record.value) for record in result.records)
    assert all(record.failures == 0 for record in result.records)
    assert set(result.records[0].null) == {"random", "longest", "shortest", "markdown"}
    # Each number stands in the table of the run, by its name.
    shown = [" ".join(line.split()) for line in command(capsys, "show", result.path).out.splitlines()]
    for record in result.records:
        name = measure_name((record.metric, record.scope)).rpartition("/")[2]
        assert any(name in line and f" {percent(record.value)} " in f"{line} " for line in shown), (record, shown)


@pytest.mark.parametrize("name", sorted(REAL))
def test_on_real_data(name: str, shared: Path, tmp_path: Path) -> None:
    data = shared / "data" / REAL[name]
    result = rmeval.evaluate(
        "rmeval/tiny", name, data, n_items=6, out=tmp_path / "runs", on_overlength="skip", device="cpu"
    )
    # Items of one problem are drawn together, and some numbers are of a part.
    assert 3 <= max(record.n_items for record in result.records) <= 12
    assert all(0 <= record.value <= 1 for record in result.records if record.metric == "accuracy")
    assert rmeval.open_run(result.path).records == result.records
