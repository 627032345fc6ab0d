"""Files that commands write: their format, files that exist, standard input and standard output."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import rmeval
from rmeval.data.writing import row_writer
from tests.command import command, process

Capture = pytest.CaptureFixture[str]
ROWS: list[dict[str, Any]] = [
    {"prompt": "q", "response": "four", "tag": 'a,"b"\nc'},
    {"prompt": "é", "responses": ["one", "three"], "meta": {"a": [1]}},
]
WANTED = [ROWS[0] | {"score": 4.0}, ROWS[1] | {"scores": [3.0, 5.0]}]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return file


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=16, out=tmp_path_factory.mktemp("runs")).path


def score(capsys: Capture, source: object, target: object, *options: object, model: str = "longest") -> Any:
    return command(capsys, "score", f"baseline:{model}", source, "-o", target, *options)


def without_nulls(value: Any) -> Any:
    return {name: one for name, one in value.items() if one is not None}


def read(file: Path) -> Any:
    if file.suffix == ".parquet":
        return [without_nulls(row) for row in pq.read_table(file).to_pylist()]
    if file.suffix == ".csv":
        with file.open(newline="") as text:
            return [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(text)]
    return json.loads(file.read_text()) if file.suffix == ".json" else list(map(json.loads, file.open()))


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".parquet", ".PARQUET", ""])
def test_the_ending_is_the_format(ending: str, source: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / f"out{ending}"
    assert score(capsys, source, target).code == 0
    assert read(target.rename(tmp_path / f"out{ending.lower()}")) == WANTED


def test_csv_has_a_column_for_each_field(source: Path, tmp_path: Path, capsys: Capture) -> None:
    assert score(capsys, source, tmp_path / "out.csv").code == 0
    assert read(tmp_path / "out.csv") == [
        {"prompt": "q", "response": "four", "tag": 'a,"b"\nc', "score": "4.0"},
        {"prompt": "é", "responses": '["one", "three"]', "meta": '{"a": [1]}', "scores": "[3.0, 5.0]"},
    ]
    again = tmp_path / "again.jsonl"
    first = tmp_path / "first.csv"
    first.write_text("prompt,response\nq,four\n")
    assert score(capsys, first, again).code == 0
    assert read(again) == [{"prompt": "q", "response": "four", "score": 4.0}]


@pytest.mark.parametrize("ending", [".txt", ".csv.gz", ".tsv"])
def test_an_unknown_ending_is_refused_before_anything(
    ending: str, source: Path, tmp_path: Path, capsys: Capture
) -> None:
    for arguments in (("score", "baseline:longest", source), ("items", "rm-bench-synthetic", "--size", 16)):
        done = command(capsys, *arguments, "-o", tmp_path / f"out{ending}")
        assert done.code == 2
        assert "is not one of a format that rmeval writes: choose .jsonl, .json, .csv, .parquet with -o" in done.err
    assert list(tmp_path.iterdir()) == [source]


def test_parquet_holds_any_values(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": {}, "c": [{"x": 1}], "d": 2**70}, {"a": "one", "c": [{"y": None}]}]
    with (tmp_path / "x.parquet").open("wb") as file:
        row_writer(tmp_path / "x.parquet")(file, rows)
    assert pq.read_table(tmp_path / "x.parquet").to_pylist() == [
        {"a": "1", "b": "{}", "c": [{"x": 1, "y": None}], "d": str(2**70)},
        {"a": '"one"', "b": None, "c": [{"x": None, "y": None}], "d": None},
    ]


def test_a_file_that_exists_is_replaced_only_on_request(source: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("mine")
    done = score(capsys, source, target)
    assert (done.code, done.err) == (
        2, f"error: {target} exists: give --overwrite to replace it, or choose another file with -o\n",
    )  # fmt: skip
    assert target.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]
    assert score(capsys, source, target, "--overwrite").code == 0
    assert read(target) == WANTED


STOPPING = """
import os
from pathlib import Path
class Stopping:
    def score(self, conversations):
        if (Path(__file__).parent / "stop").exists() and conversations[0][-1]["content"] == "three":
            os._exit(9)
        return [float(len(one[-1]["content"])) for one in conversations]
