"""Other notations of conversations: dialogues in one text, and messages with other keys."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.types import Conversation, Message

__all__ = [
    "RENDERED",
    "dialogue_in",
    "from_sharegpt",
    "has_turns",
    "is_dialogue",
    "is_sharegpt",
    "only_text",
    "prompt_in",
]

_SPEAKERS = {"Human": "user", "Assistant": "assistant", "User": "user"}
_HH = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")
"""The beginning of a turn in HH-RLHF (Bai et al. 2022, arXiv 2204.05862)."""
_NEMO = re.compile(r"\n?<extra_id_1>(User|Assistant)\n?")
"""The beginning of a turn after the first in HelpSteer's prompts (NeMo-Aligner's `<extra_id_1>` template)."""
_HH_FIRST = re.compile(r"\s*Human:")
_NEMO_MARK = "<extra_id_1>"
RENDERED = (
    "<|im_start|>",
    "<|start_header_id|>",
    "<start_of_turn>",
    "[INST]",
    "<|user|>",
    "<|prompter|>",
    "### Human:",
)
"""Marks of turns that chat templates write."""
_ROLES = {
    "human": "user",
    "gpt": "assistant",
    "observation": "tool",
    **{role: role for role in ("system", "user", "assistant", "tool")},
}
"""Roles of ShareGPT."""


def dialogue_in(text: str) -> Conversation | None:
    """Return the turns of a text that is a dialogue in HH-RLHF's notation; None for any other text.

    White space around a turn is removed.
    """
    return _split(_HH, text) if is_dialogue(text) else None


def prompt_in(text: str) -> Conversation | None:
    """Return the turns of a prompt that is a dialogue in one text; None for any other text.

    An empty turn of the assistant at the end, which the response continues, is left out.
    """
    turns = _split(_NEMO, f"{_NEMO_MARK}User\n{text}") if _NEMO_MARK in text else dialogue_in(text)
    if turns and len(turns) > 1 and turns[-1] == Message("assistant", ""):
        return turns[:-1]
    return turns


def is_dialogue(text: str) -> bool:
    """Return whether a text is a dialogue in HH-RLHF's notation."""
    return "\n\nAssistant:" in text and _HH_FIRST.match(text) is not None


def has_turns(text: str) -> bool:
    """Return whether a prompt is a dialogue in one text."""
    return _NEMO_MARK in text or is_dialogue(text)


def _split(mark: re.Pattern[str], text: str) -> Conversation:
    """Return the turns of a text that begins with a mark."""
    _, *parts = mark.split(text)
    return tuple(
        Message(_SPEAKERS[speaker], said.strip()) for speaker, said in zip(parts[::2], parts[1::2], strict=True)
    )


def is_sharegpt(value: Mapping[str, Any]) -> bool:
    """Return whether a message has ShareGPT's keys `from` and `value` instead of `role` and `content`."""
    return "from" in value and "value" in value and "role" not in value and "content" not in value


def from_sharegpt(value: Mapping[str, Any], known: Collection[str], where: str) -> dict[str, Any]:
    """Return a message of ShareGPT with the keys `role` and `content`.

    Args:
        value: The message.
        known: Roles with a meaning of their own, which stay.
        where: File, row and column, for errors.

    Raises:
        DataError: If its role has no equal in chat templates.
    """
    role = value["from"]
    if isinstance(role, str) and role not in known:
        if role not in _ROLES:
            raise DataError(
                f"{where}: the role {quoted(role)} of 'from' is none of {', '.join(_ROLES)}: give `roles` {role}=user "
                "or what it is, and write calls of functions as 'tool_calls'"
            )
        role = _ROLES[role]
    rest = {key: own for key, own in value.items() if key not in ("from", "value")}
    return {"role": role, "content": value["value"], **rest}


def only_text(content: Any) -> Any:
    """Return the text of a content that is a list with one text part; any other content stays."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], Mapping):
        filled = {key: own for key, own in content[0].items() if own is not None}
        if filled.keys() == {"type", "text"} and filled["type"] == "text":
            return filled["text"]
    return content
