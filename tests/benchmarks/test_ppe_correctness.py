from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.ppe_correctness import COUNTS, RESPONSES, PPECorrectness
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL, SHARED
from rmeval.types import Evidence, Item, Record

OWN: dict[str, dict[str, Any]] = {
    "MMLU-Pro": {"question": "?", "answer_index": 2},
    "MATH": {"problem": "?", "sanitized_solution": "2"},
    "GPQA": {"Question": "?", "Record ID": "rec1"},
    "IFEval": {"key": 1, "instruction_id_list": ["length"]},
    "MBPP-Plus": {"task_id": 2, "test_list": ["assert f() == 1"]},
}
"""A few of the columns that only one of the data sets has."""


def row(subset: str, number: int, right: int = 8, pairs: list[list[int]] | None = None) -> dict[str, Any]:
    """Every fourth answer or so is right: those at places number, number + 3, ..., and these are the longer ones."""
    places = {(number + 3 * k) % RESPONSES for k in range(right)}
    scores = [k in places for k in range(RESPONSES)]
    good, bad = scores.index(True), scores.index(False)
    return {
        "question_id": f"q{number}",
        "model_name": f"writer-{number % 4}",
        "prompt": f"What of {subset} {number}?",
        "scores": scores,
        "mean_score": right / RESPONSES,
        "sampled_conflict_pairs": [[good, bad], [bad, good]] if pairs is None else pairs,
        **{f"response_{k + 1}": f"answer {k}" + ", which is right" * scores[k] for k in range(RESPONSES)},
        **OWN[subset],
    }


def whole(each: int = 6) -> list[dict[str, Any]]:
    return [row(subset, number) for subset in COUNTS for number in range(each)]


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    file = folder / "answers.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return file


def numbers(items: list[Item], scores: Any, rule: Any = SHARED) -> dict[tuple[str, str], Record]:
    evidence = {
        item.id: Evidence(item.id, "score", np.array(own, float)) for item, own in zip(items, scores, strict=True)
    }
    return {(r.metric, r.scope): r for r in PPECorrectness().aggregate(items, evidence, rule)}


def test_items(tmp_path: Path) -> None:
    data = written(tmp_path, [row("GPQA", 1), row("IFEval", 1), row("MATH", 2, pairs=[])])
    one, other, without = PPECorrectness(str(data)).load()
    assert (one.id, one.subset) == ("GPQA/q1/writer-1", "GPQA")
    assert [r.gold for r in one.responses[:5]] == [0, 1, 0, 0, 1]
    assert {r.source for r in one.responses} == {"writer-1"}
    assert one.responses[31].text == "answer 31"
    # The right answer first, whichever way the pair was sampled; a pair that occurs twice counts twice.
    assert [(c.members, c.gold) for c in one.comparisons] == [((1, 0), 0), ((1, 0), 0)]
    assert other.subset == "IFEval"
    assert one.cluster != other.cluster
    assert without.comparisons == ()


def test_numbers_by_hand(tmp_path: Path) -> None:
    rows = [row("MATH", 0, right=1, pairs=[[0, 1], [3, 0], [0, 4]]), row("MATH", 1, right=1, pairs=[[0, 1]])]
    items = list(PPECorrectness(str(written(tmp_path, rows))).load())
    scores = np.zeros((2, RESPONSES))
    # The right one of the first is above answer 3, level with 4, below 1; that of the second is above all.
    scores[0, [0, 1, 3, 4]], scores[1, 1] = [1, 2, 0, 1], 5
    found = numbers(items, scores)
    assert found["accuracy", "MATH"].value == pytest.approx((0 + 1 + 0.5 + 1) / 4)
    assert found["accuracy", "MATH"].ties == 1
    assert numbers(items, scores, OFFICIAL)["accuracy", "MATH"].value == pytest.approx(2 / 4)
    assert found["end_score", "MATH"].value == pytest.approx((0 + 1) / 2)
    # Of two: the first is picked with one of 29 at 0, or half of the times with the one that is level.
    assert found["best_of_2", "MATH"].value == pytest.approx(((29 + 0.5) / 496 + 1 / 16) / 2)
    # Scaled, the right ones are at .5 and 1; 60 wrong ones at 0, one at .5, one at 1.
    assert found["auc", "MATH"].value == pytest.approx(((60 + 0.5) + (61 + 0.5)) / (2 * 62))
    assert ("overall", "all") not in found
    assert ("auc", "all") not in found


