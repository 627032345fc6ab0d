"""Conversations as files and callers give them, read without dropping anything they hold."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rmeval.data.json_text import JSONError, parse_json
from rmeval.errors import DataError
from rmeval.limits import limit
from rmeval.messages import quoted, shortened
from rmeval.types import MESSAGE_EXTRAS, Conversation, Message

__all__ = [
    "INPUT_COLUMNS",
    "MessageReader",
    "is_empty",
    "list_in_text",
    "list_of_texts",
    "mapping_of_texts",
    "tools_of",
]

logger = logging.getLogger(__name__)

ROLE_ALIASES = {
    "human": "user",
    "prompter": "user",
    "question": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "chatgpt": "assistant",
    "answer": "assistant",
}
"""Names that data sets use for roles, which chat templates do not know."""
INPUT_COLUMNS = (
    "audio",
    "available_tools",
    "chat_history",
    "context",
    "conversation_history",
    "dialogue_history",
    "docs",
    "documents",
    "functions",
    "history",
    "image",
    "images",
    "input",
    "instruction",
    "instructions",
    "passage",
    "passages",
    "query",
    "question",
    "system",
    "system_message",
    "system_prompt",
    "tool_definitions",
    "tools",
    "video",
    "videos",
)
"""Columns in which data sets keep parts of the input beside a prompt."""
_OBJECT = re.compile(r"(?:array\()?[\[(]?\s*\{\s*(['\"])[\w ]+\1\s*:")
_ENCODED = re.compile(r"""\"\s*\[?\s*\{\s*(\\"|')""")
"""The beginning of a list or a message that was written as text, and that text as JSON."""
_FIRST = ("[", "(", "{", '"', "array(")
"""How each of these begins."""
_MARKS = (("role", "content"), ("role", "tool_calls"), ("from", "value"))
"""Keys of which a message has at least one pair."""
_NO_MESSAGES = re.compile(r"\s*\[\s*\]\s*")
_HEAD = 200
"""Characters of a text that are looked at before it is parsed."""
_KEYS = {"role", "content", *MESSAGE_EXTRAS}


def is_empty(value: Any) -> bool:
    """Whether a value holds nothing: null, or a string, list or object without content."""
    return value is None or (isinstance(value, str | list | tuple | dict) and not value)


def list_in_text(text: str, where: str) -> list[Any] | None:
    """The messages in a text that is a list of messages written as JSON; None for any other text.

    Args:
        text: The text.
        where: File, row and column, for the error.

    Raises:
        DataError: If the text is a list of messages in Python's notation, which is not JSON, or holds a key twice.
    """
    head = text[:_HEAD].lstrip()
    if not head.startswith(_FIRST):
        return None
    if _ENCODED.match(head):
        try:
            text = str(json.loads(text))
        except ValueError:
            return None
    begin = _OBJECT.match(text[:_HEAD].lstrip())
    if begin is None or not text.rstrip().endswith(("]", "}", ")")):
        return None
    quote = begin[1]
    if not any(all(f"{quote}{key}{quote}" in text for key in keys) for keys in _MARKS):
        return None
    try:
        # Line ends within texts are common in files that were not written by json.
        found = parse_json(text, finite=True, control=True)
    except JSONError as error:
        raise DataError(f"{where} is a list of messages written as JSON that cannot be read: {error}") from error
    except ValueError:
        if quote == "'":
            raise DataError(
                f"{where} is a list of messages in Python's notation, written as text: write it as JSON, "
                "for example with json.dumps or DataFrame.to_json(lines=True, orient='records')"
            ) from None
        return None
    if isinstance(found, dict):
        found = found["messages"] if found.keys() == {"messages"} else [found]
    return found if isinstance(found, list) and any(map(_looks_like_message, found)) else None


def _looks_like_message(value: Any) -> bool:
    return isinstance(value, dict) and any(value.keys() >= set(keys) for keys in _MARKS)


def tools_of(value: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    """Tools or tool calls: a list of JSON objects, or such a list written as JSON text.

    Raises:
        DataError: If the value is something else.
    """
    value = _from_json(value, f"{where} must be a list of objects, or one written as JSON")
    if is_empty(value):
        return ()
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(one, dict) for one in value):
        raise DataError(f"{where} must be a list of objects: check the data")
    return tuple(_filled(one, where, limit("NESTING")) for one in value)


