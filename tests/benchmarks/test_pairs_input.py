"""Everything that a row of preference data says reaches the model, or is refused by its name."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.benchmarks.pairs import Pairs
from rmeval.errors import DataError
from rmeval.types import Item, Message
from tests.benchmarks.test_pairs import load, say
from tests.checkpoints import make_checkpoint, make_tokenizer
from tests.command import command

PAIR = {"prompt": "why", "chosen": "so", "rejected": "no"}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
SHOWS_ALL = (
    "{% for t in tools or [] %}{{ t.function.name }};{% endfor %}{% for m in messages %}{{ m.role }}:{{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %};{% endfor %}"
)


def call(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": {"place": "here"}}}


def roles(item: Item) -> list[str]:
    return [message.role for message in item.prompt]


def test_standard_input_is_no_name_on_the_hub() -> None:
    with pytest.raises(DataError, match=r"^pairs does not read standard input: write the rows to a file"):
        list(Pairs("-").load())


def test_a_system_column_comes_first(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        PAIR | {"system": "be kind"},
        PAIR | {"system": ""},
        PAIR | {"system": None},
        PAIR | {"prompt": say("system: be kind", "user: why"), "system": "be kind"},
    ]
    found = load(tmp_path, rows)
    assert [roles(item) for item in found] == [["system", "user"], ["user"], ["user"], ["system", "user"]]
    assert found[0].prompt[0] == Message("system", "be kind")
    with pytest.raises(DataError, match=r"'system' contradicts the system message of the prompt.*`ignore_keys` system"):
        load(tmp_path, [PAIR | {"prompt": say("system: be rude", "user: why"), "system": "be kind"}])
    with pytest.raises(DataError, match="column 'system' is a list of messages written as JSON instead of the text"):
        load(tmp_path, [PAIR | {"system": json.dumps(say("system: be kind"))}])
    ignored = load(tmp_path, [PAIR | {"system": "be kind"}], ignore_keys=["system"])
    assert roles(ignored[0]) == ["user"]


@pytest.mark.parametrize(
    "history", [[["a", "b"], ["c", "d"]], say("user: a", "assistant: b", "user: c", "assistant: d")]
)
def test_a_history_column_comes_before_the_prompt(tmp_path: Path, history: Any) -> None:
    (item,) = load(tmp_path, [PAIR | {"history": history, "system": "be kind"}])
    assert roles(item) == ["system", "user", "assistant", "user", "assistant", "user"]
    assert [message.content for message in item.prompt] == ["be kind", "a", "b", "c", "d", "why"]


def test_a_system_turn_in_the_prompt_beside_whole_messages(tmp_path: Path) -> None:
    whole = {"chosen": say("user: why", "assistant: so"), "rejected": say("user: why", "assistant: no")}
    for prompt in (say("system: be kind", "user: why"), say("system: be kind")):
        (item,) = load(tmp_path, [whole | {"prompt": prompt}])
        assert item.prompt == (Message("system", "be kind"), Message("user", "why"))


@pytest.mark.parametrize(
    ("prompt", "context"),
    [
        ("why", say("user: why")),
        ("why", say("system: be kind", "user: why")),
        ("a", say("user: a", "assistant: b", "user: why")),
        ("why", say("user: a", "assistant: b", "user: why")),
        (say("user: why"), say("user: why")),
        (say("user: a", "assistant: b", "user: why"), say("user: why")),
        (" why\n", say("user: why")),
    ],
)
def test_a_prompt_that_says_the_same_as_the_messages(tmp_path: Path, prompt: Any, context: Any) -> None:
    row = {"prompt": prompt, "chosen": [*context, *say("assistant: so")], "rejected": [*context, *say("assistant: no")]}
    (item,) = load(tmp_path, [row])
    longer = max((prompt if isinstance(prompt, list) else [], context), key=len)
    assert roles(item) == [message["role"] for message in longer]


@pytest.mark.parametrize("prompt", [None, "", []])
def test_a_prompt_without_anything_beside_messages(tmp_path: Path, prompt: Any) -> None:
    row = {"prompt": prompt, "chosen": say("user: why", "assistant: so"), "rejected": say("user: why", "assistant: no")}
    (item,) = load(tmp_path, [row])
    assert item.prompt == (Message("user", "why"),)


def test_a_prompt_that_contradicts_the_messages(tmp_path: Path) -> None:
    row = {"prompt": "how", "chosen": say("user: why", "assistant: so"), "rejected": say("user: why", "assistant: no")}
    with pytest.raises(DataError, match=r"'prompt' contradicts the messages before the response.*`ignore_keys` prompt"):
        load(tmp_path, [row])
    (item,) = load(tmp_path, [row], ignore_keys=["prompt"])
    assert item.prompt == (Message("user", "why"),)


@pytest.mark.parametrize(
    "column", ["input", "context", "instruction", "documents", "images", "functions", "system_prompt"]
)
def test_columns_that_may_hold_input_are_not_passed_over(tmp_path: Path, column: str) -> None:
    with pytest.raises(DataError, match=rf"line 2: the column '{column}' would not reach.*`ignore_keys` {column}"):
        load(tmp_path, [PAIR, PAIR | {column: "something else"}])
    values: tuple[Any, ...] = ("", None, [], "why")
    for value in values:  # Nothing, or what the prompt says already.
        load(tmp_path, [PAIR | {column: value}])
    load(tmp_path, [PAIR | {column: "something else"}], ignore_keys=[column])
    row = {"chosen": "so", "rejected": "no", column: "something else"}
    (item,) = load(tmp_path, [row], columns={"prompt": column})
    assert item.prompt[0].content == "something else"


def test_other_columns_are_the_datas_own(tmp_path: Path) -> None:
    load(tmp_path, [PAIR | {"source": "web", "score_chosen": 3, "messages": say("user: why"), "model": "x"}])


def test_a_conversation_beside_the_prompt_is_noted_if_it_says_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared: dict[str, Any] = {"from": "human", "value": "why"}
    for column, value in (
        ("messages", say("user: why", "assistant: so")),
        ("conversations", [shared]),
        ("dialogue", "x"),
    ):
        load(tmp_path, [PAIR | {column: value}])
    assert caplog.text == ""
    earlier = say("user: a", "assistant: b", "user: why")
    (item, _) = load(tmp_path, [PAIR | {"messages": earlier}] * 2)
    assert roles(item) == ["user"]
    (said,) = caplog.messages
    assert said.endswith(
        "line 1: column 'messages' has texts that are not in the pair, and rmeval does not read it: to use it as the "
        "prompt, give `columns` prompt=messages"
    )
    (item,) = load(tmp_path, [PAIR | {"messages": earlier}], columns={"prompt": "messages"})
    assert roles(item) == ["user", "assistant", "user"]
    caplog.clear()
    load(tmp_path, [PAIR | {"messages": earlier}], ignore_keys=["messages"])
    assert caplog.text == ""


@pytest.mark.parametrize("as_text", [False, True])
def test_tools_and_tool_calls_are_asked_about(tmp_path: Path, as_text: bool) -> None:
    """Two answers that are calls of different tools are told apart, and so are prompts by their earlier calls."""
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer(chat_template=SHOWS_ALL))
    context = [*say("user: why"), {"role": "assistant", "content": "", "tool_calls": [call("go")]}, *say("tool: 3")]
    tools = [TOOL]
    row = {
        "chosen": [*context, {"role": "assistant", "content": None, "tool_calls": [call("look")]}],
        "rejected": [*context, {"role": "assistant", "content": None, "tool_calls": [call("stay")]}],
        "tools": json.dumps(tools) if as_text else tools,
    }
    (item,) = load(tmp_path, [row])
    assert item.tools == tuple(tools)
    result = rmeval.evaluate(str(folder), "pairs", tmp_path / "p.jsonl", out=tmp_path / "runs", store_text=True)
    assert result.record("accuracy", "all").ties == 0

    scores = rmeval.score(str(folder), [row["chosen"], row["rejected"]])  # type: ignore[list-item]
    assert scores[0] != scores[1]
    import pyarrow.parquet as pq

    (stored,) = pq.read_table(result.path / "items.parquet").to_pylist()
    assert json.loads(stored["tools"]) == tools
    assert json.loads(stored["prompt"][1]["extras"]) == {"tool_calls": [call("go")]}
    assert json.loads(stored["responses"][0]["extras"]) == {"tool_calls": [call("look")]}


def test_tools_are_part_of_the_question(tmp_path: Path) -> None:
    from rmeval.data.digests import item_digests

    plain, one, other = load(tmp_path, [PAIR, PAIR | {"tools": [TOOL]}, PAIR | {"tools": [TOOL | {"type": "other"}]}])
    assert len({item_digests(item) for item in (plain, one, other)}) == 3
    assert len({item.cluster for item in (plain, one, other)}) == 3


def test_a_scorer_of_the_users_gets_tools_and_calls(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "def calls(conversations, tools=None):\n"
        "    return [len(t) + len(c[-1].get('tool_calls', ())) for c, t in zip(conversations, tools)]\n"
        "class Mine:\n"
        "    def score(self, conversations, tools):\n"
        "        return [len(t) + len(c[-1].get('tool_calls', ())) for c, t in zip(conversations, tools)]\n"
        "def deaf(conversations):\n    return [len(c) for c in conversations]\n"
    )
    row = {
        "prompt": "why",
        "chosen": [{"role": "assistant", "content": "", "tool_calls": [call("look"), call("go")]}],
        "rejected": [{"role": "assistant", "content": "", "tool_calls": [call("look")]}],
        "tools": [TOOL],
    }
    load(tmp_path, [row])
    for name in ("calls", "Mine"):
        result = rmeval.evaluate(f"{file}:{name}", "pairs", tmp_path / "p.jsonl", out=tmp_path / "runs")
        assert result.value("accuracy") == 1.0


def test_what_a_scorer_does_not_take_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def deaf(conversations):\n    return [len(c[-1]['content']) for c in conversations]\n")
    load(tmp_path, [PAIR | {"tools": [TOOL]}])
    rmeval.evaluate(f"{file}:deaf", "pairs", tmp_path / "p.jsonl", out=tmp_path / "runs")
    assert "does not receive the tools of 2 requests" in caplog.text


def write_csv(file: Path, rows: list[dict[str, str]]) -> Path:
    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def test_message_lists_in_a_csv(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chosen, rejected = say("user: why", "assistant: so"), say("user: why", "assistant: no")
    file = write_csv(tmp_path / "a.csv", [{"chosen": json.dumps(chosen), "rejected": json.dumps(rejected)}] * 3)
    for item in Pairs(str(file)).load():
        assert [response.text for response in item.responses] == ["so", "no"]
        assert item.prompt == (Message("user", "why"),)
    assert caplog.text.count("is a list of messages written as JSON") == 1
    prompts = write_csv(tmp_path / "b.csv", [PAIR | {"prompt": json.dumps(say("system: be kind", "user: why"))}])
    (item,) = Pairs(str(prompts)).load()
    assert roles(item) == ["system", "user"]


@pytest.mark.parametrize("write", [repr, lambda messages: "[" + "\n ".join(map(repr, messages)) + "]"])
@pytest.mark.parametrize("column", ["prompt", "chosen", "rejected"])
def test_message_lists_in_pythons_notation(
    tmp_path: Path, write: Any, column: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = PAIR | {column: write(say("user: it's why", "assistant: so"))}
    file = write_csv(tmp_path / "a.csv", [PAIR, row])
    done = command(capsys, "run", "baseline:longest", "-b", "pairs", "--data", file, "-o", tmp_path / "runs")
    said = " ".join(done.err.split())
    assert (done.code, f"column '{column}' is a list of messages in Python's notation" in said) == (2, True), said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("option", "value"), [("roles", ["human"]), ("ignore_keys", "name"), ("roles", {"human": 1})])
def test_options_of_the_wrong_kind(tmp_path: Path, option: str, value: Any) -> None:
    with pytest.raises(DataError, match=f"{option} must be a "):
        load(tmp_path, [PAIR], **{option: value})


def test_roles_of_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = [{"role": "human", "content": "why"}, {"role": "gpt", "content": "so"}]
    row = {"chosen": turns, "rejected": [turns[0], {"role": "gpt", "content": "no"}]}
    with pytest.raises(DataError, match="the role 'human': give `roles` human=user"):
        load(tmp_path, [row])
    asked = ("run", "baseline:longest", "-b", "pairs", "--data", tmp_path / "p.jsonl", "-o", tmp_path / "runs")
    done = command(capsys, *asked, "--roles", "human=user,gpt=assistant")
    assert done.code == 0, done.err
    wrong = command(capsys, "run", "baseline:longest", "-b", "rm-bench-synthetic", "--roles", "human=user")
    assert (wrong.code, "only pairs and best-of-n take --roles" in wrong.err) == (2, True)


def test_a_response_to_an_earlier_message_of_the_prompt(tmp_path: Path) -> None:
    """It would be scored as the answer to the last one."""
    prompt = say("user: one", "assistant: first", "user: two")
    early = {side: say("user: one", f"assistant: {side}") for side in ("chosen", "rejected")}
    with pytest.raises(DataError, match="'prompt' contradicts the messages before the response"):
        load(tmp_path, [{"prompt": prompt, **early}])
    late = {side: say("user: two", f"assistant: {side}") for side in ("chosen", "rejected")}
    (item,) = load(tmp_path, [{"prompt": prompt, **late}])
    assert [message.content for message in item.prompt] == ["one", "first", "two"]