def test_averages_are_plain_means_of_five(tmp_path: Path) -> None:
    rows = whole(6) + [row("GPQA", number) for number in range(6, 20)]
    items = list(PPECorrectness(str(written(tmp_path, rows))).load())
    random = np.random.default_rng(0)
    found = numbers(
        items, random.normal(size=(len(items), RESPONSES)) + [[r.gold or 0 for r in i.responses] for i in items]
    )
    for metric, over in (
        ("accuracy", "overall"),
        *((name, name) for name in ("end_score", "max_score", "loss", "auc")),
    ):
        mean = np.mean([found[metric, name].value for name in COUNTS])
        assert found[over, "all"].value == pytest.approx(mean, abs=1e-12)
        assert found[over, "all"].formula == f"ppe-correctness/{over}@1"
        assert found[metric, "GPQA"].weight == 1
        interval = found[over, "all"].ci
        assert interval is not None
        assert interval[0] < mean < interval[1]
    assert PPECorrectness().notes(items[:6])[0] == "no overall: there are no items of MATH, GPQA, IFEval, MBPP-Plus"


def test_a_run_and_a_comparison(tmp_path: Path) -> None:
    data = written(tmp_path, whole())
    long = rmeval.evaluate("baseline:longest", "ppe-correctness", data, out=tmp_path / "runs")
    rmeval.evaluate("baseline:shortest", "ppe-correctness", data, out=tmp_path / "runs")
    # Right answers are the longer ones.
    assert long.value("overall") == long.value("end_score") == long.value("auc") == 1
    assert long.value("loss") == pytest.approx(0, abs=1e-24)
    assert long.record("end_score", "all").null["shortest"] == 0
    assert long.record("overall", "all").rule == SHARED.name
    assert rmeval.open_run(long.path).records == long.records
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert compared.headline == ("overall", "all")
    assert compared.difference("baseline:longest", "baseline:shortest").value == pytest.approx(1)


def test_a_model_that_only_compares_has_no_curves(tmp_path: Path) -> None:
    file = tmp_path / "longer.py"
    file.write_text(
        "class Longer:\n    def compare(self, pairs):\n"
        "        return [float(len(pair['first']) > len(pair['second'])) for pair in pairs]\n"
    )
    found = rmeval.evaluate(f"{file}:Longer", "ppe-correctness", written(tmp_path, whole(2)), out=tmp_path / "runs")
    assert {r.metric for r in found.records} == {"accuracy", "overall"}
    assert found.value("overall") == 1


def test_from_folders_in_the_hubs_layout(tmp_path: Path) -> None:
    for subset in COUNTS:
        (tmp_path / f"PPE-{subset}-Best-of-K" / "data").mkdir(parents=True)
        table = pa.Table.from_pylist([row(subset, number) for number in range(2)])
        pq.write_table(table, tmp_path / f"PPE-{subset}-Best-of-K" / "data" / "train-00000-of-00001.parquet")
    (tmp_path / "other.jsonl").write_text('{"none": "of these"}\n')
    items = list(load_benchmark("ppe-correctness", str(tmp_path)).load())
    assert [item.subset for item in items] == [subset for subset in COUNTS for _ in range(2)]
    alone = list(load_benchmark("ppe-correctness", str(tmp_path / "PPE-GPQA-Best-of-K")).load())
    assert [item.id for item in alone] == ["GPQA/q0/writer-0", "GPQA/q1/writer-1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": [True, False]}, "column 'scores' must contain true or false for each of 32 responses"),
        ({"scores": "yes"}, "column 'scores' must be a list of true and false, not a string"),
        ({"scores": [None] * 32}, "column 'scores' must contain true or false for each of 32 responses"),
        ({"sampled_conflict_pairs": None}, "column 'sampled_conflict_pairs' must be a list of pairs, not null"),
        (
            {"sampled_conflict_pairs": [[0, 3]]},
            r"line 1: \[0, 3\] in column 'sampled_conflict_pairs' must be the positions",
        ),
        ({"sampled_conflict_pairs": [[0, 32]]}, r"\[0, 32\] in column"),
        ({"sampled_conflict_pairs": [[0, 1, 2]]}, r"\[0, 1, 2\] in column"),
        ({"sampled_conflict_pairs": [7]}, "line 1: 7 in column"),
        ({"response_9": None}, "column 'response_9' must be a string, not null"),
    ],
)
def test_wrong_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(PPECorrectness(str(written(tmp_path, [row("GPQA", 0) | change]))).load())


def test_rows_of_another_data_set(tmp_path: Path) -> None:
    other = {name: value for name, value in row("GPQA", 0).items() if name != "Record ID"}
    with pytest.raises(DataError, match="the row has none of the columns answer_index, sanitized_solution, Record ID"):
        list(PPECorrectness(str(written(tmp_path, [other]))).load())


def test_offline_is_said_in_a_sentence() -> None:
    with pytest.raises(DataError, match="lmarena-ai/PPE-MMLU-Pro-Best-of-K is not in the local cache and the hub"):
        list(load_benchmark("ppe-correctness").load())
