"""The same views in every format: numbers stay numbers, and no text acts on what reads it."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

import rmeval
from rmeval.importers.run import import_scores
from rmeval.report.cells import Number
from rmeval.report.csv_ import csv_text
from rmeval.report.json_ import json_value
from rmeval.report.latex import latex_text
from rmeval.report.markdown import markdown_text
from rmeval.report.ranking import runs_views
from rmeval.report.run import run_view
from rmeval.report.terminal import views_text
from rmeval.report.views import Row, Table, View
from tests.command import command
from tests.samples import pair_rows

Capture = pytest.CaptureFixture[str]
FORMULAS = ("=1+1", "+x", "-x", "@x", "\tx", "\rx", "\uff1d1")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of pairs, of which one model's name is a formula of a spreadsheet."""
    folder = tmp_path_factory.mktemp("formats")
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pair_rows(24)))
    rmeval.evaluate("baseline:shortest", "pairs", folder / "data.jsonl", out=folder / "runs")
    scores = [{"item_id": str(n), "response": k, "score": n % 3 - k} for n in range(24) for k in (0, 1)]
    (folder / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scores))
    benchmark = rmeval.load_benchmark("pairs", str(folder / "data.jsonl"))
    import_scores(folder / "scores.jsonl", benchmark, folder / "runs", name="=HYPERLINK(1)")
    return folder / "runs"


def results(runs: Path) -> list[rmeval.Result]:
    return [rmeval.open_run(path.parent) for path in sorted(runs.rglob("run.json"))]


def test_all_formats_hold_the_same_numbers(runs: Path) -> None:
    views = runs_views(results(runs))
    best = max(result.value("accuracy") for result in results(runs))
    rows = list(csv.DictReader(io.StringIO(csv_text(views))))
    assert [float(row["value"]) for row in rows] == sorted((float(row["value"]) for row in rows), reverse=True)
    assert float(rows[0]["value"]) == best
    assert [row["value"] for row in json_value(views)[0]["rows"]] == [float(row["value"]) for row in rows]
    shown = f"{100 * best:.1f}"
    for text in (views_text(views), markdown_text(views), latex_text(views)):
        assert shown in text


def test_csv_is_no_program(runs: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(runs_views(results(runs))))))
    assert sorted(row["model"] for row in rows) == ["'=HYPERLINK(1)", "baseline:shortest"]
    table = Table("t", ("", "text"), tuple(Row(text, (text,)) for text in FORMULAS))
    for row in csv.reader(io.StringIO(csv_text([View("b", (table,))]))):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row), row


def test_negative_numbers_of_csv_are_numbers(runs: Path) -> None:
    from rmeval.report.cells import GAP

    table = Table("t", ("", "gap"), (Row("a", (Number(-0.25, (-0.5, 0.1), GAP),)), Row("b", (Number(float("nan")),))))
    assert csv_text([View("b", (table,))]).splitlines() == [
        "benchmark,table,name,gap,gap low,gap high",
        "b,t,a,-0.25,-0.5,0.1",
        "b,t,b,,,",
    ]


def test_text_stays_text_in_markdown_and_latex() -> None:
    name = "a|b_c*d`e<f>$g$#h&i%j\\k~l^m{n}[o](p)"
    view = View(name, (Table("t", ("", "x"), (Row(name, ("1",)),)),))
    latex = latex_text([view])
    body = re.sub(r"\\text\w+\{\}|\\[{}$&#_%]", "", latex.split("\\midrule")[1].split("\\bottomrule")[0])
    assert not set(body.replace("\\\\", "").replace("{[}", "").replace("{]}", "").replace(" & ", "")) & set(
        "$#_%^~{}\\"
    )
    (row,) = (line for line in markdown_text([view]).splitlines() if line.startswith("| a"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert "<" not in row.replace("\\<", "")


@pytest.mark.parametrize("form", ["table", "md", "latex", "csv", "json"])
@pytest.mark.parametrize("name", ["show", "compare", "analyze"])
def test_a_file_holds_what_is_printed(name: str, form: str, runs: Path, tmp_path: Path, capsys: Capture) -> None:
    where = runs if name != "analyze" else next((runs / "pairs").iterdir())
    printed = command(capsys, name, where, "--format", form)
    written = command(capsys, name, where, "--format", form, "-o", tmp_path / "out")
    assert (printed.code, written.code, written.out) == (0, 0, ""), written.err
    assert (tmp_path / "out").read_text() == printed.out
    if form == "json":
        assert json.loads(printed.out)[0]["rows"]


def test_options_that_contradict_each_other(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    run = next((runs / "pairs").iterdir())
    for options in (("--json", "--format", "csv"), ("--json", "-o", tmp_path / "x"), ("-o", tmp_path)):
        done = command(capsys, "show", run, *options)
        assert (done.code, done.err.count("\n"), done.out) == (2, 1, ""), done
    assert list(tmp_path.iterdir()) == []


def test_rows_are_named_in_full(runs: Path) -> None:
    (view,) = json_value([run_view(results(runs)[0])])
    assert [row["name"] for row in view["rows"]] == ["all", "even", "odd"]
    assert view["rows"][0]["items"] == 24


def test_names_of_models_replace_no_column(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pair_rows(24)))
    for k, name in enumerate(("name", "table", "x", "x letters")):
        scores = [{"item_id": str(n), "response": r, "score": n % (k + 2) - r} for n in range(24) for r in (0, 1)]
        (tmp_path / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scores))
        benchmark = rmeval.load_benchmark("pairs", str(tmp_path / "data.jsonl"))
        import_scores(tmp_path / "scores.jsonl", benchmark, tmp_path / "runs", name=name)
    done = command(capsys, "compare", tmp_path / "runs", "--format", "csv")
    rows = [row for row in csv.DictReader(io.StringIO(done.out)) if row["table"] == "numbers"]
    assert [row["name"] for row in rows] == ["even", "odd"]
    for run in results(tmp_path / "runs"):
        name = run.manifest["model"]["name"]
        key = name if name == "x" else f"{name} (2)"
        assert [float(row[key]) for row in rows] == [run.value("accuracy", scope) for scope in ("even", "odd")]


def test_files_state_what_their_rows_leave_out(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pair_rows(24)))
    for k in range(7):
        (tmp_path / f"m{k}.py").write_text(f"def m{k}(conversations):\n    return [float({k})] * len(conversations)\n")
        rmeval.evaluate(f"{tmp_path}/m{k}.py:m{k}", "pairs", tmp_path / "data.jsonl", out=tmp_path / "runs")
    done = command(capsys, "compare", tmp_path / "runs", "--format", "csv")
    assert done.out.count(",differences,") == 6
    assert "note: differences are shown for neighbours in rank only: --json has those of all pairs\n" in done.err
    assert done.out.count(",numbers,") == 2