"""


@pytest.mark.parametrize("existing", [False, True])
def test_an_interrupted_command_continues(existing: bool, source: Path, tmp_path: Path, capsys: Capture) -> None:
    """Also when the file was written before the scores that were kept were removed."""
    (tmp_path / "scorer.py").write_text(STOPPING)
    (tmp_path / "stop").touch()
    target, partial = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    arguments = ["score", f"{tmp_path}/scorer.py:Stopping", source, "--batch-size", 1, "-o", target]
    given = ["--overwrite"] if existing else []
    if existing:
        target.write_text("mine")
    assert process("-m", "rmeval", *arguments, *given).returncode == 9
    assert (partial / "journal").is_dir()
    (tmp_path / "stop").unlink()
    if existing:
        assert "exists: give --overwrite" in command(capsys, *arguments).err
        assert target.read_text() == "mine"
    else:
        target.write_text("written by the process that was killed afterwards")
    assert command(capsys, *arguments, *given).code == 0
    assert read(target) == WANTED
    assert not partial.exists()
    assert "exists: give --overwrite" in command(capsys, *arguments).err


def test_a_folder_left_behind_is_no_refusal(source: Path, tmp_path: Path, capsys: Capture) -> None:
    """A process may be killed just before it removes the empty folder."""
    assert score(capsys, source, tmp_path / "out.jsonl").code == 0
    (tmp_path / "out.jsonl.partial").mkdir()
    assert score(capsys, source, tmp_path / "out.jsonl").code == 0
    (tmp_path / "out.jsonl.partial").mkdir()
    (tmp_path / "out.jsonl.partial" / "notes.txt").touch()
    assert score(capsys, source, tmp_path / "out.jsonl").code == 2


@pytest.mark.parametrize("command_name", ["score", pytest.param("token-scores", marks=pytest.mark.slow)])
def test_a_pipe(command_name: str, source: Path, tmp_path: Path, checkpoint: Path) -> None:
    """Standard output has the rows and nothing else."""
    import subprocess

    model = "baseline:longest" if command_name == "score" else str(checkpoint)
    arguments = [sys.executable, "-m", "rmeval", command_name, model, "-", "-o", "-"]
    done = subprocess.run(arguments, input=source.read_bytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = list(map(json.loads, done.stdout.splitlines()))
    if command_name == "score":
        assert rows == WANTED
        assert done.stderr.decode().endswith("2 rows in standard output\n")
    else:
        assert len(rows) == 3
        assert all(len(row["tokens"]) == len(row["scores"]) for row in rows)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "standard input is empty"),
        ('{"prompt": "q", "response": "a"}\n{"prompt": "q"}\n', "standard input line 2: column 'response' is missing"),
        ('{"prompt": \n{"a": 1}\n', "standard input"),
    ],
)
def test_standard_input_that_cannot_be_read(
    text: str, sentence: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    done = score(capsys, "-", tmp_path / "out.jsonl")
    assert done.code == 2
    assert sentence in done.err
    assert "input.jsonl" not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["show", "compare", "analyze", "errors"])
@pytest.mark.slow
def test_tables(name: str, run: Path, tmp_path: Path, capsys: Capture) -> None:
    where: list[object] = [run]
    if name == "compare":
        other = rmeval.evaluate("baseline:shortest", "rm-bench-synthetic", size=16, out=run.parents[2]).path
        where = [run, other]
    for ending, form in ((".md", "md"), (".tex", "latex"), (".csv", "csv"), (".json", "json"), (".txt", "table")):
        target, given = tmp_path / f"out{ending}", tmp_path / f"given-{form}"
        assert command(capsys, name, *where, "-o", target).code == 0
        assert command(capsys, name, *where, "-o", given, "--format", form).code == 0
        assert target.read_text() == given.read_text()
        done = command(capsys, name, *where, "-o", target)
        assert (done.code, f"{target} exists: give --overwrite" in done.err) == (2, True)
        assert command(capsys, name, *where, "-o", target, "--overwrite").code == 0
    assert "the ending .xls is not one of" in command(capsys, name, *where, "-o", tmp_path / "x.xls").err
    printed = command(capsys, name, *where, "-o", "-", "--format", "csv")
    assert printed.out == (tmp_path / "out.csv").read_text()


def test_figures_and_items(run: Path, tmp_path: Path, capsys: Capture) -> None:
    figure, items = tmp_path / "m.png", tmp_path / "items.parquet"
    arguments = ("items", "rm-bench-synthetic", "--size", 16, "-o", items)
    for given in (("show", run, "--plot", figure), arguments):
        assert command(capsys, *given).code == 0
        done = command(capsys, *given)
        assert (done.code, "exists: give --overwrite" in done.err) == (2, True)
        assert command(capsys, *given, "--overwrite").code == 0
    lines = command(capsys, *arguments[:-1], "-").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in read(items)]
