"""Several files about the same candidates: matched by id or text, never by position."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.errors import DataError
from rmeval.importers.candidates import read_candidates
from tests.importers.candidates.samples import qwen_rows
from tests.importers.formats.files import written


def shuffled(rows: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """The same problems in another order, each with its responses in another order."""
    random_ = random.Random(seed)
    found = []
    for row in random_.sample(rows, len(rows)):
        order = random_.sample(range(len(row["code"])), len(row["code"]))
        found.append(row | {name: [row[name][k] for k in order] for name in ("code", "pred", "score", "pred_score")})
    return found


def without(rows: list[dict[str, Any]], *columns: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in columns} for row in rows]


@given(st.integers(0, 10_000))
def test_order_plays_no_part(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """The scores of a shuffled copy equal those of the original, response by response."""
    folder = tmp_path_factory.mktemp("join")
    rows = qwen_rows(5, 6, seed)
    one = written(folder / "one.jsonl", rows)
    two = written(folder / "two.jsonl", without(shuffled(rows, seed), *(["idx"] if seed % 2 else ["question"])))
    found = read_candidates(one, two)
    assert found.scores["one"].tolist() == found.scores["two"].tolist()
    assert found.quality.tolist() == [float(own) for row in rows for own in row["score"]]


def test_equal_texts_are_used_once_each(tmp_path: Path) -> None:
    row = {"id": "a", "prompt": "p", "responses": ["x", "y", "x"], "gold": [1, 0, 1]}
    one = written(tmp_path / "one.jsonl", [{**row, "scores": [1, 2, 3]}])
    two = written(tmp_path / "two.jsonl", [{**row, "responses": ["y", "x", "x"], "scores": [5, 6, 7]}])
    assert read_candidates(one, two).scores["two"].tolist() == [6, 5, 7]


def test_other_texts_are_refused(tmp_path: Path) -> None:
    rows = qwen_rows(3)
    one = written(tmp_path / "one.jsonl", rows)
    other = [{**row, "code": [f"other {text}" for text in row["code"]]} for row in rows]
    with pytest.raises(DataError, match="response 0 is not among the 8 responses to the same prompt in one"):
        read_candidates(one, written(tmp_path / "two.jsonl", other))
    elsewhere = [{**row, "question": f"Another {row['question']}"} for row in rows]
    with pytest.raises(DataError, match=r"no prompt of .*three.jsonl has the id and text of a prompt of .*one.jsonl"):
        read_candidates(one, written(tmp_path / "three.jsonl", elsewhere))
    longer = [{**row, **{name: [*row[name], row[name][0]] for name in ("code", "pred", "score")}} for row in rows]
    with pytest.raises(DataError, match="is not among the 9 responses"):
        shorter = [{**row, "code": ["new", *row["code"][1:]]} for row in rows]
        read_candidates(
            written(tmp_path / "longer.jsonl", without(longer, "pred_score")),
            written(tmp_path / "short.jsonl", shorter),
        )


def test_without_texts_responses_have_no_identity(tmp_path: Path) -> None:
    rows = qwen_rows(3)
    one, two = written(tmp_path / "one.jsonl", rows), written(tmp_path / "two.jsonl", without(rows, "code"))
    with pytest.raises(DataError, match=r"two.jsonl has neither the texts nor the numbers of its responses"):
        read_candidates(one, two)
    assert set(read_candidates(two).sizes.tolist()) == {8}


def test_ids_with_other_prompts_are_matched_by_text(tmp_path: Path) -> None:
    """Row numbers of a shuffled file look like ids."""
    rows = qwen_rows(6)
    moved = [{**row, "idx": number} for number, row in enumerate(shuffled(rows, 5))]
    found = read_candidates(written(tmp_path / "one.jsonl", rows), written(tmp_path / "two.jsonl", moved))
    assert found.scores["one"].tolist() == found.scores["two"].tolist()


def test_prompts_that_a_file_lacks_are_excluded(tmp_path: Path) -> None:
    rows = qwen_rows(5)
    one, two = written(tmp_path / "one.jsonl", rows), written(tmp_path / "two.jsonl", rows[3:])
    found = read_candidates(one, two)
    assert found.ids == ("3", "4")
    assert "3 prompts of 5 are excluded: not all files contain them" in found.notes


def test_a_missing_response_has_no_score(tmp_path: Path) -> None:
    rows = qwen_rows(2)
    fewer = [{**row, **{name: row[name][1:] for name in ("code", "pred", "score", "pred_score")}} for row in rows]
    found = read_candidates(written(tmp_path / "two.jsonl", fewer), written(tmp_path / "one.jsonl", rows))
    assert np.isnan(found.scores["two"]).reshape(2, 8).sum(axis=1).tolist() == [1, 1]
    assert "two.jsonl has no row for 2 scores of one.jsonl" in found.notes


def test_qualities_may_be_in_another_file_and_contradictions_are_noted(tmp_path: Path) -> None:
    rows = [{"id": str(k), "prompt": f"p{k}", "responses": ["a", "b"]} for k in range(3)]
    scores = written(tmp_path / "rm.jsonl", [{**row, "scores": [1, 2]} for row in rows])
    gold = written(tmp_path / "gold.jsonl", [{**row, "gold": [1, 0]} for row in rows])
    found = read_candidates(scores, gold)
    assert (found.quality.tolist(), found.scores["rm"].tolist()) == ([1, 0] * 3, [1, 2] * 3)
    other = written(tmp_path / "other.jsonl", [{**row, "gold": [1, None], "scores": [3, 4]} for row in rows[:2]])
    wrong = written(tmp_path / "wrong.jsonl", [{**rows[0], "gold": [0, 0]}, *rows[1:]])
    assert not any("quality" in note for note in read_candidates(gold, other).notes)
    assert (
        "1 response of wrong.jsonl have another quality in gold.jsonl, which is used"
        in read_candidates(gold, wrong).notes
    )


def test_files_of_one_name(tmp_path: Path) -> None:
    rows = qwen_rows(2)
    files = [written(tmp_path / model / "scores.jsonl", rows) for model in ("small", "large")]
    assert list(read_candidates(*files).scores) == ["small/scores", "large/scores"]
    with pytest.raises(DataError, match="is given twice: give each file once"):
        read_candidates(files[0], files[0])
    models = [{"id": "a", "prompt": "p", "responses": ["x"], "scores": {"rm": [1]}}]
    one, two = written(tmp_path / "one.jsonl", models), written(tmp_path / "two.jsonl", models)
    assert list(read_candidates(one, two).scores) == ["rm (one.jsonl)", "rm (two.jsonl)"]


def test_one_prompt_with_two_writers(tmp_path: Path) -> None:
    """Prompts of equal text are matched by their responses."""
    rows = [{"id": f"w{k}", "prompt": "p", "responses": [f"a{k}", f"b{k}"], "gold": [1, 0]} for k in range(2)]
    one = written(tmp_path / "one.jsonl", [{**row, "scores": [k, k + 1]} for k, row in enumerate(rows)])
    other = [{**row, "id": f"other {k}", "scores": [10 + k, 20 + k]} for k, row in enumerate(rows)]
    found = read_candidates(one, written(tmp_path / "two.jsonl", without(other[::-1], "gold")))
    assert found.ids == ("w0", "w1")
    assert found.scores["two"].tolist() == [10, 20, 11, 21]
    assert found.cluster.tolist() == [0, 0]
