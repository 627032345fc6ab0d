"""Published results beside runs: the place of a run, rankings with published rows, and lists of them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

import rmeval
from rmeval.benchmarks.rm_bench import RMBench
from rmeval.published import PublishedBoard, PublishedRow
from rmeval.report.csv_ import csv_text
from rmeval.report.html import html_text
from rmeval.report.latex import latex_text
from rmeval.report.markdown import markdown_text
from rmeval.report.published import board_rows
from rmeval.report.ranking import runs_views
from rmeval.report.run import run_view
from rmeval.report.terminal import views_text
from rmeval.report.views import Table, View
from rmeval.results.result import Result
from rmeval.store.manifest import read_json, write_json
from tests.command import command
from tests.samples import rm_bench_rows


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of baselines on as many items as RM-Bench has, on some of them, and on another benchmark."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "data").mkdir()
    for domain, count in RMBench.card.counts.items():
        rows = rm_bench_rows(domain, count)
        (folder / "data" / f"{domain}_filtered.json").write_text(json.dumps(rows))
    out = folder / "runs"
    whole = rmeval.evaluate("baseline:longest", "rm-bench", folder / "data", out=out)
    # As if it were on the pinned data: published numbers are not beside made-up items.
    manifest = read_json(whole.path / "run.json")
    write_json(whole.path / "run.json", {**manifest, "benchmark": {**manifest["benchmark"], "data": None}})
    rmeval.evaluate("baseline:shortest", "rm-bench", folder / "data", out=out, n_items=60)
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=24, out=out)
    return out


def test_a_run_states_its_place(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(command(capsys, "show", runs / "rm-bench" / "baseline-longest").out.split())
    assert (
        "! would rank 52nd of 52 on RM-Bench's leaderboard (2025-07-23; 10 rows contradict their own numbers)" in text
    )
    for other in (runs / "rm-bench" / "baseline-shortest", runs / "rm-bench-synthetic"):
        assert "would rank" not in command(capsys, "show", other).out


def test_a_ranking_has_the_published_rows(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = command(capsys, "show", runs / "rm-bench", "--published").out
    lines = [line.split() for line in out.splitlines() if "published " in line or "baseline:" in line]
    assert lines[0] == ["Skywork-Reward-V2-Llama-3.1-8B-40M", "published", "96.0"]
    assert ["REWARDANYTHING-8B", "*", "published", "86.4"] in lines
    assert ["Nemotron-340B-Reward", "published", "69.5"] in lines
    text = " ".join(out.split())
    assert "! baseline:shortest is not comparable with published results: it is of 60 items at random (seed 0)" in text
    assert "! published: RM-Bench's leaderboard (2025-07-23), https://github.com/THU-KEG/RM-Bench-Leaderboard;" in text
    # Without the option there are none.
    assert "Skywork" not in command(capsys, "show", runs / "rm-bench").out


def test_files_have_values_and_addresses(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ranking.csv"
    assert command(capsys, "show", runs / "rm-bench", "--published", "-o", path).code == 0
    rows = list(csv.DictReader(path.open(newline="")))
    assert len(rows) == 53
    row = next(row for row in rows if row["model"] == "Eurus-RM-7b")
    assert (row["variant"], row["status"], float(row["value"]), row["items"]) == ("published", "published", 0.659, "")
    assert row["run"] == "https://huggingface.co/openbmb/Eurus-RM-7b"
    values = [float(row["value"]) for row in rows]
    assert values == sorted(values, reverse=True)


def test_one_run_is_ranked_too_and_other_benchmarks_have_no_rows(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = command(capsys, "show", runs / "rm-bench" / "baseline-longest", "--published").out
    assert "stablelm-2-12b-chat" in one and "baseline:longest" in one
    other = command(capsys, "show", runs / "rm-bench-synthetic", "--published").out
    assert "! rmeval has no published results of rm-bench-synthetic" in other
    refused = command(capsys, "show", runs / "rm-bench", "--published", "--json")
    assert refused.code == 2
    assert "--published does not accept --json, --plot or --from-subsets: leave them out" in refused.err


def test_places_of_models_in_a_ranking(runs: Path) -> None:
    result = rmeval.open_run(next((runs / "rm-bench" / "baseline-longest").iterdir()))
    # Null baselines have no place in a ranking.
    assert not any("places on" in note for note in runs_views([result])[0].notes)
    named = [as_model(result, f"own/{n}", n) for n in range(6)]
    notes = [note for note in runs_views(named)[0].notes if "places on" in note]
    assert len(notes) == 1
    start = "places on RM-Bench's leaderboard (2025-07-23; 10 rows contradict their own numbers): own/0 52nd of 52, "
    assert notes[0].startswith(start)
    assert notes[0].endswith("own/4 52nd of 52 and 1 more; --published shows the rows")


def as_model(result: Result, name: str, place: int) -> Result:
    """The run as one of another model, in another folder."""
    manifest = {**result.manifest, "model": {**result.manifest["model"], "name": name, "kind": "classifier"}}
    return replace(result, manifest=manifest, path=result.path.with_name(f"run{place}"))


def test_facts_about_a_known_model(runs: Path) -> None:
    result = rmeval.open_run(next((runs / "rm-bench" / "baseline-longest").iterdir()))
    own = as_model(result, "Skywork/Skywork-Reward-V2-Llama-3.1-8B", 0)
    facts = next(line for line in run_view(own).about if line.startswith("model:"))
    assert "based on meta-llama/Llama-3.1-8B-Instruct" in facts
    assert "8B parameters" in facts
    assert not any(line.startswith("model:") for line in run_view(result).about)


HOSTILE = (
    "<script>alert(1)</script>",
    "\x1b[31mred\x1b[0m",
    "abc\u202egnp.exe",
    "[red]not markup[/red] [link=https://x.y]z[/link]",
    r"\input{/etc/passwd} $x$ & % #",
    "=cmd|'/c calc'!A0",
)


def test_hostile_names_stay_text() -> None:
    rows = [PublishedRow(name, "", {("overall", "all"): 0.5}, "javascript:alert(1)") for name in HOSTILE]
    board = PublishedBoard("b", "b", "rm-bench", "https://e.org", "2025", ("overall", "all"), tuple(rows))
    made = [row for _, row in board_rows(board, 2, "overall", 4)]
    columns = ("model", "variant", "overall", "items", "ties", "number", "data", "selection", "status", "run")
    view = View("rm-bench", (Table("runs", columns, tuple(made), extra=columns[5:]),))
    shown = views_text([view])
    assert "\x1b[31m" not in shown and "\u202e" not in shown
    assert r"\x1b[31mred" in shown and "[red]not markup[/red]" in shown
    page = html_text([view])
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "javascript:" not in page
    assert r"\input{" not in latex_text([view])
    assert "<script>" not in markdown_text([view])
    cells = [row["name"] for row in csv.DictReader(io.StringIO(csv_text([view])))]
    assert not any(cell.startswith("=") for cell in cells)


def test_a_list_of_boards(capsys: pytest.CaptureFixture[str]) -> None:
    text = command(capsys, "list", "published").out
    lines = [line.split() for line in text.splitlines()]
    assert ["rm-bench", "rm-bench", "51", "10", "2025-07-23"] in lines
    assert ["reward-bench-2", "reward-bench-2", "197", "0", "2025-12-22"] in lines
    boards = {board["id"]: board for board in json.loads(command(capsys, "list", "published", "--json").out)}
    rows = {row["model"]: row for row in boards["rm-bench"]["rows"]}
    assert rows["GPT-4.1"]["values"]["hard all"] == 0.695
    assert rows["GPT-4.1"]["contradicts"] is True
    assert rows["GPT-4.1"]["notes"][0].startswith(
        "the overall is 77.4, but the mean of chat, math, code and safety is 77"
    )
