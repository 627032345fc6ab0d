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
from rmeval.report.views import Row, Table, View, flat_rows
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
    from rmeval.report.cells import GAP, Number

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
    assert [row["name"] for row in view["rows"]] == ["even", "odd", "all"]
    assert view["rows"][-1]["items"] == 24


def test_a_model_named_as_a_column_keeps_its_number() -> None:
    names = ("table", "name", "benchmark", "low")
    cells = tuple(Number(k / 10, (0.0, 1.0) if name == "name" else None) for k, name in enumerate(names))
    view = View("b", (Table("numbers", ("", *names), (Row("all", cells),)),))
    (row,) = flat_rows(view)
    assert row == {
        "benchmark": "b",
        "table": "numbers",
        "name": "all",
        "table (2)": 0.0,
        "name (2)": 0.1,
        "name low": 0.0,
        "name high": 1.0,
        "benchmark (2)": 0.2,
        "low": 0.3,
    }


def test_comparisons_without_a_score_are_counted_among_several_runs(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pair_rows(24)))
    (tmp_path / "some.py").write_text(
        "class Some:\n    def score(self, c):\n        return [1.0 if 'a' in x[-1]['content'] else None for x in c]\n"
    )
    for model in ("baseline:random", f"{tmp_path / 'some.py'}:Some"):
        rmeval.evaluate(model, "pairs", tmp_path / "data.jsonl", out=tmp_path / "runs")
    found = {one.manifest["model"]["name"]: one.record("accuracy") for one in results(tmp_path / "runs")}
    assert found["Some"].failures > 0
    (view,) = runs_views(results(tmp_path / "runs"))
    assert {row["model"]: (row["ties"], row["failed"]) for row in flat_rows(view)} == {
        name: (record.ties, record.failures) for name, record in found.items()
    }
