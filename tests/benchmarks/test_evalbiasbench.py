from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.evalbiasbench import COUNTS, EvalBiasBench
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL, SHARED
from rmeval.types import Evidence


def row(bias: str, number: int, label: int = 1) -> dict[str, Any]:
    responses = [f"Right, {number}.", f"Wrong, but at length, as {bias} has it: {number}."]
    return {
        "bias": bias,
        "instruction": f"What of {bias} {number}?",
        "response1": responses[label - 1],
        "response2": responses[2 - label],
        "label": label,
    }


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """A file in the form of the source: an object with a list of rows for each bias."""
    file = folder / "data" / "evalbiasbench" / "biasbench.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    lists: dict[str, list[dict[str, Any]]] = {}
    for one in rows:
        lists.setdefault(one["bias"], []).append(one)
    file.write_text(json.dumps(lists))
    return file


def test_accuracy_by_bias_and_in_all(tmp_path: Path) -> None:
    rows = [row("length bias", number, 1 + number % 2) for number in range(4)]
    rows += [row("concreteness", number) for number in range(2)]
    written(tmp_path, rows)
    items = list(EvalBiasBench(str(tmp_path)).load())
    assert [item.id for item in items[3:5]] == ["length bias/3", "concreteness/0"]
    assert all(item.responses[0].text.startswith("Right") for item in items)
    # A judge that is right in both orders twice, in one order once, and in none once; then one more tie.
    shares = [1.0, 1.0, 0.5, 0.0, 0.5, 1.0]
    evidence = {
        item.id: Evidence(item.id, "score", np.full(2, np.nan), np.array([[0.5, share], [1 - share, 0.5]]))
        for item, share in zip(items, shares, strict=True)
    }
    records = EvalBiasBench().aggregate(items, evidence, SHARED)
    found = {record.scope: record for record in records}
    assert {scope: record.value for scope, record in found.items()} == {
        "length bias": 0.625,
        "concreteness": 0.75,
        "all": pytest.approx(4 / 6),
    }
    assert (found["all"].ties, found["all"].n_items, found["all"].formula) == (2, 6, "accuracy@1")
    # What must be right in both orders.
    both = {record.scope: record.value for record in EvalBiasBench().aggregate(items, evidence, OFFICIAL)}
    assert both == {"length bias": 0.5, "concreteness": 0.5, "all": 0.5}


def test_equal_instructions_are_one_problem(tmp_path: Path) -> None:
    rows = [row("concreteness", 0), row("concreteness", 0), row("concreteness", 1)]
    first, second, third = EvalBiasBench(str(written(tmp_path, rows))).load()
    assert first.id != second.id
    assert first.cluster == second.cluster != third.cluster


def test_runs_are_compared_by_the_total(tmp_path: Path) -> None:
    data = written(tmp_path, [row(bias, number) for bias in COUNTS for number in range(3)])
    for model in ("baseline:longest", "baseline:shortest"):
        rmeval.evaluate(model, "evalbiasbench", data, out=tmp_path / "runs")
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert (compared.headline, compared.rule) == (("accuracy", "all"), SHARED.name)
    assert compared.difference("baseline:shortest", "baseline:longest").value == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 0}, "concreteness entry 0: the label must be 1 or 2, the number of the better response, not 0"),
        ({"label": True}, "the label must be 1 or 2, the number of the better response, not True"),
        ({"bias": "colour"}, "'colour' is not a bias of EvalBiasBench"),
        ({"response2": 2}, "column 'response2' must be a string, not a number"),
    ],
)
def test_wrong_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(EvalBiasBench(str(written(tmp_path, [row("concreteness", 0) | change]))).load())


def test_a_file_without_lists_of_rows(tmp_path: Path) -> None:
    file = tmp_path / "biasbench.json"
    file.write_text(json.dumps({"length bias": "none"}))
    with pytest.raises(DataError, match=r"biasbench\.json has no rows: add at least one"):
        list(EvalBiasBench(str(file)).load())


def test_where_the_data_are_is_said_in_a_sentence() -> None:
    with pytest.raises(DataError, match=r"are at https://github.com/ncsoft/offsetbias and not on the hub"):
        list(load_benchmark("evalbiasbench").load())


def test_the_references_numbers_on_real_pairs(shared: Path, tmp_path: Path) -> None:
    """`get_model_statistics` of `run_bench.py` gave these to a rule that takes the longer response in both orders."""
    result = rmeval.evaluate("baseline:longest", "evalbiasbench", shared / "data" / "evalbiasbench", out=tmp_path)
    assert {name: result.record("accuracy", name).n_items for name in COUNTS} == COUNTS
    wanted = [0.0, 28.6, 46.2, 33.3, 25.0, 33.3]
    assert [round(result.value("accuracy", name) * 100, 1) for name in COUNTS] == wanted
    assert result.value("accuracy") == 21 / 80
    assert not result.notes