def _from_json(value: Any, wanted: str) -> Any:
    """The value, which may be written as JSON text; None for a text without anything."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value, finite=True) if value.strip() else None
    except ValueError as error:
        raise DataError(f"{wanted}: {error}") from error


def _filled(value: Any, where: str, depth: int) -> Any:
    """The value, which JSON can hold, without the nulls that parquet and datasets write into objects of one column."""
    if depth < 1:
        raise DataError(f"{where} holds objects too deep within each other: check the data")
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _filled(own, where, depth - 1) for key, own in value.items() if own is not None}
    if isinstance(value, list | tuple):
        return [_filled(own, where, depth - 1) for own in value]
    if not isinstance(value, str | int | float | None) or (isinstance(value, float) and not math.isfinite(value)):
        raise DataError(f"{where} holds {quoted(value)}, which JSON cannot hold: check the data")
    return value


def mapping_of_texts(value: Any, option: str) -> Mapping[str, str]:
    """The value of an option that is a mapping of texts, empty for None.

    Raises:
        DataError: If it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for pair in value.items() for one in pair):
        raise DataError(f"{option} must be a mapping of texts, such as {{'human': 'user'}}, not {quoted(value)}")
    return value


def list_of_texts(value: Any, option: str) -> Sequence[str]:
    """The value of an option that is a list of texts, empty for None.

    Raises:
        DataError: If it is something else.
    """
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise DataError(f"{option} must be a list of texts, such as ['name'], not {quoted(value)}")
    return value


