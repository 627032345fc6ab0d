"""What a judge's prompt shows: the conversation and the responses between tags that no text in them can end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from rmeval.protocols.judging.card import JudgeCard, letters_of
from rmeval.types import Message, Request

__all__ = ["template_values"]

_TAG = re.compile(
    r"[<\uff1c\u2039\ufe64]\s*[/\uff0f]?\s*(response|conversation|turn|reasoning|tools?|tool_calls?)\b", re.I
)
"""What looks like one of the tags; a text with it gets tags with a suffix that occurs in no text."""


def template_values(request: Request, card: JudgeCard) -> dict[str, Any]:
    """The variables of a prompt's template.

    Args:
        request: The request.
        card: The protocol's card, with variables of its own.
    """
    answers = request.messages or tuple(Message("assistant", text) for text in request.responses)
    suffix = _suffix([*_texts(request.prompt), *_texts(answers), *map(_json, request.tools)])
    letters = letters_of(len(answers))
    turns = [_tagged("turn", suffix, _shown(one, suffix), f' role="{_word(one.role)}"') for one in request.prompt]
    if request.tools:
        turns.insert(0, _tagged("tools", suffix, "\n".join(map(_json, request.tools))))
    shown = [_shown(one, suffix) for one in answers]
    names = [f" {letter}" for letter in letters] if len(answers) > 1 else [""]
    return {
        **card.variables,
        "conversation": _tagged("conversation", suffix, "\n".join(turns)),
        "blocks": [_tagged("response", suffix, text, name) for text, name in zip(shown, names, strict=True)],
        "prompt": [message.to_dict() for message in request.prompt],
        "question": request.prompt[-1].content if request.prompt else "",
        "responses": shown,
        "named": dict(zip(card.member_names(len(shown)), shown, strict=True)),
        "letters": list(letters),
        "tools": list(request.tools),
        "as_json": _as_json,
    }


def _texts(messages: Iterable[Message]) -> list[str]:
    parts = ((one.content, one.reasoning_content or "", *map(_json, one.tool_calls)) for one in messages)
    return [text for part in parts for text in part]


def _suffix(texts: Sequence[str]) -> str:
    """A suffix of the tags that occurs in no text; empty if no text contains anything like a tag."""
    if not any(map(_TAG.search, texts)):
        return ""
    content, number = "\0".join(texts), 0
    while True:
        data = f"{number}\0{content}".encode("utf-8", "surrogatepass")
        found = f"-{blake2b(data, digest_size=4).hexdigest()}"
        if found not in content:
            return found
        number += 1


def _shown(message: Message, suffix: str) -> str:
    """A message's content with the reasoning and the tool calls that the source stores beside it."""
    parts = []
    if message.reasoning_content:
        parts.append(_tagged("reasoning", suffix, message.reasoning_content))
    if message.content or not message.tool_calls:
        parts.append(message.content)
    parts += [_tagged("tool_call", suffix, _json(one)) for one in message.tool_calls]
    return "\n".join(parts)


def _tagged(tag: str, suffix: str, text: str, name: str = "") -> str:
    return f"<{tag}{suffix}{name}>\n{text}\n</{tag}{suffix}{name if not name.startswith(' role') else ''}>"


def _word(text: str) -> str:
    """A role as part of a tag; roles are words, unless a file has something else."""
    return re.sub(r"[^\w-]", "_", text)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _as_json(value: Any) -> str:
    """JSON of a value, indented, for templates: unlike Jinja's `tojson`, it leaves letters such as `<` as they are."""
    return json.dumps(value, ensure_ascii=False, indent=1)
