"""Rows that cannot be scored, or not be written again, are refused before anything is scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rmeval.api import load_model
from rmeval.errors import DataError
from rmeval.runs.score_file import score_file


def score(source: Path) -> list[dict[str, Any]]:
    target = source.with_name("scored.jsonl")
    score_file(load_model("baseline:longest"), source, target)
    return [json.loads(line) for line in target.read_text().splitlines()]


def test_columns_that_cannot_be_written_again(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    texts = {"prompt": ["q"], "response": ["four"]}
    pq.write_table(pa.table(texts | {"day": pa.array([1], pa.date32()), "raw": pa.array([b"\xff"])}), file)
    assert score(file) == [{"prompt": "q", "response": "four", "day": "1970-01-02", "raw": "b'\\xff'", "score": 4.0}]
    pq.write_table(pa.table(texts | {"day": pa.array([10**7], pa.date32())}), file)
    with pytest.raises(DataError, match=r"row 0: column 'day' cannot be written next to the scores \(date"):
        score(file)
    assert not (tmp_path / "scored.jsonl.partial").exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"prompt": "q", "response": "a", "x": ' + "[" * 500 + "]" * 500 + "}", "nested more than 100 deep"),
        ('{"prompt": "q", "response": "a", "response": "b"}', "an object has the key 'response' twice"),
        ('{"prompt": "q", "responses": []}', "column 'responses' contains no response"),
        ('{"messages": []}', "column 'messages' has no messages"),
        ('{"prompt": [], "response": "a"}', "column 'prompt' has no messages"),
        ('{"prompt": "q", "response": "a", "tools": "[{\\"a\\": 1, \\"a\\": 2}]"}', "an object has the key 'a' twice"),
        ('{"prompt": "q", "response": "a", "tools": [{"a": NaN}]}', "column 'tools' contains nan, which JSON"),
    ],
)
def test_rows_that_cannot_be_scored(line: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=f"a.jsonl line 1.*{sentence}"):
        score(tmp_path / "a.jsonl")
    assert not (tmp_path / "scored.jsonl.partial").exists()


DIALOGUE = "\n\nHuman: why\n\nAssistant: because\n\nHuman: and\n\nAssistant: so it is"
SHAREGPT = [{"from": "human", "value": "why"}, {"from": "gpt", "value": "because"}]


def test_other_notations_of_conversations(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """ShareGPT's messages and dialogues in one text are scored as the messages that they stand for."""
    turns = [("user", "why"), ("assistant", "because"), ("user", "and"), ("assistant", "so it is")]
    whole = [{"role": role, "content": text} for role, text in turns]
    rows: list[dict[str, Any]] = [
        {"messages": whole},
        {"messages": DIALOGUE},
        {"conversations": [*SHAREGPT, {"from": "human", "value": "and"}, {"from": "gpt", "value": "so it is"}]},
        {"messages": whole[:2]},
        {"conversations": SHAREGPT},
        {"messages": SHAREGPT, "prompt": None},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "mine.py").write_text(
        "def turns(conversations):\n"
        "    return [100 * len(c) + sum(map(len, (m['role'] + m['content'] for m in c))) for c in conversations]\n"
    )
    score_file(load_model(f"{tmp_path / 'mine.py'}:turns"), tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    scores = [json.loads(line)["score"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(set(scores[:3])) == len(set(scores[3:])) == 1
    assert scores[0] != scores[3]
    assert "is a dialogue in one text: rmeval reads its turns as messages" in caplog.text
    assert "has messages with 'from' and 'value': human is the user, gpt the assistant" in caplog.text


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {"messages": DIALOGUE.rpartition("\n\nAssistant")[0]},
            "must contain a prompt and end in a message with the role",
        ),
        ({"conversations": SHAREGPT, "prompt": "how"}, "the column 'prompt' would not reach the model"),
        (
            {"conversations": [*SHAREGPT, {"from": "tool_call", "value": "{}"}]},
            "the role 'tool_call' of 'from' is none of",
        ),
        ({"messages": "why"}, "must contain a prompt and end in a message with the role assistant"),
    ],
)
def test_other_notations_that_cannot_be_scored(row: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=sentence):
        score_file(load_model("baseline:longest"), tmp_path / "in.jsonl", tmp_path / "out.jsonl")


def test_a_prompt_that_is_a_dialogue_stays_one_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from rmeval.data.conversations import MessageReader
    from rmeval.data.rows import Row
    from rmeval.runs.score_file import conversations_of

    row = Row({"prompt": "\n\nHuman: why\n\nAssistant:", "response": "so"}, "row 1")
    (found,) = conversations_of(row, MessageReader())
    assert [message.content for message in found] == [row.fields["prompt"], "so"]
    assert "give `roles` Human=user,Assistant=assistant" in caplog.text
    (found,) = conversations_of(row, MessageReader({"Human": "user", "Assistant": "assistant"}))
    assert [message.content for message in found] == ["why", "so"]
