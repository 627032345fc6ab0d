"""Messages are read whole, or refused by the name of what would be lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rmeval
from rmeval.data.conversations import INPUT_COLUMNS, MessageReader, list_in_text, tools_of
from rmeval.data.rows import read_rows
from rmeval.errors import DataError
from rmeval.runs.score_file import conversations_of
from rmeval.types import Message
from tests.command import command

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": TEXTS}), min_size=1
)


@pytest.mark.parametrize("role", ["human", "gpt", "bot", "Human", "GPT", "prompter", "model"])
def test_aliases_of_roles_are_refused_with_the_option(role: str) -> None:
    with pytest.raises(DataError, match=f"do not accept the role '{role}': give `roles` {role}=(user|assistant)"):
        MessageReader().message({"role": role, "content": "x"}, "row 1")
    assert MessageReader({role: "user"}).message({"role": role, "content": "x"}, "row 1") == Message("user", "x")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "user", "content": "x", "images": ["a.png"]}, "a message contains 'images'.*`ignore_keys` images"),
        ({"role": "user", "content": "x", "thinking": "so", "weight": 1}, "'thinking', 'weight'.*thinking,weight"),
        ({"role": "user", "content": ["x"]}, "the content is a list"),
        ({"role": "user"}, "the content is missing"),
        ({"role": "user", "content": "x", "name": 3}, "'name' in a message must be a string"),
        ({"role": "user", "content": "x", "tool_calls": "no"}, "'tool_calls' must be a list of objects"),
        ({"from": "human"}, "must contain messages like"),
        ({"from": "human", "value": ["x"]}, "the content is a list"),
        ({"from": "bot", "value": "x"}, "the role 'bot' of 'from' is none of human, gpt.*give `roles` bot=user"),
        ({"from": "function_call", "value": "{}"}, "write calls of functions as 'tool_calls'"),
        ({"from": "gpt", "value": "x", "weight": 1}, "a message contains 'weight'"),
        ({"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image"}]}, "the content is a list"),
        ({"role": "user", "content": [{"type": "text", "text": "x", "image": "a.png"}]}, "the content is a list"),
        ("x", "must contain messages like"),
    ],
)
def test_what_would_be_lost_is_an_error(message: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        MessageReader().message(message, "row 1")


def test_keys_without_anything_and_ignored_ones() -> None:
    full: dict[str, Any] = {"role": "user", "content": "x", "name": None, "tool_calls": [], "images": None, "weight": 1}
    assert MessageReader(ignored=["weight"]).message(full, "row 1") == Message("user", "x")
    named = {"role": "user", "content": "x", "name": "Ann"}
    assert MessageReader(ignored=["name"]).message(named, "row 1") == Message("user", "x")


def test_a_turn_that_is_a_tool_call_alone() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}', "more": None}}
    found = MessageReader().message({"role": "assistant", "content": None, "tool_calls": [call]}, "row 1")
    assert found.content == ""
    assert found.tool_calls == ({"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},)
    as_text = MessageReader().message({"role": "assistant", "content": "", "tool_calls": json.dumps([call])}, "row 1")
    assert as_text == found


@given(MESSAGES)
def test_lists_as_json_are_found_and_those_in_python_refused(messages: list[dict[str, str]]) -> None:
    assert list_in_text(json.dumps(messages), "row 1") == messages
    assert list_in_text(f"  {json.dumps(messages, indent=1)}\n", "row 1") == messages
    with pytest.raises(DataError, match="Python's notation"):
        list_in_text(repr(messages), "row 1")
    with pytest.raises(DataError, match="Python's notation"):  # As numpy writes an array of them.
        list_in_text("[" + "\n ".join(map(repr, messages)) + "]", "row 1")


MESSAGE = {"role": "assistant", "content": "so\nit is"}
CALLING = {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (json.dumps(json.dumps([MESSAGE])), [MESSAGE]),
        (json.dumps(json.dumps(MESSAGE)), [MESSAGE]),
        (json.dumps(MESSAGE), [MESSAGE]),
        (json.dumps({"messages": [MESSAGE]}), [MESSAGE]),
        (json.dumps([MESSAGE]).replace("\\n", "\n"), [MESSAGE]),
        (json.dumps([MESSAGE, CALLING]), [MESSAGE, CALLING]),
        (json.dumps([CALLING]), [CALLING]),
        (json.dumps([MESSAGE, {"role": "tool"}]), [MESSAGE, {"role": "tool"}]),
        (json.dumps(json.dumps({"name": "x"})), None),
        (json.dumps('[{"role": "x", "content"'), None),
        (json.dumps({"model": "m", "messages": [MESSAGE]}), None),
        ('{"messages": 3, "role": "content"}', None),
        ('f({"role": "user", "content": x})', None),
        ('"[{\\"' + "[" * 100_000, None),
    ],
)
def test_forms_of_lists_as_json(text: str, found: Any) -> None:
    assert list_in_text(text, "row 1") == found


@pytest.mark.parametrize(
    "text",
    [
        repr((MESSAGE, MESSAGE)),
        repr(np.array([MESSAGE, MESSAGE], dtype=object)),
        str(np.array([MESSAGE, MESSAGE], dtype=object)),
        str([CALLING]),
        str(MESSAGE),
        json.dumps(str([MESSAGE])),
    ],
)
def test_forms_of_lists_in_python(text: str) -> None:
    with pytest.raises(DataError, match="row 1 is a list of messages in Python's notation"):
        list_in_text(text, "row 1")


def test_objects_too_deep_within_each_other() -> None:
    call: dict[str, Any] = {"name": "f"}
    call["arguments"] = {"again": call}
    with pytest.raises(DataError, match="row 1: 'tool_calls' has too many levels of nested objects"):
        MessageReader().message({"role": "assistant", "content": "", "tool_calls": [call]}, "row 1")


def test_earlier_turns_as_json_text() -> None:
    turns = (Message("user", "a"), Message("assistant", "b"))
    for value in ([["a", "b"]], [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]):
        assert MessageReader().history(value, "row 1") == turns
        assert MessageReader().history(json.dumps(value), "row 1") == turns
    assert MessageReader().history(" ", "row 1") == ()
    with pytest.raises(DataError, match=r"row 1 must be a list .* or one written as JSON"):
        MessageReader().history(str([["a", "b"]]), "row 1")


def test_a_column_that_the_conversation_holds_is_no_loss() -> None:
    talk = (Message("user", "One. Two."), Message("assistant", "so"))
    reader = MessageReader()
    for held in ("Two.", ["One.", " Two.\n"], [{"role": "user", "content": "One. Two.", "name": None}]):
        reader.refuse_columns({"docs": held}, INPUT_COLUMNS, talk, "row 1")
    for lost in ("Three.", ["One.", "Three."], [{"role": "user", "content": "Three."}], {"a": "One."}, 3):
        with pytest.raises(DataError, match="row 1: the column 'docs' would not reach the model"):
            reader.refuse_columns({"docs": lost}, INPUT_COLUMNS, talk, "row 1")


@given(TEXTS)
def test_other_texts_are_left_alone(text: str) -> None:
    for one in (text, f"[{text}]", f"{{{text}}}", json.dumps([text]), json.dumps({"role": text}), f"Use [{{{text}"):
        assert list_in_text(one, "row 1") is None


def test_tools() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    assert tools_of([tool], "x") == tools_of(json.dumps([tool]), "x") == tools_of(tool, "x") == (tool,)
    assert tools_of(None, "x") == tools_of("", "x") == tools_of([], "x") == ()
    for wrong in ("f", ["f"], 3):
        with pytest.raises(DataError, match="x must be a list of objects"):
            tools_of(wrong, "x")


TALK = [{"role": "user", "content": "why"}, {"role": "assistant", "content": "so"}]


def rows_file(folder: Path, *rows: dict[str, Any]) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "why", "response": "so", "system": "be kind"}, "the column 'system' would not reach the model"),
        ({"prompt": "why", "response": "so", "history": [["a", "b"]]}, "the column 'history' would not reach"),
        ({"prompt": "why", "response": "so", "input": "a text"}, "the column 'input'.*--ignore-keys input"),
        ({"prompt": "how", "messages": TALK}, "the column 'prompt' would not reach the model.*--ignore-keys prompt"),
        ({"prompt": "how", "response": "so", "chat_history": TALK}, "the column 'chat_history' would not reach"),
        ({"prompt": "why", "response": str([{"role": "assistant", "content": "so"}])}, "in Python's notation"),
        (
            {"prompt": "why", "response": json.dumps([{"role": "assistant", "content": "so"}])},
            "written as JSON inst",
        ),
        ({"prompt": [{"role": "human", "content": "why"}], "response": "so"}, "--roles human=user"),
        ({"prompt": "why", "response": "so", "tools": "look"}, "'tools' must be a list of objects"),
    ],
)
def test_rows_to_score(
    checkpoint: Path, tmp_path: Path, row: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    done = command(capsys, "score", checkpoint, rows_file(tmp_path, row), "-o", tmp_path / "out.jsonl")
    assert (done.code, "Traceback" in done.err) == (2, False)
    assert re.search(said, " ".join(done.err.split())), done.err


def test_rows_to_score_with_the_options(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = [{"role": "user", "content": "why"}, {"role": "assistant", "content": "so"}]
    other = [{"role": "human", "content": "why", "weight": 2}, {"role": "gpt", "content": "so"}]
    again = {"messages": plain, "prompt": "why", "chat_history": plain[:1]}
    file = rows_file(tmp_path, {"messages": plain}, {"messages": other}, {"messages": json.dumps(plain)}, again)
    options = ("--roles", "human=user,gpt=assistant", "--ignore-keys", "weight")
    done = command(capsys, "score", checkpoint, file, "-o", tmp_path / "out.jsonl", *options)
    assert done.code == 0, done.err
    assert "list of messages written as JSON: rmeval reads it as messages" in " ".join(done.err.split())
    scores = [json.loads(line)["score"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(set(scores)) == 1


def test_columns_to_score_that_hold_nothing(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in parquet, where every row has every column."""
    empty = dict.fromkeys(("messages", "prompt", "response", "responses", "tools"))
    answer = {"prompt": "why", "response": "so"}
    file = rows_file(
        tmp_path, empty | {"messages": TALK}, empty | answer, empty | {"prompt": "why", "responses": ["so", "no"]}
    )
    done = command(capsys, "score", checkpoint, file, "-o", tmp_path / "out.jsonl")
    assert done.code == 0, done.err
    first, second, third = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert first["score"] == second["score"] == third["scores"][0]
    assert "score" not in third
    none = command(capsys, "score", checkpoint, rows_file(tmp_path, empty), "-o", tmp_path / "none.jsonl")
    assert (none.code, "column 'prompt' must be a string or a list of messages" in none.err) == (2, True)


