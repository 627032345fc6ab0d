from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rmeval
from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.judgebench import GROUPS, JudgeBench
from rmeval.data.keys import KeyIndex
from rmeval.data.observations import ObservationTable
from rmeval.data.tables import ItemTable
from rmeval.errors import DataError
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.protocols.pairwise import NET, PAIRWISE
from rmeval.types import Item, Observation
from tests.command import command


def rows(count: int = 24) -> list[dict[str, Any]]:
    return [
        {
            "pair_id": f"p{n}",
            "original_id": n,
            "source": f"{GROUPS[n % 4]}-part",
            "question": f"How much is {n}?",
            "response_model": "gpt-4o-2024-05-13" if n % 3 else "claude-3-5-sonnet-20240620",
            "response_A": f"It is {n}.",
            "response_B": f"It is {n + 1}, surely.",
            "label": "A>B" if n % 2 else "B>A",
        }
        for n in range(count)
    ]


def written(folder: Path, found: list[dict[str, Any]]) -> Path:
    file = folder / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in found))
    return file


def test_by_set_and_group(tmp_path: Path) -> None:
    result = rmeval.evaluate("baseline:longest", "judgebench", written(tmp_path, rows()), out=tmp_path / "runs")
    # The longer answer is B, right for even numbers; one in three is by Claude.
    assert result.value("section", "gpt") == result.value("accuracy", "all") == 0.5
    assert result.record("section", "claude").n_items == 8
    # Numbers 2, 10, 14, 22 by GPT-4o are of livebench-math.
    assert result.value("accuracy", "gpt/livebench-math") == 1.0
    assert result.record("accuracy", "gpt/livebench-math").n_items == 4
    part = rmeval.evaluate(
        "baseline:longest", "judgebench", written(tmp_path, rows()), subsets=["claude"], out=tmp_path / "part"
    )
    assert part.record("accuracy", "all").n_items == 8
    rmeval.evaluate("baseline:shortest", "judgebench", written(tmp_path, rows()), out=tmp_path / "runs")
    (compared,) = rmeval.compare([tmp_path / "runs"])
    assert compared.headline == ("accuracy", "all")


DECISIONS = {"A>B": 0.9, "B>A": 0.1, "A=B": 0.5, None: float("nan")}


def by_reference(label: str, first: str | None, second: str | None) -> bool:
    """`compute_final_metrics` in words: verdicts of both orders, the second turned round, count one for or against."""
    turned = {"A>B": "B>A", "B>A": "A>B"}.get(second or "", second)
    other = "B>A" if label == "A>B" else "A>B"
    return sum((verdict == label) - (verdict == other) for verdict in (first, turned)) > 0


@pytest.mark.parametrize("label", ["A>B", "B>A"])
@pytest.mark.parametrize(("first", "second"), list(product(DECISIONS, DECISIONS)))
def test_the_rule_for_both_orders(label: str, first: str | None, second: str | None, tmp_path: Path) -> None:
    (item,) = JudgeBench(str(written(tmp_path, [rows(1)[0] | {"label": label}]))).load()
    digests = ["0" * 32, "1" * 32]
    index = KeyIndex([PAIRWISE.keys(item, digests)])
    answers = ObservationTable(2)
    given = [DECISIONS[first], DECISIONS[second]]
    batch = [
        Observation(key, "ok", {"p_first": p}) if p == p else Observation(key, "error", error="no")
        for key, p in zip(PAIRWISE.keys(item, digests), given, strict=True)
    ]
    answers.add(index.find(list(PAIRWISE.keys(item, digests))), batch)
    table = ItemTable.of([item])
    evidence = PAIRWISE.fold(table, answers, np.arange(2, dtype=np.int32), NET)
    records = {(r.metric, r.scope): r for r in JudgeBench().aggregate(table, evidence, OFFICIAL)}
    assert records["accuracy", "all"].value == by_reference(label, first, second)


