"""Published files with a row for each prompt, made up in the shapes of their authors, and what they say."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.data.digests import conversation_digest
from rmeval.errors import DataError
from rmeval.importers.candidates import read_candidates
from rmeval.types import Message
from tests.importers.candidates.samples import qwen_numbers, qwen_rows
from tests.importers.formats.files import written


def test_qwens_numbers_are_those_of_its_evaluation(tmp_path: Path) -> None:
    rows = qwen_rows(40)
    found = read_candidates(written(tmp_path / "math_cot.jsonl", rows))
    wanted = qwen_numbers(rows)
    (note,) = [note for note in found.notes if "rm_maj_eval.py" in note]
    for name, value in wanted.items():
        assert f"{name}@8 {value:.1f}" in note
    assert wanted["maj"] != wanted["rm"]
    assert list(found.scores) == ["math_cot"]
    assert (len(found), set(found.sizes.tolist())) == (40, {8})
    assert found.quality[:8].tolist() == [float(own) for own in rows[0]["score"]]
    assert found.scores["math_cot"][:8].tolist() == [own[0] for own in rows[0]["pred_score"]]
    assert found.groups is not None
    assert [number == -1 for number in found.groups[:8]] == [answer == "" for answer in rows[0]["pred"]]


def test_two_problems_by_hand(tmp_path: Path) -> None:
    """A tie of scores goes to the first response, and a tie of answers to the first answer; empty ones vote."""
    rows: list[dict[str, Any]] = [
        {"idx": 0, "question": "a", "code": ["x", "y", "z"], "pred": ["1", "2", "2"], "score": [True, False, False]},
        {"idx": 1, "question": "b", "code": ["x", "y", "z"], "pred": ["", "", "3"], "score": [False, False, True]},
    ]
    rows[0]["pred_score"], rows[1]["pred_score"] = [[5.0], [5.0], [1.0]], [[1.0], [1.0], [2.0]]
    (note,) = read_candidates(written(tmp_path / "rm.jsonl", rows)).notes
    assert "mean@3 33.3, pass@3 100.0, maj@3 0.0, rm@3 100.0 (rm) for 2 prompts" in note


def test_a_missing_score_is_missing_and_the_reference_has_no_number(tmp_path: Path) -> None:
    rows = qwen_rows(3)
    rows[0]["pred_score"][2] = None
    rows[1]["pred_score"] = None
    rows[2]["pred_score"][0] = [math.nan]
    rows[2]["pred_score"][1] = [math.inf]
    found = read_candidates(written(tmp_path / "rm.jsonl", rows))
    assert np.isnan(found.scores["rm"]).reshape(3, 8).sum(axis=1).tolist() == [1, 8, 2]
    (note,) = found.notes
    assert "maj@8" in note
    assert "rm@8" not in note


@pytest.mark.parametrize(("steps", "wanted"), [("min", 0.2), ("prod", 0.1), ("last", 0.5), ("mean", 0.35)])
def test_scores_of_steps(tmp_path: Path, steps: str, wanted: float) -> None:
    rows = qwen_rows(2, 2)
    rows[0]["pred_score"] = [[0.2, 0.5], [0.25]]
    file = written(tmp_path / "prm.jsonl", rows)
    found = read_candidates(file, steps=steps)
    assert found.scores["prm"][:2] == pytest.approx([wanted, 0.25])
    assert f"prm.jsonl: the score of a response is reduced from its steps' scores by {steps}" in found.notes
    with pytest.raises(DataError, match="one for each step: choose how to reduce them with `steps` min, prod"):
        read_candidates(file)
    with pytest.raises(DataError, match="`steps` sum: give one of min, prod, last, mean"):
        read_candidates(file, steps="sum")
    with pytest.raises(DataError, match=r"`steps` min: .*one\.jsonl has no scores of steps: leave `steps` out"):
        read_candidates(written(tmp_path / "one.jsonl", qwen_rows()), steps="min")


def test_several_reward_models_in_one_file(tmp_path: Path) -> None:
    rows = [{**row, "pred_score": {"small": row["pred_score"], "large": [[1.0]] * 8}} for row in qwen_rows(2)]
    rows[0]["pred_score_third"] = rows[1]["pred_score_third"] = list(range(8))
    found = read_candidates(written(tmp_path / "rm.jsonl", rows))
    assert sorted(found.scores) == ["large", "small", "third"]
    assert found.scores["third"].tolist() == [*range(8), *range(8)]


def test_own_candidates(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": "a",
            "prompt": [{"role": "system", "content": "Short."}, {"role": "user", "content": "2 + 2?"}],
            "responses": ["4", "5", "four"],
            "gold": [True, False, None],
            "answers": ["4", "5", None],
            "scores": {"one": [1, 2, None], "two": [0.5, 0.25, 0]},
            "subset": "sums",
            "writer": "w",
        },
        {"id": "b", "prompt": "3 + 3?", "responses": ["6"], "gold": [0.75], "answers": [6]},
        {"id": "c", "prompt": "3 + 3?", "responses": ["7", "6"], "gold": ["false", "1"]},
    ]
    found = read_candidates(written(tmp_path / "own.jsonl", rows))
    assert (found.ids, found.subset, found.offsets.tolist()) == (("a", "b", "c"), ("sums", "all", "all"), [0, 3, 4, 6])
    np.testing.assert_equal(found.quality, [1, 0, math.nan, 0.75, 0, 1])
    np.testing.assert_equal(found.scores["one"], [1, 2, *[math.nan] * 4])
    assert found.groups is not None
    assert found.groups.tolist() == [0, 1, -1, 0, -1, -1]
    assert found.cluster.tolist() == [0, 1, 1]
    system, user = Message("system", "Short."), Message("user", "2 + 2?")
    assert found.digests is not None
    assert found.digests[1] == conversation_digest((system, user, Message("assistant", "5")))


def test_one_list_of_scores_is_called_after_the_file(tmp_path: Path) -> None:
    row = {"prompt": "q", "responses": ["a", "b"], "gold": [1, 0], "scores": [0.1, 0.2]}
    file = tmp_path / "my.rm.jsonl.gz"
    file.write_bytes(gzip.compress(json.dumps(row).encode()))
    assert read_candidates(file).scores["my.rm"].tolist() == [0.1, 0.2]


def test_parquet_and_zstandard(tmp_path: Path) -> None:
    rows = qwen_rows(3)
    for row in rows:
        del row["report"]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rm.parquet")
    (tmp_path / "rm.json.zst").write_bytes(pa.Codec("zstd").compress(json.dumps(rows).encode(), asbytes=True))
    one, two = read_candidates(tmp_path / "rm.parquet"), read_candidates(tmp_path / "rm.json.zst")
    assert (one.ids, one.digests, one.scores["rm"].tolist()) == (two.ids, two.digests, two.scores["rm"].tolist())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pred": ["7"] * 7}, "line 1: column 'pred' has 7 values for 8 responses"),
        ({"code": ["x"] * 9}, "line 1: column 'score' has 8 values for 9 responses"),
        ({"pred_score": [[1.0]] * 3}, "line 1: column 'pred_score' has 3 values for 8 responses"),
        ({"pred_score": 0.5}, "line 1: column 'pred_score' must be a list of 8 values, not a number"),
        ({"pred_score": [["high"]] * 8}, "line 1: a score must be a number, not 'high'"),
        ({"score": ["right"] * 8}, "column 'score' must contain numbers, true, false or null, not 'right'"),
        ({"score": "True"}, "column 'score' must be a list of true and false, not a string"),
        ({"pred": [["7"]] * 8}, "'pred' must be an answer for each response, not a list"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_candidates(written(tmp_path / "rm.jsonl", [{**qwen_rows(1)[0], **change}]))


def test_booleans_may_be_text(tmp_path: Path) -> None:
    rows = [{**row, "score": [str(own) for own in row["score"]]} for row in qwen_rows()]
    found = read_candidates(written(tmp_path / "rm.jsonl", rows))
    np.testing.assert_equal(found.quality, read_candidates(written(tmp_path / "a.jsonl", qwen_rows())).quality)


def test_repeated_problems(tmp_path: Path) -> None:
    """A repeated row is left out; other responses to the same problem are another prompt of the same cluster."""
    rows = qwen_rows(3)
    again = {**rows[0], "code": [f"other {text}" for text in rows[0]["code"]]}
    found = read_candidates(written(tmp_path / "rm.jsonl", [*rows, rows[1], again]))
    assert found.ids == ("0", "1", "2", "0.2")
    assert found.cluster.tolist() == [0, 1, 2, 0]
    assert "rm.jsonl: an earlier row has the same prompt and responses, and is used: 1 row" in found.notes
    for column in ("score", "pred_score", "pred"):
        other = {**rows[1], column: rows[1][column][::-1]}
        assert other != rows[1]
        with pytest.raises(DataError, match=r"line 4: .*line 2 has other values for the same prompt and responses"):
            read_candidates(written(tmp_path / "rm.jsonl", [*rows, other]))


def test_ids_that_restart_in_each_subset(tmp_path: Path) -> None:
    rows = [{**row, "data_source": source} for source in ("gsm8k", "math") for row in qwen_rows(2)]
    for row in rows:
        row["question"] += row["data_source"]
    found = read_candidates(written(tmp_path / "rm.jsonl", rows))
    assert found.ids == ("gsm8k/0", "gsm8k/1", "math/0", "math/1")
    assert found.subset == ("gsm8k", "gsm8k", "math", "math")


def test_unsupported_columns(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"columns \(a, b\) are not those of a supported layout of candidates"):
        read_candidates(written(tmp_path / "x.jsonl", [{"a": 1, "b": 2}]))
    with pytest.raises(DataError, match="neither an id nor the text of its prompt"):
        read_candidates(written(tmp_path / "y.jsonl", [{"pred": ["1"], "score": [True], "code": ["x"]}]))


def test_a_prompt_without_responses_is_excluded(tmp_path: Path) -> None:
    rows = [{"id": "a", "prompt": "p", "responses": []}, {"id": "b", "prompt": "q", "responses": ["x"]}]
    found = read_candidates(written(tmp_path / "own.jsonl", rows))
    assert found.ids == ("b",)
    assert found.notes == ("own.jsonl: the prompt has no responses, and is excluded: 1 row",)


def test_sorted_lengths_are_noted(tmp_path: Path) -> None:
    rows = [
        {"id": str(k), "prompt": f"p{k}", "responses": ["x" * (place + k + 1) for place in range(6)]} for k in range(3)
    ]
    (note,) = read_candidates(written(tmp_path / "own.jsonl", rows)).notes
    assert "later responses of a prompt are longer (mean rank correlation of position and length 1.00)" in note
    shorter = [{**row, "responses": row["responses"][::-1]} for row in rows]
    (note,) = read_candidates(written(tmp_path / "own.jsonl", shorter)).notes
    assert "later responses of a prompt are shorter" in note


def reward_math(scores: list[Any], writers: list[str], problem: str = "1 + 1?") -> dict[str, Any]:
    return {"problem": problem, "solution_reference": writers, "score": scores}


def test_reward_math(tmp_path: Path) -> None:
    writers = ["human_to_GPT-4", "llama", "llama", "mistral"]
    moved = ["llama", "mistral", "human_to_GPT-4", "llama"]
    one = written(tmp_path / "one_reward.json", [reward_math([1, 0, 3, 2], writers)] * 2)
    two = written(tmp_path / "two_reward.json", [reward_math([7, 6, 9, 8], moved)])
    found = read_candidates(one, two)
    assert found.quality.tolist() == [1, 0, 0, 0]
    assert found.scores["one_reward"].tolist() == [1, 0, 3, 2]
    assert found.scores["two_reward"].tolist() == [9, 7, 8, 6]
    assert found.digests is None
    assert any("one right solution and wrong ones by other writers" in note for note in found.notes)
    assert any("an earlier row has the same prompt and responses" in note for note in found.notes)
    verdicts = written(tmp_path / "v.json", [{**reward_math(["A"], ["llama"]), "chosen_position": ["A"]}])
    with pytest.raises(DataError, match="verdicts on pairs give no score to each response"):
        read_candidates(verdicts)


def test_ppe(tmp_path: Path) -> None:
    row: dict[str, Any] = {f"response_{k}": f"text {k}" for k in range(1, 33)}
    more = {"question_id": 5, "model_name": "m", "prompt": "q", "sanitized_solution": "x", "sampled_conflict_pairs": []}
    scores = [k % 3 == 0 for k in range(32)]
    found = read_candidates(written(tmp_path / "ppe.jsonl", [{**row, **more, "scores": scores}]))
    assert (found.ids, found.subset, found.quality.tolist()) == (("MATH/5/m",), ("MATH",), list(map(float, scores)))


@pytest.mark.parametrize(("steps", "wanted"), [("min", 0.1532), ("prod", 0.1718), ("last", 0.1822), ("mean", 0.1511)])
def test_published_scores_of_reward_math(shared: Path, steps: str, wanted: float) -> None:
    """The accuracy is the share of problems whose right solution alone has the best of ten scores."""
    file = shared / "data" / "dumps" / "rewardmath-Math_Shepherd_reward.json.gz"
    found = read_candidates(file, steps=steps)
    (scores,) = found.scores.values()
    table, right = scores.reshape(-1, 10), found.quality.reshape(-1, 10) == 1
    top = table == table.max(axis=1, keepdims=True)
    assert (len(found), right.sum(axis=1).tolist()) == (483, [1] * 483)
    assert round(float(((top.sum(axis=1) == 1) & (top & right).any(axis=1)).mean()), 4) == wanted
