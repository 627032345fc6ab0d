"""The board of a sweep."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import rmeval
from rmeval.benchmarks.rm_bench import RMBench
from rmeval.report import markdown_text
from rmeval.report.sweep import sweep_plan_view, sweep_views
from rmeval.report.views import flat_rows
from rmeval.results.result import Result
from rmeval.sweep.models_file import SweepModel
from rmeval.sweep.runs_there import SweepRun
from tests.samples import rm_bench_rows

INF = SweepModel(1, "infly/INF-ORM-Llama3.1-70B")
URM = SweepModel(2, "LxzGordon/URM-LLaMa-3.1-8B", "urm")
OWN = SweepModel(3, "nobody/knows-it")
LOST = SweepModel(4, "somebody/lost")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A run as if it were on RM-Bench's own items."""
    folder = tmp_path_factory.mktemp("whole")
    for domain, count in RMBench.card.counts.items():
        (folder / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, count)))
    made = rmeval.evaluate("baseline:longest", "rm-bench", folder, out=tmp_path_factory.mktemp("runs"))
    return replace(made, manifest={**made.manifest, "benchmark": {**made.manifest["benchmark"], "data": None}})


def with_overall(result: Result, value: float) -> Result:
    records = tuple(
        replace(one, value=value, ci=(value - 0.01, value + 0.01)) if one.metric == "overall" else one
        for one in result.records
    )
    return replace(result, records=records)


def test_the_best_come_first_and_failures_last(whole: Result) -> None:
    runs = [
        SweepRun(LOST, state="failed", reason="it is not on the hub"),
        SweepRun(OWN, with_overall(whole, 0.60)),
        SweepRun(INF, with_overall(whole, 0.70)),
        SweepRun(URM, with_overall(whole, 0.65)),
    ]
    (view,) = sweep_views({"rm-bench": runs})
    rows = [row for row in flat_rows(view) if row["table"] == "sweep"]
    assert [(row["name"], row["published"], row["verdict"], row["state"]) for row in rows] == [
        ("infly/INF-ORM-Llama3.1-70B", 0.709, "confirmed", ""),
        ("urm", 0.7, "contradicted", ""),
        ("nobody/knows-it", None, "no published number", ""),
        ("somebody/lost", None, "", "failed"),
    ]
    assert rows[1]["difference"] == pytest.approx(-0.05)
    assert rows[3]["reason"] == "it is not on the hub"
    parts = {row["name"]: row for row in flat_rows(view) if row["table"] == "parts"}
    assert list(parts) == ["infly/INF-ORM-Llama3.1-70B", "urm"]
    assert (parts["urm"]["hard published"], parts["urm"]["chat average published"]) == (0.53, 0.712)
    # The longest response is always better in Easy, and never in Hard.
    assert (parts["urm"]["hard value"], parts["urm"]["hard value high"] < 0.53) == (0.0, True)
    assert "hard" in parts["urm"]["contradicted"]
    text = markdown_text([view])
    assert "failed: somebody/lost, it is not on the hub" in text
    assert "published: RM-Bench's leaderboard (2025-07-23), https://github.com/THU-KEG/RM-Bench-Leaderboard" in text
    assert "confirmed: the published number lies inside the interval" in text


def test_without_published_numbers_there_are_no_columns_for_them(tmp_path: Path) -> None:
    run = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=tmp_path, size=8)
    (view,) = sweep_views({"rm-bench-synthetic": [SweepRun(INF, run)]})
    assert view.tables[0].shown == ("model", "value", "state")
    assert view.notes == ("data: generated at generator 1", "rmeval has no published results of rm-bench-synthetic")


def test_a_partial_run_says_so(whole: Result) -> None:
    selection = {"subsets": [], "n_items": 50, "seed": 0, "limit": None}
    some = replace(whole, manifest={**whole.manifest, "selection": selection})
    (view,) = sweep_views({"rm-bench": [SweepRun(INF, some)]})
    row = next(flat_rows(view))
    assert (row["verdict"], row["difference"]) == ("not comparable", None)
    assert row["state"] == "partial: 50 items at random (seed 0)"
    assert (
        "not comparable with its published number, because a run is of 50 items at random (seed 0): "
        "infly/INF-ORM-Llama3.1-70B"
    ) in view.notes
    assert [table.name for table in view.tables] == ["sweep"]


def test_what_would_run() -> None:
    view = sweep_plan_view([(INF, "none"), (OWN, "rm-bench complete")], {"rm-bench": 1327})
    assert view.about == ("2 models on rm-bench (1327 items)", "70 billion parameters in all, and 1 of unknown size")
    assert [(row["name"], row["parameters"], row["card"], row["runs"]) for row in flat_rows(view)] == [
        ("infly/INF-ORM-Llama3.1-70B", 70.0, "inf-orm (verified)", "none"),
        ("nobody/knows-it", None, "", "rm-bench complete"),
    ]