def test_the_official_rule_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "first.py"
    file.write_text("class First:\n    def compare(self, pairs):\n        return [0.9 for _ in pairs]\n")
    result = rmeval.evaluate(f"{file}:First", "judgebench", written(tmp_path, rows(12)), out=tmp_path / "runs")
    assert result.records[0].variant == NET
    # Whoever takes the answer shown first, takes each once.
    assert result.value("accuracy") == 0.0
    part = rmeval.evaluate(f"{file}:First", "judgebench", written(tmp_path, rows(2)), out=tmp_path / "part")
    assert any(note.startswith("there are no items of gpt/mmlu-pro") for note in part.notes)


def outputs(found: list[dict[str, Any]], scores: list[list[float]]) -> list[dict[str, Any]]:
    """Rows as the reference writes them for a reward model, both orders."""
    return [
        row
        | {
            "judgments": [
                {"judgment": {"judge_model": "some/model", "scores": pair}, "decision": "A>B"},
                {"judgment": {"judge_model": "some/model", "scores": pair[::-1]}, "decision": "B>A"},
            ]
        }
        for row, pair in zip(found, scores, strict=True)
    ]


def test_published_outputs_are_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(12)
    data = written(tmp_path, found)
    scores = np.random.default_rng(0).normal(size=(12, 2)).tolist()
    file = tmp_path / "out.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in outputs(found, scores)))
    done = command(capsys, "import", file, "-b", "judgebench", "--data", data, "-o", tmp_path / "runs")
    assert done.code == 0, done.err
    (path,) = (tmp_path / "runs").rglob("run.json")
    right = [(a > b) == (row["label"] == "A>B") for (a, b), row in zip(scores, found, strict=True)]
    run = rmeval.open_run(path.parent)
    assert run.value("accuracy") == pytest.approx(np.mean(right))
    # As the judgments say, not as the file is called.
    assert run.manifest["model"]["name"] == "some/model"
    file.write_text("".join(json.dumps(row | {"judgments": [{"judgment": {}}]}) + "\n" for row in found))
    wrong = command(capsys, "import", file, "-b", "judgebench", "--data", data, "-o", tmp_path / "other")
    assert (wrong.code, "the judgments contain neither scores of both responses nor a decision" in wrong.err) == (
        2,
        True,
    )


def test_from_a_folder_in_the_hubs_layout(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, kept in (("gpt", 1), ("claude", 0)):
        own = [row for n, row in enumerate(rows()) if bool(n % 3) == bool(kept)]
        written(tmp_path, own).rename(tmp_path / "data" / f"{name}-00000-of-00001.jsonl")
    items: list[Item] = list(load_benchmark("judgebench", str(tmp_path)).load())
    assert len(items) == 24
    assert items[0].subset == "gpt/livebench-reasoning"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "trivia"}, "line 1: the source 'trivia' does not begin with one of mmlu-pro"),
        ({"label": "A=B"}, "the label 'A=B' must be A>B or B>A"),
        ({"response_A": 3}, "column 'response_A' must be a string, not a number"),
    ],
)
def test_wrong_rows(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(JudgeBench(str(written(tmp_path, [rows(1)[0] | change]))).load())


def test_offline_is_said_in_a_sentence() -> None:
    with pytest.raises(DataError, match="ScalerLab/JudgeBench is not in the local cache"):
        list(load_benchmark("judgebench").load())


def test_real_pairs(shared: Path, tmp_path: Path) -> None:
    data = shared / "data" / "judgebench" / "claude35sonnet.jsonl"
    result = rmeval.evaluate("baseline:longest", "judgebench", data, out=tmp_path)
    counts = {r.scope: r.n_items for r in result.records if r.scope.startswith("claude/")}
    assert counts == {name: n for name, n in JudgeBench.card.counts.items() if name.startswith("claude/")}
    assert result.record("section", "claude").n_items == 270
    # Two pairs are of one question.
    assert result.record("section", "claude").n_clusters == 269
    assert not any(note.startswith("not the whole") for note in result.notes)