def test_python_callers_get_the_same_errors(checkpoint: Path) -> None:
    talk = [{"role": "human", "content": "why"}, {"role": "assistant", "content": "so"}]
    with pytest.raises(DataError, match="conversation 0: chat templates do not accept the role 'human': give the role"):
        rmeval.score(str(checkpoint), [talk])
    with pytest.raises(DataError, match="conversation 0: a message contains 'images'"):
        rmeval.score(str(checkpoint), [[talk[1] | {"images": ["x"]}, talk[1]]])


def test_parquet_fills_structs_with_nulls(checkpoint: Path, tmp_path: Path) -> None:
    """What one row lacks and another has is null in both, and no key of either."""
    call = [{"function": {"name": "f", "arguments": {"a": "1"}}}]
    rows: list[dict[str, Any]] = [
        {"messages": [{"role": "user", "content": "why"}, {"role": "assistant", "content": "so"}]},
        {
            "messages": [
                {"role": "user", "content": "why"},
                {"role": "assistant", "content": None, "tool_calls": call},
                {"role": "tool", "content": "3", "tool_call_id": "1"},
                {"role": "assistant", "content": "so"},
            ]
        },
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    found = [conversations_of(row, MessageReader())[0] for row in read_rows(tmp_path / "t.parquet")]
    assert found[0] == (Message("user", "why"), Message("assistant", "so"))
    assert found[1][1] == Message("assistant", "", tool_calls=tuple(call))
