"""Candidates of a file: what is found of each, and answers that are equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rmeval.candidates import verify_candidates
from rmeval.errors import DataError, RunError
from tests.candidates.writers import lines, write_rows

BLOCK = "```python\n{}\n```"
MATHS = [
    ("So \\boxed{\\frac{\\sqrt{2}}{2}}.", "right", "\\frac{1}{\\sqrt{2}}"),
    ("\\boxed{2}, or rather \\boxed{2^{-1/2}}", "right", "\\frac{1}{\\sqrt{2}}"),
    ("The answer is 7.", "wrong", "7"),
    ("\\boxed{7.0}", "wrong", "7"),
    ("\\boxed{\\sqrt{3}}", "wrong", "\\sqrt{3}"),
    ("\\boxed{3^{1/2}}", "wrong", "\\sqrt{3}"),
    ("<think>\\boxed{7}</think> I do not know.", "no_answer", None),
    ("<think>Is it \\boxed{\\frac{1}{\\sqrt{2}}}?", "no_answer", None),
    ("\\boxed{0.7071}", "unclear", "0.7071"),
    ("", "no_answer", None),
]
CODE = [
    (BLOCK.format("def double(x):\n    return 2 * x"), "right"),
    (BLOCK.format("def double(x):\n    return x * x"), "wrong"),
    (BLOCK.format("def double(x)\n    return x"), "syntax_error"),
    (BLOCK.format("def double(x):\n    return bytearray(1 << 40)"), "memory"),
    (BLOCK.format("def double(x):\n    pass"), "no_answer"),
    (BLOCK.format("import random\ndef double(x):\n    return random.choice([2 * x])"), "unclear"),
    ("Multiply it by two.", "no_answer"),
]
GOLD = {"right": 1, "unclear": None}


def test_each_candidate_has_its_outcome(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "m", "prompt": [{"role": "user", "content": "Half of the root of 2?"}], "mine": {"a": [1]}}
        | {"reference": "\\frac{1}{\\sqrt{2}}", "responses": [text for text, _, _ in MATHS], "gold": None},
        {"id": "c", "prompt": "Double x.", "responses": [text for text, _ in CODE], "cluster": "double"}
        | {"tests": ["assert double(3) == 6"], "writer": "somebody"},
        {"id": "x", "prompt": "?", "answer": "\\begin{cases} a", "responses": ["\\boxed{1}", "\\boxed{2}"]},
    ]
    found = verify_candidates(write_rows(tmp_path / "given.jsonl", rows), tmp_path / "c.jsonl")
    maths, code, unreadable = lines(tmp_path / "c.jsonl")
    assert maths["outcomes"] == [outcome for _, outcome, _ in MATHS]
    assert maths["answers"] == [answer for _, _, answer in MATHS]
    assert maths["gold"] == [GOLD.get(outcome, 0) for outcome in maths["outcomes"]]
    assert (maths["prompt"], maths["mine"]) == (rows[0]["prompt"], rows[0]["mine"]), "other columns are kept"
    assert code["outcomes"] == [outcome for _, outcome in CODE]
    assert code["gold"] == [GOLD.get(outcome, 0) for outcome in code["outcomes"]]
    assert "answers" not in code
    assert unreadable["gold"] == [None, None], "a key that cannot be compared decides nothing"
    assert (found.n_problems, found.n_unverified, found.writer) == (3, 4, "somebody")
    one = found.passes[0]
    assert (one.k, one.n_problems) == (1, 2)
    assert one.value == pytest.approx((2 / 9 + 1 / 6) / 2)


def test_unclear_candidates_count_as_wrong_if_the_user_wants(tmp_path: Path) -> None:
    row = {"id": "m", "prompt": "?", "answer": "\\sqrt{2}", "responses": ["\\boxed{1.414}", "\\boxed{2^{1/2}}"]}
    given, out = write_rows(tmp_path / "given.jsonl", [row]), tmp_path / "c.jsonl"
    assert verify_candidates(given, out).n_incomplete == 1
    assert lines(out)[0]["gold"] == [None, 1]
    assert verify_candidates(given, out, unclear="wrong").n_incomplete == 0
    (found,) = lines(out)
    assert (found["gold"], found["outcomes"]) == ([0, 1], ["unclear", "right"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answer": "1", "gold": [1]}, "the quality of these responses is known"),
        ({}, "no key in a column 'answer' and no 'tests'"),
        ({"answer": [1]}, "column 'answer' must be a string or a number"),
        ({"answer": "1", "responses": "one"}, "column 'responses' must be a list of strings"),
        ({"tests": {"kind": "check", "code": "def check(f): pass"}}, "give `entry_point`"),
    ],
)
def test_rows_that_cannot_be_verified(tmp_path: Path, row: dict[str, object], message: str) -> None:
    given = write_rows(tmp_path / "given.jsonl", [{"id": "1", "prompt": "?", "responses": ["\\boxed{1}"]} | row])
    with pytest.raises(DataError, match=message):
        verify_candidates(given, tmp_path / "c.jsonl")
    assert not (tmp_path / "c.jsonl").exists()


def test_the_file_that_is_read_stays(tmp_path: Path) -> None:
    given = write_rows(tmp_path / "c.jsonl", [{"id": "1", "prompt": "?", "responses": ["\\boxed{1}"], "answer": "1"}])
    with pytest.raises(RunError, match="is the file that is read"):
        verify_candidates(given, given, overwrite=True)
    with pytest.raises(RunError, match="`verify` none leaves nothing to do"):
        verify_candidates(given, tmp_path / "d.jsonl", verify="none")
