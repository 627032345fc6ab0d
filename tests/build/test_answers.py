"""The log of answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.build.answers import Answer, AnswerLog

ANSWERS = [
    Answer("a", "ok", "text", usage={"tokens": 3}),
    Answer("b", "ok", ""),
    Answer("c", "error", error="HTTP 500"),
    Answer("d", "refused", error="no"),
    Answer("e", "cut", "beginn"),
    Answer("f", "ok", "half \ud800 and \x1b[31m"),
]


def test_answers_are_read_as_they_were_written(tmp_path: Path) -> None:
    with AnswerLog(tmp_path) as log:
        log.append(ANSWERS[:4])
        log.append(ANSWERS[4:])
    again = AnswerLog(tmp_path)
    assert [again.get(one.key) for one in ANSWERS] == [None if one.status == "error" else one for one in ANSWERS]
    assert again.get("g") is None


def test_an_answer_whose_text_is_lost_has_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for batch in (ANSWERS[:4], ANSWERS[4:]):
        with AnswerLog(tmp_path) as log:
            log.append(batch)
    (tmp_path / "raw" / "0002.jsonl.gz").unlink()
    again = AnswerLog(tmp_path)
    assert [again.get(key) for key in "abdef"] == [*ANSWERS[:2], ANSWERS[3], None, None]
    assert "lacks the texts of 2 answers" in caplog.text
