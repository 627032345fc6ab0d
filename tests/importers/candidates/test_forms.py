"""Published files of candidates as runs of the benchmark best-of-n: `rmeval import`."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import DataError
from rmeval.importers.candidates import read_candidates
from rmeval.predict.scored_candidates import candidates_of_runs
from rmeval.results.result import Result
from tests.importers.candidates.samples import annotated, qwen_numbers, qwen_rows
from tests.importers.formats.files import brought, written


def distinct(count: int = 6, k: int = 4) -> list[dict[str, Any]]:
    """Problems without ties of scores."""
    random_ = random.Random(8)
    return [row | {"pred_score": [[random_.gauss(0, 1)] for _ in range(k)]} for row in qwen_rows(count, k)]


def quality(result: Result, n: int) -> float:
    return 100 * result.value(f"best_of_{n}", "all")


def test_qwens_file_as_a_run(tmp_path: Path) -> None:
    rows = distinct()
    file = written(tmp_path / "math_cot.jsonl", rows)
    result = brought(file, "best-of-n")
    assert quality(result, 4) == pytest.approx(qwen_numbers(rows)["rm"])
    assert result.manifest["model"]["name"] == "math_cot"
    assert any("come from the file of scores" in note for note in result.notes)


def test_scores_of_a_file_on_the_candidates_of_another(tmp_path: Path) -> None:
    """Matched by text, whatever the order, and with ids that differ."""
    rows = distinct()
    own = [
        {"id": f"own-{row['idx']}", "prompt": row["question"], "responses": row["code"], "gold": row["score"]}
        for row in rows
    ]
    data = written(tmp_path / "candidates.jsonl", own)
    moved = [
        row | {name: row[name][::-1] for name in ("code", "pred", "score", "pred_score")} for row in reversed(rows)
    ]
    result = brought(written(tmp_path / "rm.jsonl", moved), "best-of-n", data)
    assert quality(result, 4) == pytest.approx(qwen_numbers(rows)["rm"])
    table = [
        {"item_id": f"own-{row['idx']}", "response": place, "score": row["pred_score"][place][0]}
        for row in moved
        for place in range(4)
    ]
    wanted = qwen_numbers([row | {"score": before["score"]} for row, before in zip(moved, reversed(rows), strict=True)])
    assert quality(brought(written(tmp_path / "two" / "table.jsonl", table), "best-of-n", data), 4) == pytest.approx(
        wanted["rm"]
    )


def test_other_responses_are_refused(tmp_path: Path) -> None:
    rows = distinct()
    own = [
        {"id": row["idx"], "prompt": row["question"], "responses": row["code"], "gold": row["score"]} for row in rows
    ]
    data = written(tmp_path / "candidates.jsonl", own)
    other = [row | {"code": [f"other {text}" for text in row["code"]]} for row in rows]
    with pytest.raises(DataError, match="line 1: response 0 is not among the 4 responses of item 0: check `benchmark`"):
        brought(written(tmp_path / "rm.jsonl", other), "best-of-n", data)
    with pytest.raises(DataError, match="belongs to an item of the benchmark"):
        elsewhere = [row | {"question": f"Another {row['question']}"} for row in rows]
        brought(written(tmp_path / "rm.jsonl", elsewhere), "best-of-n", data)


def test_the_reward_model_is_chosen_by_name(tmp_path: Path) -> None:
    rows = [
        {
            "id": str(k),
            "prompt": f"p{k}",
            "responses": ["a", "b"],
            "gold": [1, 0],
            "scores": {"up": [1, 0], "down": [0, 1]},
        }
        for k in range(3)
    ]
    file = written(tmp_path / "own.jsonl", rows)
    with pytest.raises(DataError, match="there are scores of 2 reward models: choose one of up, down with `name`"):
        brought(file, "best-of-n")
    with pytest.raises(DataError, match="did you mean down"):
        brought(file, "best-of-n", name="dwn")
    assert [quality(brought(file, "best-of-n", name=name), 2) for name in ("up", "down")] == [100, 0]


def test_files_without_texts_are_aligned_by_their_writers(tmp_path: Path) -> None:
    """Runs of two files whose solutions are in another order have equal requests for equal solutions."""
    one = [
        {"problem": f"p{k}", "solution_reference": ["human_to_GPT-4", "x", "y"], "score": [3, 1, 2]} for k in range(4)
    ]
    two = [
        {"problem": f"p{k}", "solution_reference": ["y", "human_to_GPT-4", "x"], "score": [2, 1, 3]} for k in range(4)
    ]
    first = brought(written(tmp_path / "one.json", one), "best-of-n")
    second = brought(written(tmp_path / "two.json", two), "best-of-n")
    assert [quality(first, 3), quality(second, 3)] == [100, 0]
    found = candidates_of_runs([first.path, second.path]).candidates
    right = found.quality == 1
    assert [found.scores[name][right].tolist() for name in ("one", "two")] == [[3] * 4, [1] * 4]


def test_steps(tmp_path: Path) -> None:
    rows = [row | {"pred_score": [[place, -place] for place in range(4)]} for row in distinct()]
    file = written(tmp_path / "prm.jsonl", rows)
    with pytest.raises(DataError, match="choose how to reduce them with `steps`"):
        brought(file, "best-of-n")
    result = brought(file, "best-of-n", steps="last")
    wanted = qwen_numbers([row | {"pred_score": [[-place] for place in range(4)]} for row in rows])
    assert quality(result, 4) == pytest.approx(wanted["rm"])


def test_annotations_have_no_scores_to_import(tmp_path: Path) -> None:
    file = written(tmp_path / "annotations.json", annotated(0))
    with pytest.raises(DataError, match="the row has no score of a reward model: add it, or score the responses"):
        brought(file, "best-of-n")


def test_items_and_columns_have_the_same_ids_and_texts(tmp_path: Path) -> None:
    rows = [*distinct(), *distinct(2)]
    file = written(tmp_path / "rm.jsonl", rows)
    found, run = read_candidates(file), candidates_of_runs(brought(file, "best-of-n").path).candidates
    assert (found.ids, found.subset, found.cluster.tolist()) == (run.ids, run.subset, run.cluster.tolist())
    assert found.quality.tolist() == run.quality.tolist()
    assert found.scores["rm"].tolist() == run.scores["rm"].tolist()
    assert found.groups is not None
    assert run.groups is not None
    assert found.groups.tolist() == run.groups.tolist()
