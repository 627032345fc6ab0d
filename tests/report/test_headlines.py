"""What stands on top: the headline, or why there is none; and what is not shown twice."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

import rmeval
from rmeval.report.figures.comparison import draw_compared, draw_comparison
from rmeval.report.ranking import brief_view, runs_views
from rmeval.report.run import run_view
from rmeval.report.terminal import print_briefly, views_text
from rmeval.results.result import Result
from tests.command import command
from tests.samples import pair_rows, reward_bench_rows, rm_bench_rows

Capture = pytest.CaptureFixture[str]


def rm_bench(folder: Path, *files: str) -> Path:
    folder.mkdir()
    for name in files:
        rows = rm_bench_rows("safety" if name.startswith("safety") else name, 6)
        (folder / f"{name}_filtered.json").write_text(json.dumps(rows))
    return folder


@pytest.fixture(scope="module")
def partial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two baselines on chat and code of RM-Bench."""
    folder = tmp_path_factory.mktemp("partial")
    data = rm_bench(folder / "data", "chat", "code")
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench", data, out=folder / "runs")
    return folder / "runs"


def run_of(runs: Path, name: str) -> Result:
    return rmeval.open_run(next(runs.glob(f"*/baseline-{name}/*")))


NOTE = "! no macro averages and no overall: there are no items of math, safety"


def test_the_overall_is_above_the_domains(tmp_path: Path) -> None:
    run = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=tmp_path, size=24)
    lines = views_text([run_view(run)]).splitlines()
    assert lines[3].startswith("overall  44.0 31.9-59.2")
    assert lines[4] == "Easy/Normal/Hard  100.0/31.9/0.0"
    assert lines[6].split()[:4] == ["Easy", "Normal", "Hard", "Average"]
    assert sum(line.startswith("overall") for line in lines) == 1


def test_the_headline_is_the_first_row(tmp_path: Path) -> None:
    counts = {"alpacaeval-easy": 6, "llmbar-natural": 6, "donotanswer": 6, "hep-cpp": 6}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reward_bench_rows(counts)))
    run = rmeval.evaluate("baseline:longest", "reward-bench", tmp_path / "rows.jsonl", out=tmp_path / "runs")
    (table,) = run_view(run).tables
    assert [row.label for row in table.rows][:3] == ["overall", "Chat", "alpacaeval-easy"]
    assert table.rows[0].strong


def test_why_there_is_no_overall_is_above_the_numbers(partial: Path) -> None:
    text = views_text([run_view(run_of(partial, "longest"))])
    assert text.splitlines()[2] == NOTE
    assert text.count("no overall") == 1
    assert "\noverall" not in text


def test_in_short_no_part_stands_for_the_whole(partial: Path, capsys: Capture) -> None:
    run = run_of(partial, "longest")
    view = brief_view(run)
    assert (view.headline, view.about) == (None, ("12 items",))
    print_briefly([view])
    shown = capsys.readouterr().out.splitlines()
    assert shown[1] == f"  {NOTE}"
    assert "average" not in shown[0]


def test_a_ranking_without_overall_lists_each_part(partial: Path, capsys: Capture) -> None:
    out = command(capsys, "show", partial).out
    assert out.splitlines()[2] == NOTE
    assert out.count("no overall") == 1
    rows = list(csv.DictReader(io.StringIO(command(capsys, "show", partial, "--format", "csv").out)))
    assert [(row["model"], row["number"]) for row in rows] == [
        (f"baseline:{name}", f"{domain} average") for domain in ("chat", "code") for name in ("longest", "shortest")
    ]


def test_a_comparison_without_overall_has_no_ranks(partial: Path, capsys: Capture) -> None:
    out = command(capsys, "compare", partial).out
    assert out.splitlines()[2] == NOTE
    assert "  rank  group" not in out
    assert "chat average" in out
    assert "code average" in out
    assert "rank them by, such as --metric average with --scope chat" in " ".join(out.split())
    (found,) = rmeval.compare([partial])
    assert found.headline is None
    with pytest.raises(rmeval.RmevalError, match=r"^no macro averages and no overall: .*: give `metric` and `scope`"):
        found.difference("baseline:longest", "baseline:shortest")
    assert found.difference("baseline:longest", "baseline:shortest", "average", "chat").metric == "average"
    with pytest.raises(rmeval.RmevalError, match=r"no overall: .*, so no figure ranks the models: give `metric`"):
        draw_comparison(found, partial.parent / "ranks.svg")
    assert [path.name for path in draw_compared([found], partial.parent / "plots", ending="svg")] == ["verbosity.svg"]
    several = draw_compared([found, found], partial.parent / "plots", ending="svg")
    assert [path.parent.name for path in several] == ["rm-bench-1", "rm-bench-2"]
    chosen = command(capsys, "compare", partial, "--metric", "average", "--scope", "chat").out
    assert "chat average  rank  group" in chosen
    assert NOTE in chosen


