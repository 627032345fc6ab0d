"""The benchmark best-of-n: what it reads and refuses, and its numbers by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.errors import DataError, RmevalError
from rmeval.types import Item
from tests.command import command

ROW = {"id": "a", "prompt": "q", "responses": ["x", "yy", "zzz"], "gold": [1, False, None]}


def written(folder: Path, *rows: Mapping[str, Any]) -> Path:
    path = folder / "candidates.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def items(folder: Path, *rows: Mapping[str, Any], **options: Any) -> list[Item]:
    return list(load_benchmark("best-of-n", str(written(folder, *rows)), **options).load())


def test_a_row(tmp_path: Path) -> None:
    row = ROW | {"subset": "maths", "cluster": 7, "writer": "w", "answers": ["3", 3, None], "extra": 1}
    (item,) = items(tmp_path, row)
    assert (item.id, item.subset, item.cluster, item.comparisons) == ("a", "maths", "7", ())
    assert [one.gold for one in item.responses] == [1.0, 0.0, None]
    assert [one.source for one in item.responses] == ["w"] * 3
    assert item.meta == {"groups": [0, 0, -1]}


def test_messages_and_rows_without_optional_columns(tmp_path: Path) -> None:
    talk = [{"role": "system", "content": "s"}, {"role": "human", "content": "q"}]
    rows: list[dict[str, Any]] = [
        {"prompt": talk, "responses": ["x"]},
        {"prompt": "q", "responses": ["y", "z"], "gold": None},
    ]
    first, second = items(tmp_path, *rows, roles={"human": "user"})
    assert [message.role for message in first.prompt] == ["system", "user"]
    assert (first.id, second.id, second.meta) == ("0", "1", {})
    assert [one.gold for one in second.responses] == [None, None]


def test_repeated_prompts_are_one_problem(tmp_path: Path) -> None:
    one, other, third = items(tmp_path, ROW, ROW | {"id": "b"}, ROW | {"id": "c", "prompt": "r"})
    assert one.cluster == other.cluster != third.cluster


def test_other_columns_and_parquet(tmp_path: Path) -> None:
    path = tmp_path / "candidates.parquet"
    pq.write_table(pa.table({"question": ["q"], "samples": [["x", "y"]], "correct": [[True, False]], "idx": [4]}), path)
    columns = {"prompt": "question", "responses": "samples", "gold": "correct", "id": "idx"}
    (item,) = load_benchmark("best-of-n", str(path), columns=columns).load()
    assert (item.id, [one.gold for one in item.responses]) == ("4", [1.0, 0.0])


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"gold": [1, 0]}, r"line 2: column 'gold' has 2 values for 3 responses: give one for each, null where"),
    ({"gold": 1}, r"line 2: column 'gold' must be a list with a value for each of 3 responses, not a number"),
    ({"gold": [1, 0, "true"]}, r"line 2: column 'gold' contains 'true': give a number up to 1e.50, true, false"),
    ({"answers": ["1"]}, r"line 2: column 'answers' has 1 value for 3 responses"),
    ({"answers": ["1", {"a": 1}, None]}, r"line 2: column 'answers' contains an object: give texts, numbers or null"),
    ({"responses": []}, r"line 2: column 'responses' is empty: give at least one response"),
    ({"responses": ["a", None, "b"]}, r"line 2: column 'responses' must be a list of strings"),
    ({"prompt": 3}, r"line 2: column 'prompt' must be a string or a list of messages, not a number"),
    ({"id": "a"}, r"line 2: the id 'a' is also that of .* line 1: give each its own"),
    ({"context": "c"}, r"line 2: the column 'context' would not reach the model: .* `ignore_keys` context"),
    ({"system": "c"}, r"line 2: the column 'system' would not reach the model"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[message[8:40] for _, message in REFUSED])
def test_refused_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        items(tmp_path, ROW, ROW | {"id": "b"} | change)


def test_ignored_columns_are_not_input(tmp_path: Path) -> None:
    assert len(items(tmp_path, ROW | {"context": "c", "system": "s"}, ignore_keys=["context", "system"])) == 1


def test_refused_options(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="`columns` has no answer: choose from id, prompt"):
        load_benchmark("best-of-n", "x", columns={"answer": "a"})
    with pytest.raises(DataError, match="`columns` uses one column twice"):
        load_benchmark("best-of-n", "x", columns={"gold": "responses"})
    with pytest.raises(DataError, match="best-of-n needs data"):
        list(load_benchmark("best-of-n").load())
    with pytest.raises(DataError, match=r"there is no file nothing\.jsonl"):
        list(load_benchmark("best-of-n", "nothing.jsonl").load())


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> rmeval.Result:
    """Six prompts with four responses, of which the longest is right in four, and a tie in one."""
    folder = tmp_path_factory.mktemp("best-of-n")
    responses = ["a", "bb", "ccc", "dddd"]
    rows = [{"prompt": f"q{k}", "responses": responses, "gold": [0, 0, 0, 1], "subset": "x"} for k in range(4)]
    rows += [{"prompt": "q4", "responses": responses, "gold": [1, 0, 0, 0], "subset": "y"}]
    rows += [{"prompt": "q5", "responses": ["aa", "bb", "cc", "dd"], "gold": [1, 1, 0, 0], "subset": "y"}]
    return rmeval.evaluate("baseline:longest", "best-of-n", written(folder, *rows), out=folder / "runs")


def test_the_numbers_by_hand(result: rmeval.Result) -> None:
    value = {(one.metric, one.scope): one.value for one in result.records}
    assert value["best_of_4", "all"] == pytest.approx((4 + 0 + 0.5) / 6)
    # Of the six pairs, three contain the longest response.
    assert value["best_of_2", "all"] == pytest.approx((4 * 3 / 6 + 0 + 0.5) / 6)
    assert value["best_of_1", "all"] == pytest.approx((5 / 4 + 0.5) / 6)
    assert value["oracle", "all"] == 1
    assert value["best_picked", "all"] == pytest.approx((4 + 0.5) / 6)
    assert value["best_of_4", "x"] == 1
    assert value["best_of_4", "y"] == pytest.approx(0.25)
    top = next(one for one in result.records if (one.metric, one.scope) == ("best_of_4", "all"))
    assert (top.n_items, top.ties, top.failures) == (6, 1, 0)
    assert top.ci is not None
    assert top.ci[0] < top.value < top.ci[1]
    # The null baselines: equal scores get the mean, and the longest one is this model.
    assert top.null["random"] == pytest.approx(value["best_of_1", "all"])
    assert top.null["longest"] == top.value
    assert top.null["shortest"] == pytest.approx((0 + 1 + 0.5) / 6)
    assert result.records[0] == top


def test_show_and_compare(result: rmeval.Result, capsys: pytest.CaptureFixture[str]) -> None:
    data = result.manifest["benchmark"]["data"]
    rmeval.evaluate("baseline:shortest", "best-of-n", data, out=result.path.parents[2])
    done = command(capsys, "show", result.path)
    assert done.code == 0
    assert "best of 4" in done.out
    (found,) = rmeval.compare(result.path.parents[1])
    assert found.headline == ("best_of_4", "all")
    assert [entry.name for entry in found.entries] == ["baseline:longest", "baseline:shortest"]
    assert set(found.differences) == {
        ("best_of_4", "all"), ("best_of_4", "x"), ("best_of_4", "y"), ("best_of_2", "all"), ("best_picked", "all")
    }  # fmt: skip


def test_unknown_and_ragged_quality(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "a", "responses": ["1", "22", "333"], "gold": [2, 3, 7]},
        {"prompt": "b", "responses": ["1", "22"], "gold": [4, 8]},
        {"prompt": "c", "responses": ["1", "22"], "gold": [4, None]},
    ]
    found = rmeval.evaluate("baseline:longest", "best-of-n", written(tmp_path, *rows), out=tmp_path / "runs")
    record = {(one.metric, one.scope): one for one in found.records}
    # Of the three pairs of the first prompt, two contain the longest response.
    assert record["best_of_2", "all"].value == pytest.approx(((7 + 7 + 3) / 3 + 8) / 2)
    assert record["best_picked", "all"].value == 1
    assert {one.n_items for one in found.records} == {2}
    notes = "\n".join(found.notes)
    assert "1 prompt of 3 with a response of unknown quality" in notes
    assert "prompts have 2 to 3 responses: N goes up to 2" in notes
    assert "quality is between 2 and 8 instead of 0 and 1" in notes


def test_without_quality_there_are_scores_but_no_numbers(tmp_path: Path) -> None:
    row = {"prompt": "a", "responses": ["1", "22"]}
    found = rmeval.evaluate("baseline:longest", "best-of-n", written(tmp_path, row), out=tmp_path / "runs")
    assert not found.records
    assert any("rmeval bon takes the scores of another run as quality" in note for note in found.notes)


def test_models_that_only_compare_are_refused(tmp_path: Path) -> None:
    (tmp_path / "judge.py").write_text(
        "class Judge:\n    def compare(self, pairs):\n        return [1 for _ in pairs]\n"
    )
    with pytest.raises(RmevalError, match="the protocol asks nothing about these items"):
        rmeval.evaluate(f"{tmp_path}/judge.py:Judge", "best-of-n", written(tmp_path, ROW), out=tmp_path / "runs")
