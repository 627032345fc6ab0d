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
from rmeval.benchmarks.hhh_alignment import COUNTS, HHHAlignment
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.types import Evidence


def example(kind: str, number: int, first: bool = True) -> dict[str, Any]:
    """BIG-bench's form; the better answer is the longer one."""
    marks = {f"A kind answer to {kind} {number}.": 1, f"No {number}.": 0}
    return {"input": f"What of {kind} {number}?", "target_scores": dict(sorted(marks.items(), reverse=not first))}


def viewed(one: dict[str, Any]) -> dict[str, Any]:
    """The same in the columns of the hub's viewer."""
    scores = one["target_scores"]
    return {"input": one["input"], "targets": {"choices": list(scores), "labels": list(scores.values())}}


def task(path: Path, examples: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"name": "hhh", "keywords": ["alignment"], "metrics": ["multiple_choice_grade"], "preferred_score": "grade"}
    path.write_text(json.dumps(about | {"examples": examples}))


def hub(folder: Path, counts: dict[str, int]) -> Path:
    for kind, count in counts.items():
        task(folder / "data" / kind / "task.json", [example(kind, number, number % 2 == 0) for number in range(count)])
    return folder


def test_total_counts_comparisons_alike(tmp_path: Path) -> None:
    counts = {"harmless": 4, "helpful": 2, "honest": 1, "other": 1}
    items = list(HHHAlignment(str(hub(tmp_path, counts))).load())
    assert [item.id for item in items[3:5]] == ["harmless/3", "helpful/0"]
    assert all(item.responses[0].text.startswith("A kind") for item in items)
    right = {"harmless": 1, "helpful": 2, "honest": 0, "other": 1}
    evidence = {
        item.id: Evidence(item.id, "score", np.array([1.0, 0.0 if int(item.id[-1]) < right[item.subset] else 2.0]))
        for item in items
    }
    evidence["harmless/0"] = Evidence("harmless/0", "score", np.array([1.0, 1.0]))
    found = {record.scope: record for record in HHHAlignment().aggregate(items, evidence, OFFICIAL)}
    values = {scope: record.value for scope, record in found.items()}
    # The equal scores lose.
    assert values == {"harmless": 0.0, "helpful": 1.0, "honest": 0.0, "other": 1.0, "all": 3 / 8}
    assert found["all"].ties == 1


def test_each_form_gives_the_same_items(tmp_path: Path) -> None:
    counts = {"harmless": 3, "other": 2}
    wanted = list(HHHAlignment(str(hub(tmp_path / "hub", counts))).load())
    for kind, count in counts.items():
        rows = [viewed(example(kind, number, number % 2 == 0)) for number in range(count)]
        (tmp_path / "viewer" / kind / "test").mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "viewer" / kind / "test" / "0000.parquet")
        (tmp_path / "lines").mkdir(exist_ok=True)
        (tmp_path / "lines" / f"{kind}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        task(tmp_path / "big-bench" / kind / "task.json", [example(kind, n, n % 2 == 0) for n in range(count)])
    for form in ("viewer", "lines", "big-bench"):
        assert list(HHHAlignment(str(tmp_path / form)).load()) == wanted
    assert list(HHHAlignment(str(tmp_path / "hub" / "data" / "other")).load()) == wanted[3:]


def test_comparisons_of_one_question_are_one_problem(tmp_path: Path) -> None:
    question = example("honest", 0)
    other = question | {"target_scores": {"Better still.": 1, "A kind answer to honest 0.": 0}}
    task(tmp_path / "honest" / "task.json", [question, other, example("honest", 1)])
    first, second, third = HHHAlignment(str(tmp_path)).load()
    assert first.cluster == second.cluster != third.cluster


def test_runs_are_compared_by_the_total(tmp_path: Path) -> None:
    data = hub(tmp_path / "hub", dict.fromkeys(COUNTS, 4))
    for model in ("baseline:longest", "baseline:shortest"):
        result = rmeval.evaluate(model, "hhh-alignment", data, out=tmp_path / "runs")
        assert result.value("accuracy") == float(model == "baseline:longest")
        assert "not the whole of HHH alignment: harmless 4 instead of 58" in result.notes[0]
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert (compared.headline, compared.rule) == (("accuracy", "all"), OFFICIAL.name)
    assert compared.difference("baseline:longest", "baseline:shortest").value == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"target_scores": {"a": 1, "b": 1}},
            "examples entry 0: column 'target_scores' must mark one of two responses",
        ),
        (
            {"target_scores": {"a": 1, "b": 0, "c": 0}},
            "must mark one of two responses with 1 and the other with 0: correct",
        ),
        ({"target_scores": ["a"]}, "column 'target_scores' must be an object, not a list"),
        ({"input": 1}, "column 'input' must be a string, not a number"),
    ],
)
def test_wrong_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    task(tmp_path / "other" / "task.json", [example("other", 0) | change])
    with pytest.raises(DataError, match=message):
        list(HHHAlignment(str(tmp_path)).load())


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"choices": ["a", "b"], "labels": [1, 2]}, "column 'targets' must mark one of two responses"),
        ({"choices": ["a", 2], "labels": [1, 0]}, "column 'targets' must mark one of two responses"),
        ({"labels": [1, 0]}, "column 'targets' must mark one of two responses"),
        (None, "column 'targets' must be an object, not null"),
    ],
)
def test_wrong_targets(targets: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps([{"input": "What?", "targets": targets}]))
    with pytest.raises(DataError, match=message):
        list(HHHAlignment(str(tmp_path / "other.json")).load())


def test_a_file_of_no_kind(tmp_path: Path) -> None:
    task(tmp_path / "mine.json", [example("other", 0)])
    with pytest.raises(
        DataError, match=r"mine\.json does not name a part of the benchmark: .* one of harmless, helpful"
    ):
        list(HHHAlignment(str(tmp_path / "mine.json")).load())


def test_offline_is_said_in_a_sentence() -> None:
    with pytest.raises(DataError, match="HuggingFaceH4/hhh_alignment is not in the local cache and the hub cannot be"):
        list(load_benchmark("hhh-alignment").load())


@pytest.mark.parametrize(
    ("text", "turns"),
    [
        (
            "How?\n\nAssistant:  So.  \n\nHuman: And?\nOr not?",
            [("user", "How?"), ("assistant", "So."), ("user", "And?\nOr not?")],
        ),
        ("What does Assistant: mean?", [("user", "What does Assistant: mean?")]),
        ("Read this.\n\nHuman: Hello", [("user", "Read this.\n\nHuman: Hello")]),
        ("Hello\n\nAssistant: Hello", [("user", "Hello\n\nAssistant: Hello")]),
    ],
)
def test_earlier_turns_are_messages(text: str, turns: list[tuple[str, str]], tmp_path: Path) -> None:
    task(tmp_path / "honest" / "task.json", [example("honest", 1) | {"input": text}])
    (item,) = HHHAlignment(str(tmp_path)).load()
    assert [(message.role, message.content) for message in item.prompt] == turns
