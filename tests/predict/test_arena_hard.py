"""Judgments and answers in Arena-Hard-Auto's layout, of now and of 2024, and what is refused."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import DataError
from rmeval.predict.answer_style import PIECES, AnswerStyle
from rmeval.predict.arena_hard import find_folder, read_answers, read_judgments
from tests.predict.judged import metadata, write_folder, write_lines


def games(*scores: str | None) -> list[dict[str, Any]]:
    return [{"score": score} for score in scores]


def judged(uid: str, *scores: str | None, model: str = "a", **more: Any) -> dict[str, Any]:
    return {"uid": uid, "model": model, "category": "hard_prompt", "games": games(*scores), **more}


def read(folder: Path, *rows: dict[str, Any]) -> Any:
    write_folder(folder, rows, {"a": {"q": metadata(1)}})
    return read_judgments([find_folder(folder)], ["judge"])


def test_the_baseline_is_a_in_the_first_game(tmp_path: Path) -> None:
    rows = [
        judged("q1", "A>B", "A>B"),
        judged("q2", "B>>A", "A=B"),
        judged("q3", "A=B", "B>>A"),
        judged("q4", "A<<B", "B<A"),
    ]
    found = read(tmp_path, *rows)
    scores = {one.question: one.scores for one in found.complete}
    assert scores == {"q1": (1, 0), "q2": (0.5, 1, 1, 1), "q3": (0, 0, 0, 0.5), "q4": (1, 1, 1, 1)}


def test_what_lacks_a_verdict_is_counted(tmp_path: Path) -> None:
    broken = [judged("q1", None, "A>B"), judged("q2", "A>B"), judged("q3") | {"games": None}]
    broken.append(judged("q4") | {"games": [None, {"score": "A=B"}]})
    found = read(tmp_path, *broken, judged("q5", "A=B", "A=B"), judged("q5", "A=B", "A=B"))
    assert found.incomplete == (("a", "hard_prompt"),) * 4
    assert (len(found.complete), found.repeated) == (1, 1)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (judged("q", "A>B", "C"), r"the score 'C' of a game is unknown: use one of A>B"),
        (judged("q", "A>B", "A>B") | {"games": "A>B"}, r"column 'games' must be a list of two games, not a string"),
        ({"model": "a", "games": games("A>B", "A>B")}, r"a.jsonl line 2: column 'uid' is missing"),
    ],
)
def test_what_is_refused(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, judged("q0", "A=B", "A=B"), row)


def test_two_judgments_of_an_answer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="judge has another judgment of a on question q: keep one of them"):
        read(tmp_path, judged("q", "A>B", "A>B"), judged("q", "A>B", "B>A"))


def test_the_folder_is_found(tmp_path: Path) -> None:
    write_folder(tmp_path / "data" / "one", [judged("q", "A>B", "A>B")], {})
    assert find_folder(tmp_path).path == tmp_path / "data" / "one"
    assert find_folder(tmp_path / "data" / "one").judges == ("judge",)
    write_lines(tmp_path / "data" / "one" / "model_judgment" / "org" / "other" / "a.jsonl", [judged("q", "A>B", "A>B")])
    assert find_folder(tmp_path).judges == ("judge", "org/other")
    write_folder(tmp_path / "data" / "two", [judged("q", "A>B", "A>B")], {})
    with pytest.raises(DataError, match=r"contains several folders with model_judgment .*data/two\): give one"):
        find_folder(tmp_path)
    (tmp_path / "empty" / "model_judgment").mkdir(parents=True)
    with pytest.raises(DataError, match=r"contains no judgments: add JUDGE/POLICY\.jsonl"):
        find_folder(tmp_path / "empty")
    with pytest.raises(DataError, match="contains no folder model_judgment"):
        find_folder(tmp_path / "data" / "one" / "model_judgment" / "judge")
    with pytest.raises(DataError, match="does not exist: give a folder that contains"):
        find_folder(tmp_path / "no")


def test_names_come_from_files_and_the_layout_of_2024(tmp_path: Path) -> None:
    row = {"question_id": "q", "judge": "judge", "games": games("A>B", "B>A")}
    write_lines(tmp_path / "model_judgment" / "judge" / "old.v1.jsonl", [row])
    answer = {"question_id": "q", "model_id": "old", "choices": [{"index": 0, "turns": [{"content": "# A\n\n- b"}]}]}
    write_lines(tmp_path / "model_answer" / "old.jsonl", [answer])
    folder = find_folder(tmp_path)
    (one,) = read_judgments([folder], ["judge"]).complete
    assert (one.policy, one.category, one.scores) == ("old.v1", "arena-hard-v0.1", (0, 0))
    found = read_answers([folder], lambda models: [(model, "q") for model in models])
    assert found.styles == {"old": {"q": AnswerStyle(4, 1, 1, 0)}}
    assert found.unit == PIECES


def answers(folder: Path, needed: Collection[tuple[str, str]], *rows: dict[str, Any]) -> Any:
    write_folder(folder, [judged("q", "A>B", "A>B")], {})
    write_lines(folder / "model_answer" / "file.jsonl", rows)
    return read_answers([find_folder(folder)], lambda models: needed)


def message(text: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": "why"}, {"role": "assistant", "content": {"answer": text}}]


def test_styles_are_the_metadata_of_all_or_counts_of_all(tmp_path: Path) -> None:
    with_both = {"uid": "q", "model": "a", "messages": message("**one** two"), "metadata": metadata(50, 1, 2, 3)}
    without = {"uid": "q", "model": "b", "messages": message("three")}
    found = answers(tmp_path, [("a", "q")], with_both, without)
    assert found.styles["a"]["q"] == AnswerStyle(50, 1, 2, 3)
    assert found.unit == ""
    counted = answers(tmp_path, [("a", "q"), ("b", "q")], with_both, without)
    assert counted.styles == {"a": {"q": AnswerStyle(6, 0, 0, 1)}, "b": {"q": AnswerStyle(1, 0, 0, 0)}}
    assert counted.unit == PIECES


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ({"metadata": {"token_len": 5}}, "metadata: 'header_count' must be a count, or counts by kind, not null"),
        ({"metadata": metadata(-1)}, "metadata: 'token_len' must be a count"),
        ({"metadata": 5}, "column 'metadata' must be an object, not a number"),
        ({"messages": message(None)}, "the answer has neither metadata nor a text in its last message"),
        ({"messages": []}, "the answer has neither metadata nor a text in its last message"),
        ({}, "the answer has neither metadata nor a text in its last message"),
    ],
)
def test_answers_that_are_refused(tmp_path: Path, row: dict[str, Any], wrong: str) -> None:
    with pytest.raises(DataError, match=f"file.jsonl line 1: {wrong}"):
        answers(tmp_path, [("a", "q")], {"uid": "q", "model": "a", **row})


@pytest.mark.parametrize(
    ("one", "other", "wrong"),
    [
        ({"metadata": metadata(50)}, {"metadata": metadata(60)}, "has other metadata"),
        ({"messages": message("one")}, {"messages": message("one two")}, "has another style"),
    ],
)
def test_two_answers_to_a_question_are_refused(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any], wrong: str
) -> None:
    key = {"uid": "q", "model": "a"}
    answers(tmp_path, [("a", "q")], key | one, key | one)
    with pytest.raises(DataError, match=f"file.jsonl line 2: another answer of a to question q {wrong}: keep one"):
        answers(tmp_path, [("a", "q")], key | one, key | other)
