"""What a chat template leaves out of a conversation is found before anything is scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rmeval
from rmeval.errors import ModelError
from rmeval.models import load_model
from rmeval.protocols.pointwise import conversation_requests
from rmeval.rendering.visibility import Visibility
from rmeval.types import Message
from tests.checkpoints import make_checkpoint, make_tokenizer
from tests.command import command

ALL = (
    "{% for m in messages %}{{ m.role }}:{{ m.content }}{{ m.name }}{{ m.tool_call_id }}{{ m.reasoning_content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function.name }}({{ c.function.arguments | tojson }}){% endfor %};"
    "{% endfor %}"
    "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}"
)
USER_AND_ASSISTANT = (
    "{% for m in messages %}{% if m.role == 'user' %}u {{ m.content }}{% elif m.role == 'assistant' %}"
    "a {{ m.content }}{% endif %}{% endfor %}"
)
CALL = {"type": "function", "function": {"name": "look", "arguments": {"place": "here"}}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def say(*turns: str) -> list[dict[str, Any]]:
    return [dict(zip(("role", "content"), turn.split(": ", 1), strict=True)) for turn in turns]


def model_of(folder: Path, template: str, **options: Any) -> Any:
    make_checkpoint(folder, tokenizer=make_tokenizer(chat_template=template))
    return load_model(str(folder), **options)


def score(folder: Path, template: str, *messages: dict[str, Any], **options: Any) -> float:
    return float(rmeval.score(model_of(folder, template, **options), [[*messages, *say("assistant: so")]])[0])


@pytest.mark.parametrize(
    ("template", "messages", "role"),
    [
        (USER_AND_ASSISTANT, say("system: be kind", "user: why"), "system"),
        (USER_AND_ASSISTANT, say("user: why", "assistant: so", "tool: 3", "user: and"), "tool"),
        (USER_AND_ASSISTANT, say("developer: be kind", "user: why"), "developer"),
        (USER_AND_ASSISTANT, say("human_1: why", "user: why"), "human_1"),
        ("{{ messages[-1].content }}", say("user: why"), "user"),
        ("{{ messages[-2].content }}{{ messages[-1].content }}", say("user: a", "tool: b", "user: c"), "tool|user"),
        ("{% for m in messages[1:] %}{{ m.content }}{% endfor %}", say("user: a", "user: c"), "user"),
        ("{% for m in messages %}{{ m.content[:4] }}{% endfor %}", say("user: a long question"), None),
        (
            "{% for m in messages %}{{ m.tool_calls[0].function | tojson if m.tool_calls else m.content }}{% endfor %}",
            [*say("user: why"), {"role": "assistant", "content": "I look", "tool_calls": [CALL]}, *say("tool: 3")],
            "assistant",
        ),
    ],
)
def test_a_role_that_is_dropped_stops_the_run(
    tmp_path: Path, template: str, messages: list[dict[str, Any]], role: str | None
) -> None:
    if role is None:
        assert score(tmp_path / "m", template, *messages) is not None
        return
    roles = role.split("|")
    with pytest.raises(ModelError) as error:
        score(tmp_path / "m", template, *messages)
    assert f"does not show messages of the role {' or '.join(map(repr, roles))}," in str(error.value)
    assert str(error.value).endswith(" ".join(f"`allow_dropped_roles` {one}" for one in roles))
    assert score(tmp_path / "n", template, *messages, allow_dropped_roles=tuple(roles)) is not None


def test_what_is_allowed_is_counted(tmp_path: Path, pairs_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "m"
    make_checkpoint(folder, tokenizer=make_tokenizer(chat_template=USER_AND_ASSISTANT))
    rows = [json.loads(line) for line in pairs_file.read_text().splitlines()]
    rows = [row | {"system": "be kind"} if number % 3 == 0 else row for number, row in enumerate(rows)]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = ("run", folder, "-b", "pairs", "--data", data, "-o", tmp_path / "runs")
    stopped = command(capsys, *asked)
    assert (stopped.code, "messages of the role 'system'" in stopped.err) == (2, True)
    assert "Traceback" not in stopped.err
    done = command(capsys, *asked, "--allow-dropped-roles", "system")
    assert done.code == 0, done.err
    assert "does not show content of the role system (8 conversations)" in done.err
    (manifest,) = (tmp_path / "runs").rglob("run.json")
    (session,) = json.loads(manifest.read_text())["sessions"]
    assert session["not_shown"] == {"content of the role system": 8}


def test_tool_calls_and_tools_reach_a_template_that_shows_them(tmp_path: Path) -> None:
    def messages(**change: Any) -> list[dict[str, Any]]:
        function = {"name": "look", "arguments": {"place": "here"}} | change
        call = {"type": "function", "function": function}
        return [*say("user: why"), {"role": "assistant", "content": "", "tool_calls": [call]}, *say("tool: 3")]

    model = model_of(tmp_path / "m", ALL)
    talks: list[list[dict[str, Any]]] = [
        [*one, *say("assistant: so")] for one in (messages(), messages(name="go"), messages(arguments={"x": 1}))
    ]
    assert len(set(rmeval.score(model, talks).tolist())) == 3
    for key, value in (("name", "Ann"), ("reasoning_content", "it is what is")):
        first: list[dict[str, Any]] = [{"role": "user", "content": "why"} | extra for extra in ({}, {key: value})]
        scores = rmeval.score(model, [[one, *say("assistant: so")] for one in first])
        assert scores[0] != scores[1], key
    assert model.facts().get("not_shown") is None


def test_what_a_template_does_not_show_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain = "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}"
    model = model_of(tmp_path / "m", plain)
    talk: list[dict[str, Any]] = [
        {"role": "user", "content": "why", "name": "Ann"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "3", "tool_call_id": "7"},
        {"role": "assistant", "content": "so", "reasoning_content": "since"},
    ]
    other: list[dict[str, Any]] = [*talk[:-1], {"role": "assistant", "content": "no", "reasoning_content": "since"}]
    rmeval.score(model, [talk, other])
    assert model.facts()["not_shown"] == {
        "name of the role user": 2,
        "tool_calls of the role assistant": 2,
        "tool_call_id of the role tool": 2,
        "reasoning_content of the role assistant": 2,
    }
    assert sum("does not show" in record.message for record in caplog.records) == 4


@pytest.mark.parametrize(
    ("shown", "part"),
    [
        ("{{ m.tool_calls }}{{ tools }}", None),
        ("{{ (m.tool_calls or [''])[0] }}{{ tools }}", "tool_calls of the role assistant"),
        ("{{ (m.tool_calls or [''])[-1] }}{{ tools }}", "tool_calls of the role assistant"),
        (
            "{% for c in m.tool_calls or [] %}{{ c.function.name }}{% endfor %}{{ tools }}",
            "arguments of tool_calls of the role assistant",
        ),
        ("{{ m.tool_calls }}{{ (tools or [''])[0] }}", "tools"),
        ("{{ m.tool_calls }}{{ (tools or [''])[-1] }}", "tools"),
    ],
)
def test_the_first_and_the_last_of_several_calls_and_tools(tmp_path: Path, shown: str, part: str | None) -> None:
    model = model_of(tmp_path / "m", "{% for m in messages %}{{ m.role }}:{{ m.content }};" + shown + "{% endfor %}")
    calls = [{"function": {"name": name, "arguments": {"a": name}}} for name in ("f", "g", "h")]
    tools: Any = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]
    talks = [
        (Message("user", "why"), Message("assistant", "", tool_calls=tuple(own)), Message("assistant", "so"))
        for own in (calls[:1], calls)
    ]
    # One call and one tool come first, and must not stand for several.
    list(model.observe(conversation_requests(talks, [tools[:1], tools])))
    several = 2 if part is not None and part.startswith("arguments") else 1
    assert model.facts().get("not_shown") == (None if part is None else {part: several})


def test_the_option_for_a_role_with_spaces_can_be_copied(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"`allow_dropped_roles` 'the user'$"):
        score(tmp_path / "m", USER_AND_ASSISTANT, {"role": "the user", "content": "why"}, *say("user: and"))


def test_a_comparison_that_leaves_something_out(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m", tokenizer=make_tokenizer())
    file = tmp_path / "last.jinja"
    file.write_text("{{ prompt[-1].content }} {{ first }} {{ second }}")
    data = tmp_path / "p.jsonl"
    row = {"prompt": say("user: a", "assistant: b", "user: c"), "chosen": "so", "rejected": "no"}
    data.write_text(json.dumps(row) + "\n")
    options: dict[str, Any] = {"kind": "comparator", "comparison": str(file), "out": tmp_path / "runs"}
    with pytest.raises(ModelError, match="does not show messages of the role 'assistant'"):
        rmeval.evaluate(str(folder), "pairs", data, **options)


ROLES = ("system", "user", "assistant", "tool")


@given(
    st.lists(st.sampled_from(ROLES), min_size=1, max_size=12),
    st.sets(st.sampled_from(ROLES)),
    st.integers(0, 3),
)
def test_exactly_what_is_dropped_is_found(roles: list[str], dropped: set[str], skipped: int) -> None:
    """Of a layout that shows all but some roles, and all but the first messages."""

    def layout(conversations: Any, tools: Any) -> list[Any]:
        return [
            list(
                "".join(
                    m["content"] for m in messages[min(skipped, len(messages)) :] if m["role"] not in dropped
                ).encode()
            )
            for messages in conversations
        ]

    messages = [{"role": role, "content": f"text {number}"} for number, role in enumerate(roles)]
    hidden = {role for number, role in enumerate(roles) if role in dropped or number < skipped}
    assert {role for _, role in Visibility(layout).hidden(messages, ())} == hidden


@pytest.mark.parametrize("shown", [7, 8, 9, 12])
def test_a_layout_of_the_last_messages_alone(shown: int) -> None:
    def layout(conversations: Any, tools: Any) -> list[Any]:
        return [list("".join(m["content"] for m in messages[-shown:]).encode()) for messages in conversations]

    def talk(length: int) -> list[dict[str, Any]]:
        return [{"role": ("user", "assistant")[n % 2], "content": f"text {n}"} for n in range(length)]

    found = Visibility(layout)
    assert [bool(found.hidden(talk(length), ())) for length in range(6, 16)] == [n > shown for n in range(6, 16)]
    # Also behind more shapes than are tried.
    many = Visibility(layout)
    roles = [[f"role {n}", "user"] for n in range(300)]
    for one in roles:
        many.hidden([{"role": role, "content": "text"} for role in one], ())
    assert many.hidden(talk(shown), ()) == ()
    assert {role for _, role in many.hidden(talk(shown + 2), ())} == {"user", "assistant"}
