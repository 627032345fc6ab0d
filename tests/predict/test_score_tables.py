"""Reading of boards, of runs and of what rmeval writes, and their columns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rmeval
from rmeval.errors import DataError
from rmeval.predict.score_tables import ScoreTable, find_column, number_in, read_score_tables
from rmeval.predict.stated_averages import average_notes
from rmeval.store.run import UNFINISHED
from tests.command import command


def table_of(path: Path, text: str) -> ScoreTable:
    path.write_text(text)
    return read_score_tables([path], "scores")[0]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("97.6", 97.6), (" 97.6% ", 97.6), ("71.2*", 71.2), ("-3", -3), ("\u22123.5", -3.5), (4, 4), ("1e-2", 0.01)],
)
def test_numbers_in_cells(cell: object, value: float) -> None:
    assert number_in(cell) == value


@pytest.mark.parametrize(
    "cell", ["", " ", "-", "n/a", "N/A", "Not Available", None, float("nan"), "nan", "inf", 10**400]
)
def test_empty_cells(cell: object) -> None:
    value = number_in(cell)
    assert value is not None
    assert np.isnan(value)


@pytest.mark.parametrize("cell", [True, "True", "Scalar RM", [1], "1.2.3", "1_5"])
def test_cells_of_words(cell: object) -> None:
    assert number_in(cell) is None


def test_a_board(tmp_path: Path) -> None:
    found = table_of(
        tmp_path / "board.csv", "Model,url,Hard,Flag\na/x,http://x,50.5%,True\ny *,http://y,-,False\n,,1,\n"
    )
    assert (found.name, found.models, found.columns) == ("board", ("a/x", "y *"), ("Hard",))
    assert found.values[0, 0] == 50.5
    assert np.isnan(found.values[1, 0])
    assert found.notes == (f"{tmp_path / 'board.csv'}: 1 row without a model",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '[{"model": "x", "hard": 0.5}, {"model": "y", "hard": null}]'),
        ("a.jsonl", '{"model": "x", "hard": 0.5}\n{"model": "y"}\n'),
        ("a.json", '{"x": {"hard": 0.5}, "y": {"hard": "-"}}'),
        ("a.tsv", "reward_model\thard\nx\t0.5\ny\t\n"),
    ],
)
def test_layouts(tmp_path: Path, name: str, text: str) -> None:
    found = table_of(tmp_path / name, text)
    assert (found.models, found.columns) == (("x", "y"), ("hard",))
    assert found.values[0, 0] == 0.5
    assert np.isnan(found.values[1, 0])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '{"hard": 0.5}', "a JSON object must have an object of numbers for each model"),
        ("a.json", "[1, 2]", "a row must be a JSON object, not a number"),
        ("a.csv", "url,hard\nx,1\n", r"has no column with the models \(the columns are url, hard\)"),
        ("a.csv", "model,type\nx,RM\n", "has no column of numbers"),
        ("a.txt", "x", "has an unsupported format"),
        ("a.csv", "benchmark,table,model\nb,other,x\n", "is not a table of several models"),
    ],
)
def test_other_shapes_are_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        table_of(tmp_path / name, text)


def test_columns_are_found_by_name_and_misspelt_ones_are_suggested(tmp_path: Path) -> None:
    one = table_of(tmp_path / "one.csv", "model,Hard Math,Mixed\nx,1,2\ny,2,ten\n")
    other = table_of(tmp_path / "other.csv", "model,Hard Math,Easy\nx,1,3\n")
    assert find_column("Hard Math", [one], "pair").name == "Hard Math"
    assert find_column("hard_math", [one], "pair").name == "Hard Math"
    assert find_column("other:Hard Math", [one, other], "pair").table is other
    with pytest.raises(DataError, match=r"the name of several columns: give one of one:Hard Math, other:Hard Math"):
        find_column("Hard Math", [one, other], "pair")
    with pytest.raises(
        DataError, match=r"`pair`: there is no column of numbers 'Hrd Math' .* did you mean Hard Math\?"
    ):
        find_column("Hrd Math", [one], "pair")
    with pytest.raises(DataError, match=r"column 'Mixed' must contain numbers only, not 'ten' \(.*line 3\)"):
        find_column("Mixed", [one], "pair")
    assert any("column Mixed has cells of words, such as 'ten'" in note for note in one.notes)


def test_mixed_units_are_stated(tmp_path: Path) -> None:
    found = table_of(tmp_path / "a.csv", "model,hard,easy\nx,0.7,60\ny,71,80\n")
    assert [note.partition(": ")[2] for note in found.notes] == [
        "column hard may mix shares and percentages (0.7 and 71): check its units"
    ]
    found = table_of(tmp_path / "b.csv", "model,hard\nx,7%\ny,0.08\nz,\n")
    assert [note.partition(": ")[2] for note in found.notes] == [
        "column hard has a percent sign in 1 of 2 numbers, and all are read without it: check its units"
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    for name in ("longest", "shortest", "random"):
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", size=24, out=out)
    return out


def test_runs_form_a_table_of_their_benchmark(runs: Path) -> None:
    (found,) = read_score_tables([runs], "scores")
    assert (found.name, len(found.models)) == ("rm-bench-synthetic", 3)
    hard = find_column("rm-bench-synthetic:hard:math", [found], "pair")
    result = rmeval.open_run(runs / "rm-bench-synthetic" / "baseline-longest")
    assert hard.values[found.models.index("baseline:longest")] == result.value("hard", "math")
    assert find_column("rm-bench-synthetic:hard", [found], "pair").name == "rm-bench-synthetic:hard:all"
    again = read_score_tables([result, runs], "scores")[0]
    assert set(again.models) == set(found.models)


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("what", ["show", "compare"])
def test_tables_that_rmeval_wrote(
    runs: Path, what: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"table.{form}"
    assert command(capsys, what, runs, "-o", path).code == 0
    (found,) = read_score_tables([path], "scores")
    (own,) = read_score_tables([runs], "scores")
    assert set(found.models) == set(own.models)
    overall = find_column("rm-bench-synthetic:overall", [found], "pair").values
    theirs = find_column("rm-bench-synthetic:overall", [own], "pair").values
    order = [own.models.index(name) for name in found.models]
    assert overall == pytest.approx(theirs[order])
    if what == "compare":
        assert find_column("rm-bench-synthetic:chat hard", [found], "pair").values.max() == 1.0


def test_an_unfinished_run_is_stated(runs: Path) -> None:
    result = rmeval.open_run(runs / "rm-bench-synthetic" / "baseline-longest")
    note = f"{UNFINISHED}3 of 24 items are scored, and the numbers are of these"
    (found,) = read_score_tables([replace(result, notes=(*result.notes, note))], "scores")
    assert found.notes == (f"baseline:longest on rm-bench-synthetic: {note}",)


def test_two_runs_of_a_model_and_a_folder_without_runs_are_refused(runs: Path, tmp_path: Path) -> None:
    rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=16, out=tmp_path / "other")
    with pytest.raises(DataError, match="are both runs of baseline:longest: give one run of each model"):
        read_score_tables([runs, tmp_path / "other"], "scores")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no runs in it"):
        read_score_tables([tmp_path / "empty"], "scores")


def test_averages_are_checked(tmp_path: Path) -> None:
    header = "model,Chat,Math,Code,Safety,Easy,Normal,Hard,Domain Avg,Difficulty Avg\n"
    rows = "x,60,60,60,60,80,60,40,60.0,60.0\ny,60,60,60,60,90,60,45,60.0,65.0\nz,60,60,60,60,80,60,40,70.1,60.0\n"
    notes = [note.partition(": ")[2] for note in average_notes(table_of(tmp_path / "a.csv", header + rows))]
    assert notes == [
        "1 of 3 rows contradict themselves, because Domain Avg must be the mean of Chat, Math, Code and Safety: z "
        "(70.1, not 60)",
        "1 of 3 rows contradict themselves, because Overall must be the mean of Chat, Math, Code and Safety and of "
        "Easy, Normal and Hard: y (60 and 65)",
    ]


def test_a_score_of_two_formulas_is_stated(tmp_path: Path) -> None:
    header = "model,Score,Chat,Chat Hard,Safety,Reasoning,Prior Sets (0.5 weight)\n"
    rows = "x,0.7500,0.9,0.6,0.7,0.8,\ny,0.7222,0.9,0.6,0.7,0.8,0.5\n"
    notes = list(average_notes(table_of(tmp_path / "a.csv", header + rows)))
    assert len(notes) == 1
    assert "Score mixes two formulas: 1 of 2 rows include Prior Sets" in notes[0]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_style_control_scores_of_policies(tmp_path: Path, form: str) -> None:
    rows = [
        {"benchmark": "b", "table": "policies", "model": "x", "style_control_score": -0.2}
        | {"style_control_score low": -0.3, "style_control_score high": -0.1},
        {"benchmark": "b", "table": "style", "feature": "length", "weight": 0.5},
    ]
    path = tmp_path / f"policies.{form}"
    if form == "json":
        path.write_text(json.dumps([{"benchmark": "b", "model": None, "rows": rows}]))
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        lines = [",".join(str(row.get(name, "")) for name in names) for row in rows]
        path.write_text("\n".join([",".join(names), *lines]))
    (found,) = read_score_tables([path], "against")
    assert (found.models, found.columns) == (("x",), ("style_control_score",))
    assert found.values.tolist() == [[-0.2]]
