"""Rows of Python objects are those of a file with the same contents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.pairs import Pairs
from rmeval.data.objects import rows_of
from rmeval.errors import DataError
from rmeval.runs.plan import plan
from rmeval.types import Message
from tests.command import command

ROWS: list[dict[str, Any]] = [
    {
        "chosen": [{"role": "user", "content": f"why {k}"}, {"role": "assistant", "content": "so"}],
        "rejected": [{"role": "user", "content": f"why {k}"}, {"role": "assistant", "content": "no"}],
        "id": k,
    }
    for k in range(3)
]


class Frame:
    """What is read of a data frame of Polars."""

    columns = tuple(ROWS[0])

    def iter_rows(self, *, named: bool) -> Iterator[dict[str, Any]]:
        assert named
        return iter(ROWS)

    def __len__(self) -> int:
        return len(ROWS)


def columns() -> dict[str, list[Any]]:
    return {name: [row[name] for row in ROWS] for name in ROWS[0]}


OBJECTS: dict[str, tuple[Any, str]] = {
    "list": (ROWS, "list of 3 rows"),
    "tuple": (tuple(ROWS), "tuple of 3 rows"),
    "dict": (columns(), "dictionary of 3 rows"),
    "arrays": (
        {name: pd.Series(column) if name == "id" else column for name, column in columns().items()},
        "dictionary of 3 rows",
    ),
    "pandas": (pd.DataFrame(ROWS), "DataFrame of 3 rows"),
    "pandas of arrays": (
        pd.DataFrame(columns() | {"chosen": [np.array(one, dtype=object) for one in columns()["chosen"]]}),
        "DataFrame of 3 rows",
    ),
    "polars": (Frame(), "Frame of 3 rows"),
    "arrow": (pa.Table.from_pylist(ROWS), "Table of 3 rows"),
    "dataset": (datasets.Dataset.from_list(ROWS), "Dataset of 3 rows"),
    "stream": (datasets.Dataset.from_list(ROWS).to_iterable_dataset(), "IterableDataset"),
    "split": (datasets.DatasetDict({"test": datasets.Dataset.from_list(ROWS)}), "Dataset of 3 rows"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_are_read_as_a_file(name: str, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    data, shown = OBJECTS[name]
    benchmark = load_benchmark("pairs", data)
    assert benchmark.data == shown
    assert plan(benchmark).contents == plan(Pairs(str(tmp_path / "p.jsonl"))).contents
    # A second reading begins at the first row.
    for _ in range(2):
        assert [item.prompt for item in benchmark.load()] == [(Message("user", f"why {k}"),) for k in range(3)]


def test_places_of_rows_in_errors() -> None:
    frame = pd.DataFrame({"prompt": ["why", "how"], "chosen": ["so", 3.5], "rejected": ["no", "no"]})
    with pytest.raises(DataError, match=r"^DataFrame row 1: column 'chosen' must be a string or a list of messages"):
        list(Pairs(frame).load())


@pytest.mark.parametrize("kind", ["object", "string"])
def test_missing_cells_of_pandas_are_null(kind: str) -> None:
    system = pd.Series([None, "be kind"], dtype="object" if kind == "object" else "string")
    frame = pd.DataFrame({"prompt": ["a", "b"], "chosen": ["so", "so"], "rejected": ["no", "no"], "system": system})
    frame["subset"] = pd.array([1, 2], dtype="Int64")
    first, second = Pairs(frame).load()
    assert [message.role for message in first.prompt] == ["user"]
    assert [message.role for message in second.prompt] == ["system", "user"]
    assert (first.subset, second.subset) == ("1", "2")


def test_winners_that_are_missing_in_a_frame() -> None:
    frame = pd.DataFrame({"prompt": ["a"] * 4, "response_0": ["x"] * 4, "response_1": ["y"] * 4})
    frame["label"] = [1.0, 0.0, float("nan"), 1.0]
    items = list(Pairs(frame).load())
    assert [item.responses[0].text for item in items] == ["y", "x", "y"]
    assert [item.id for item in items] == ["0", "1", "3"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (3, "`data` has the type int"),
        (iter(ROWS), "`data` has the type list_iterator"),
        ([1], "`data` row 0 is 1"),
        ([*ROWS, None], "`data` row 3 is None"),
        ({"a": 1}, "`data` has 1 as 'a'"),
        ({"a": "text"}, "`data` has 'text' as 'a'"),
        ({"a": [1], "b": []}, r"different lengths \(a 1, b 0\)"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns of `data` have the name 'a'"),
        ([], "list of 0 rows has no rows"),
        (pd.DataFrame(), "DataFrame of 0 rows has no rows"),
        ({}, "dictionary of 0 rows has no rows"),
    ],
)
def test_other_objects_are_refused(data: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        list(Pairs(data).load())


def test_splits() -> None:
    one = datasets.Dataset.from_list(ROWS)
    both = datasets.DatasetDict({"train": one, "test": one.select(range(2))})
    assert len(list(rows_of(both, "test").rows())) == 2
    for data, split, said in (
        (both, None, "several splits: choose one of train, test with `split`"),
        (both, "dev", "no split 'dev': choose one of train, test"),
        (one, "test", "`split` is for data with splits, and the Dataset has none"),
    ):
        with pytest.raises(DataError, match=said):
            rows_of(data, split)


def test_a_folder_of_save_to_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = datasets.Dataset.from_list(ROWS)
    one.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": one, "test": one.select(range(2))}).save_to_disk(tmp_path / "both")
    capsys.readouterr()
    given = ("run", "baseline:longest", "-b", "pairs", "-o", tmp_path / "runs", "--data")
    done = command(capsys, *given, tmp_path / "one")
    assert done.code == 0, done.err
    assert plan(Pairs(str(tmp_path / "one"))).contents == plan(Pairs(ROWS)).contents
    done = command(capsys, *given, tmp_path / "both")
    assert (done.code, "choose one of train, test with --split" in done.err) == (2, True), done.err
    assert len(list(Pairs(str(tmp_path / "both"), split="test").load())) == 2
    (tmp_path / "one" / "data-00000-of-00001.arrow").write_bytes(b"broken")
    done = command(capsys, *given, tmp_path / "one")
    assert (done.code, "cannot be read as a folder of save_to_disk" in done.err) == (2, True), done.err


def test_benchmarks_of_files_refuse_objects() -> None:
    with pytest.raises(DataError, match="rm-bench reads files: give a path or a hub id as `data`, not list"):
        load_benchmark("rm-bench", ROWS)


def test_a_run_of_an_object_is_shown_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run folder names the object; its numbers need it no more, and reading it again is an error that says why."""
    frame = pd.DataFrame(
        {"prompt": ["a", "b"], "response_a": ["x", "long"], "response_b": ["long", "y"], "winner": [1.0, 0.0]}
    )
    options: dict[str, Any] = {"labels": {"1": "b", "0": "a"}}
    out = tmp_path / "runs"
    for model, value in (("baseline:longest", 1.0), ("baseline:shortest", 0.0)):
        result = rmeval.evaluate(model, load_benchmark("pairs", frame, **options), out=out)
        assert (result.value("accuracy"), rmeval.open_run(result.path).value("accuracy")) == (value, value)
    done = command(capsys, "compare", *sorted(out.glob("pairs/*/*")))
    assert done.code == 0, done.err
    manifest = json.loads((result.path / "run.json").read_text())
    assert manifest["benchmark"]["data"] == "DataFrame of 2 rows"
    assert manifest["benchmark"]["options"] == options
    with pytest.raises(DataError, match=r"the data were an object in Python \(DataFrame of 2 rows\): give that object"):
        list(load_benchmark("pairs", manifest["benchmark"]["data"]).load())