def test_runs_on_other_items_are_not_ranked_without_a_word(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pair_rows(24)))
    for model, seed in (("longest", 0), ("shortest", 0), ("markdown", 1)):
        command(
            *(capsys, "run", f"baseline:{model}", "-b", "pairs", "--data", tmp_path / "data.jsonl"),
            *("--n-items", 8, "--seed", seed, "-o", tmp_path / str(seed)),
        )
    same = command(capsys, "show", tmp_path / "0").out
    assert "selection: 8 items at random (seed 0)" in same.replace("\n", "")
    assert "!" not in same
    every = command(capsys, "show", tmp_path, "--format", "csv")
    assert "note: the runs were made with different selections of items: use rmeval compare" in every.err
    chosen = {row["model"]: row["selection"] for row in csv.DictReader(io.StringIO(every.out))}
    assert chosen["baseline:markdown"] == "8 items at random (seed 1)"
    assert chosen["baseline:longest"] == "8 items at random (seed 0)"


def test_a_ranking_counts_ties_and_failures(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pair_rows(24)))
    rmeval.evaluate("baseline:markdown", "pairs", tmp_path / "data.jsonl", out=tmp_path / "runs")
    scores = [{"item_id": str(n), "response": k, "score": 1 - k if n < 20 else None} for n in range(24) for k in (0, 1)]
    (tmp_path / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scores))
    benchmark = rmeval.load_benchmark("pairs", str(tmp_path / "data.jsonl"))
    import_scores(tmp_path / "scores.jsonl", benchmark, tmp_path / "runs", name="imported")
    done = command(capsys, "show", tmp_path / "runs", "--format", "csv").out
    found = {row["model"]: (row["ties"], row["failed"]) for row in csv.DictReader(io.StringIO(done))}
    assert found == {"imported": ("0", "4"), "baseline:markdown": ("24", "0")}


def test_standard_error_has_no_empty_lines(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    assert command(capsys, "show", runs, "--format", "csv").err == ""
    assert command(capsys, "show", runs, "--format", "csv", "-o", tmp_path / "x").err == f"written: {tmp_path}/x\n"


def test_what_no_run_takes_is_one_sentence(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    done = command(capsys, "show", runs, "--rule", "unknown@1")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("error: 'unknown@1' is not a score rule")
    (tmp_path / "own.py").write_text(OWN)
    for model in ("longest", "shortest"):
        rmeval.evaluate(f"baseline:{model}", f"{tmp_path}/own.py:Own", out=tmp_path / "runs")
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=8, out=tmp_path / "runs")
    done = command(capsys, "show", tmp_path / "runs", "--rule", "half-ties@1")
    assert done.code == 0
    assert done.err.count("if you trust that file, give --benchmark") == 2


OWN = """
from rmeval.benchmarks import Benchmark, Card
from rmeval.metrics import accuracy_record
from rmeval.types import Comparison, Item, Message, Response

class Own(Benchmark):
    card = Card("own", "Own", "Longer is better.", "generated", None, "CC0", "", "")

    def load(self):
        for k in range(8):
            responses = (Response("ab"), Response("a"))
            yield Item(f"{k}", "own", (Message("user", f"{k}"),), responses, (Comparison((0, 1)),), cluster=f"{k}")

    def aggregate(self, items, evidence, rule, intervals=True):
        return [accuracy_record("own", rule, "all", self.outcomes(items, evidence, rule), "accuracy@1")]
"""