def test_python_and_notebooks_state_why_there_is_no_overall(partial: Path) -> None:
    why = NOTE.removeprefix("! ")
    run, (found,) = run_of(partial, "longest"), rmeval.compare([partial])
    analysis = rmeval.analyze(run.path)
    for one in (run, found, analysis):
        assert why in repr(one).splitlines()[0]
        html = one._repr_html_()
        assert html is not None
        assert html.count(why) == 1
        assert html.index(why) < html.index("<table>")
    assert "chat average" in repr(found)
    assert [(entry.rank, entry.group) for entry in found.entries] == [(None, "")] * 2
    assert {one["rank"] for one in found.to_dict()["models"]} == {None}
    assert found.to_pandas()["rank_low"].isna().all()


def test_an_analysis_without_overall(partial: Path, capsys: Capture) -> None:
    folder = run_of(partial, "longest").path
    out = command(capsys, "analyze", folder).out
    assert out.splitlines()[0].split() == ["rm-bench", "baseline:longest"]
    assert out.splitlines()[2] == NOTE
    assert json.loads(command(capsys, "analyze", folder, "--json").out)["headline"] is None


def test_a_lone_half_is_shown_once(tmp_path: Path, capsys: Capture) -> None:
    data = rm_bench(tmp_path / "data", "chat", "safety-response")
    for name in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench", data, out=tmp_path / "runs")
    run = run_of(tmp_path / "runs", "longest")
    assert run.value("average", "safety-response") == run.value("average", "safety")
    shown = command(capsys, "show", run.path).out
    labels = [line.split()[0] for line in shown.splitlines() if line.strip()]
    assert labels.count("safety") == 2, "levels and null baselines"
    assert "safety-response" not in labels
    rows = csv.DictReader(io.StringIO(command(capsys, "show", tmp_path / "runs", "--format", "csv").out))
    assert {row["number"] for row in rows} == {"chat average", "safety average"}
    gaps = [line for line in command(capsys, "analyze", run.path).out.splitlines() if line.startswith("style gap")]
    assert len(gaps) == 2


def test_both_halves_are_shown(tmp_path: Path, capsys: Capture) -> None:
    data = rm_bench(tmp_path / "data", "safety-refuse", "safety-response")
    run = rmeval.evaluate("baseline:longest", "rm-bench", data, out=tmp_path / "runs")
    labels = [line.split()[0] for line in command(capsys, "show", run.path).out.splitlines() if line.strip()]
    assert labels.count("safety-response") == labels.count("safety-refuse") == 2


def test_random_is_not_shown_for_gaps_without_errata(partial: Path) -> None:
    run = run_of(partial, "longest")
    gap = run.record("style_gap", "chat")
    assert gap.null["random"] == 0.0
    sound = replace(gap, metric="without_errata", scope="style_gap chat")
    view = run_view(replace(run, records=(*run.records, sound)))
    (table,) = (table for table in view.tables if table.name == "null baselines")
    assert table.columns[1:] == ("longest", "shortest", "markdown")


def test_tables_name_the_score_that_they_are_of(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pair_rows(24)))
    run = rmeval.evaluate("baseline:longest", "pairs", tmp_path / "data.jsonl", out=tmp_path / "runs")
    first, second = ([replace(one, variant=name) for one in run.records] for name in ("dpo/sum", "dpo/mean"))
    several = replace(run, records=(*first, *second))
    view = run_view(several)
    assert [table.title for table in view.tables] == ["score: dpo/sum", "by score"]
    assert view.tables[1].columns == ("", "dpo/sum", "dpo/mean")
    assert [row.label for row in view.tables[1].rows] == ["all", "even", "odd"]
    (ranking,) = runs_views([several])
    assert [row.cells[0] for row in ranking.tables[0].rows] == ["dpo/sum", "dpo/mean"]
    assert "score: dpo/sum" in run_view(replace(run, records=tuple(first))).about