class MessageReader:
    """Reads lists of messages; what it does not know, it refuses by name.

    Attributes:
        ignored: Keys of messages and columns that are left out on purpose.
    """

    def __init__(
        self, roles: Mapping[str, str] = MappingProxyType({}), ignored: Collection[str] = (), hint: bool = True
    ) -> None:
        """Takes what the user says of the data.

        Args:
            roles: The data's names of roles, and what chat templates call them.
            ignored: Keys to leave out.
            hint: Whether the caller has the options --roles and --ignore-keys.
        """
        self._roles = dict(roles)
        self.ignored = frozenset(ignored)
        self._hint = hint
        self._noted: set[str] = set()

    def conversation(self, value: Any, where: str) -> Conversation:
        """A user's prompt as a string, or a list of messages, also one written as JSON text.

        Args:
            value: What the data hold.
            where: File, row and column, for errors.

        Raises:
            DataError: If it is neither.
        """
        if isinstance(value, str):
            found = self.listed(value, where)
            if _NO_MESSAGES.fullmatch(value):
                raise DataError(f"{where} is an empty list that was written as text: add its messages")
            return (Message("user", value),) if found is None else found
        if hasattr(value, "tolist"):
            value = value.tolist()
        if not isinstance(value, list | tuple):
            raise DataError(f"{where} must be a string or a list of messages, not {type(value).__name__}")
        if not value:
            raise DataError(f"{where} has no messages: add them")
        return tuple(self.message(one, where) for one in value)

    def listed(self, text: str, where: str) -> Conversation | None:
        """The conversation in a text that is a list of messages written as JSON; None for any other text."""
        found = list_in_text(text, where)
        if found is None:
            return None
        self._note("json", "%s is a list of messages written as JSON: such texts are read as messages", where)
        return tuple(self.message(one, where) for one in found)

    def message(self, value: Any, where: str) -> Message:
        """One message.

        Raises:
            DataError: If it is none, or holds something that would not reach the model.
        """
        if isinstance(value, Message):
            return value
        if not isinstance(value, Mapping) or not isinstance(role := value.get("role"), str) or not role.strip():
            raise DataError(f'{where} must hold messages like {{"role": "user", "content": "..."}}{_sharegpt(value)}')
        content = value.get("content")
        extras = {key: value[key] for key in MESSAGE_EXTRAS if not is_empty(value.get(key)) and key not in self.ignored}
        if content is None and extras:
            content = ""
        if not isinstance(content, str):
            raise DataError(
                f'{where} must hold messages like {{"role": "user", "content": "..."}}: the content is '
                f"{'missing' if content is None else f'a {type(content).__name__}'}"
            )
        self._refuse_unknown(value, where)
        if "tool_calls" in extras:
            extras["tool_calls"] = tools_of(extras["tool_calls"], f"{where}: 'tool_calls'")
        if wrong := next((key for key in extras if key != "tool_calls" and not isinstance(extras[key], str)), None):
            raise DataError(f"{where}: {wrong!r} of a message must be a string, not {type(extras[wrong]).__name__}")
        return Message(self.role(role, where), content, **extras)

    def role(self, name: str, where: str) -> str:
        """The role by the name that chat templates know.

        Raises:
            DataError: If the name is one that they do not know.
        """
        if name in self._roles:
            return self._roles[name]
        # Only a word that no template is written for is refused by its name; others are tried on the template.
        if (meant := ROLE_ALIASES.get(name.strip().lower())) is None:
            return name
        way = f"`roles` {name}={meant}" if self._hint else f"the role {meant!r}"
        raise DataError(f"{where}: chat templates do not know the role {quoted(name)}: give {way}")

    def history(self, value: Any, where: str) -> Conversation:
        """Earlier turns: a list of messages, or of pairs of what the user and the assistant said, or JSON text of one.

        Raises:
            DataError: If it is neither.
        """
        if hasattr(value, "tolist"):
            value = value.tolist()
        value = _from_json(value, f"{where} must be a list of messages or of pairs of texts, or one written as JSON")
        if is_empty(value):
            return ()
        if not isinstance(value, list | tuple):
            raise DataError(f"{where} must be a list of messages or of pairs of texts, not {type(value).__name__}")
        turns: list[Message] = []
        for one in value:
            if isinstance(one, list | tuple) and len(one) == 2 and all(isinstance(text, str) for text in one):
                turns += [Message("user", one[0]), Message("assistant", one[1])]
            else:
                turns.append(self.message(one, where))
        return tuple(turns)

    def refuse_columns(
        self, fields: Mapping[str, Any], unread: Collection[str], conversation: Conversation, where: str
    ) -> None:
        """Refuses columns that hold part of the input and are not read.

        Args:
            fields: The row.
            unread: Columns whose names say that they may hold part of the input.
            conversation: What is read of the row; a column whose text is in there is no loss.
            where: File and row, for the error.

        Raises:
            DataError: If one of them holds something else.
        """
        if fields.keys().isdisjoint(unread):
            return
        held = [name for name in unread if name not in self.ignored and not is_empty(fields.get(name))]
        held = [name for name in held if not _is_in(fields[name], conversation)]
        if held:
            way = f"leave it out with `ignore_keys` {','.join(held)}" if self._hint else "take it out of the file"
            raise DataError(
                f"{where}: {_columns(held)} would not reach the model: put the text into the prompt's messages, "
                f"or {way}"
            )

    def _refuse_unknown(self, value: Mapping[str, Any], where: str) -> None:
        unknown = [key for key in value if key not in _KEYS | self.ignored and not is_empty(value[key])]
        if unknown:
            way = f"or give `ignore_keys` {shortened(','.join(unknown))}" if self._hint else "or leave them out"
            raise DataError(
                f"{where}: a message holds {shortened(', '.join(map(repr, unknown)))}, which would not reach the model "
                f"(read are {', '.join(sorted(_KEYS))}): rename {'it' if len(unknown) == 1 else 'them'}, {way}"
            )

    def _note(self, key: str, text: str, *values: str) -> None:
        if key not in self._noted:
            self._noted.add(key)
            logger.warning(text, *values)


def _is_in(value: Any, conversation: Conversation) -> bool:
    """Whether all texts of a column, which holds one, or messages, or a list of these, are in a conversation."""
    if isinstance(value, list | tuple):
        return all(_is_in(one, conversation) for one in value)
    if isinstance(value, dict) and {key for key in value if not is_empty(value[key])} == {"role", "content"}:
        value = value["content"]
    return isinstance(value, str) and any(value.strip() in message.content for message in conversation)


def _columns(names: Sequence[str]) -> str:
    word = "the column" if len(names) == 1 else "the columns"
    return f"{word} {', '.join(map(repr, names))}"


def _sharegpt(value: Any) -> str:
    if isinstance(value, Mapping) and {"from", "value"} <= value.keys():
        return ": rename 'from' to 'role' and 'value' to 'content'"
    return ""
