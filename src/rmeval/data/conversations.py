"""Reading of conversations from files and callers, without dropping any part of them."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rmeval.data.dialogues import from_sharegpt, has_turns, is_sharegpt, only_text, prompt_in
from rmeval.data.json_text import JSONError, parse_json
from rmeval.errors import DataError
from rmeval.limits import limit
from rmeval.messages import quoted, shortened
from rmeval.types import MESSAGE_EXTRAS, Conversation, Message

__all__ = [
    "INPUT_COLUMNS",
    "MessageReader",
    "is_empty",
    "is_said",
    "list_in_text",
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
"""Roles of chat templates by role names in data sets that chat templates do not accept."""
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
"""Names of columns in data sets that contain parts of the input besides the prompt."""
_OBJECT = re.compile(r"(?:array\()?[\[(]?\s*\{\s*(['\"])[\w ]+\1\s*:")
_ENCODED = re.compile(r"""\"\s*\[?\s*\{\s*(\\"|')""")
"""Beginnings of a list or a message that is written as text, in Python's notation or as JSON."""
_FIRST = ("[", "(", "{", '"', "array(")
"""First characters of such texts."""
_MARKS = (("role", "content"), ("role", "tool_calls"), ("from", "value"))
"""Pairs of keys; a message has at least one of these pairs."""
_NO_MESSAGES = re.compile(r"\s*\[\s*\]\s*")
_HEAD = 200
"""Number of characters of a text that are inspected before it is parsed."""
_KEYS = {"role", "content", *MESSAGE_EXTRAS}


def is_empty(value: Any) -> bool:
    """Return whether a value is empty: null, or a string, list or object without content."""
    return value is None or (isinstance(value, str | list | tuple | dict) and not value)


def list_in_text(text: str, where: str) -> list[Any] | None:
    """Parse a text that is a list of messages written as JSON; None for any other text.

    Args:
        text: The text.
        where: File, row and column, for the error.

    Raises:
        DataError: If the text is a list of messages in Python's notation, which is not JSON, or repeats a key.
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
        # Files that were not written with a JSON library often contain unescaped line ends within texts.
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
    """Return tools or tool calls: a list of JSON objects, or such a list written as JSON text.

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
    """Return the value, parsed if it is JSON text; None for an empty text."""
    if not isinstance(value, str):
        return value
    try:
        return parse_json(value, finite=True) if value.strip() else None
    except ValueError as error:
        raise DataError(f"{wanted}: {error}") from error


def _filled(value: Any, where: str, depth: int) -> Any:
    """Return the value as JSON, without the nulls that parquet and datasets add to the objects of a column."""
    if depth < 1:
        raise DataError(f"{where} has too many levels of nested objects: check the data")
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _filled(own, where, depth - 1) for key, own in value.items() if own is not None}
    if isinstance(value, list | tuple):
        return [_filled(own, where, depth - 1) for own in value]
    if not isinstance(value, str | int | float | None) or (isinstance(value, float) and not math.isfinite(value)):
        raise DataError(f"{where} contains {quoted(value)}, which JSON cannot represent: correct the data")
    return value


class MessageReader:
    """Reader of lists of messages; parts that it does not know are errors.

    Attributes:
        ignored: Keys of messages and columns that the user excludes.
        turns: Whether the user names the roles of dialogues in one text, which are then split.
    """

    def __init__(
        self, roles: Mapping[str, str] = MappingProxyType({}), ignored: Collection[str] = (), hint: bool = True
    ) -> None:
        """Store the user's options about the data.

        Args:
            roles: The data's role names, mapped to those of chat templates.
            ignored: Keys to exclude.
            hint: Whether errors may suggest the options `roles` and `ignore_keys`.
        """
        self._roles = dict(roles)
        self.ignored = frozenset(ignored)
        self.turns = "Human" in self._roles
        self._hint = hint
        self._noted: set[str] = set()

    def conversation(self, value: Any, where: str) -> Conversation:
        """Read a prompt: a user's message as a string, or a list of messages, also as JSON text.

        Args:
            value: The value in the data.
            where: File, row and column, for errors.

        Raises:
            DataError: If it is neither.
        """
        if isinstance(value, str):
            found = self.listed(value, where)
            if _NO_MESSAGES.fullmatch(value):
                raise DataError(f"{where} is an empty list written as text: add messages")
            return (Message("user", value),) if found is None else found
        if hasattr(value, "tolist"):
            value = value.tolist()
        if not isinstance(value, list | tuple):
            raise DataError(f"{where} must be a string or a list of messages, not {type(value).__name__}")
        if not value:
            raise DataError(f"{where} has no messages: add at least one")
        return tuple(self.message(one, where) for one in value)

    def prompt(self, value: Any, where: str, turns: bool = False) -> Conversation:
        """Read a prompt, which may be a dialogue in one text.

        Args:
            value: The value in the data.
            where: File, row and column, for errors.
            turns: Whether to split a dialogue into turns, although the user did not name its roles.
        """
        if isinstance(value, str) and has_turns(value):
            if (turns or self.turns) and (found := prompt_in(value)) is not None:
                return found
            # Runs from before dialogues were recognised have such a prompt as one message.
            self.note(
                "turns",
                "%s is a dialogue in one text, which rmeval reads as one message of the user: to split it into turns, "
                "give `roles` Human=user,Assistant=assistant",
                where,
            )
        return self.conversation(value, where)

    def listed(self, text: str, where: str) -> Conversation | None:
        """Return the conversation in a text that is a list of messages written as JSON; None for any other text."""
        found = list_in_text(text, where)
        if found is None:
            return None
        self.note("json", "%s is a list of messages written as JSON: rmeval reads it as messages", where)
        return tuple(self.message(one, where) for one in found)

    def message(self, value: Any, where: str) -> Message:
        """Read one message.

        Raises:
            DataError: If it is not a message, or contains something that would not reach the model.
        """
        if isinstance(value, Message):
            return value
        if isinstance(value, Mapping) and is_sharegpt(value):
            value = from_sharegpt(value, self._roles, where)
            self.note(
                "sharegpt", "%s has messages with 'from' and 'value': human is the user, gpt the assistant", where
            )
        if not isinstance(value, Mapping) or not isinstance(role := value.get("role"), str) or not role.strip():
            raise DataError(f'{where} must contain messages like {{"role": "user", "content": "..."}}')
        content = only_text(value.get("content"))
        extras = {key: value[key] for key in MESSAGE_EXTRAS if not is_empty(value.get(key)) and key not in self.ignored}
        if content is None and extras:
            content = ""
        if not isinstance(content, str):
            raise DataError(
                f'{where} must contain messages like {{"role": "user", "content": "..."}}: the content is '
                f"{'missing' if content is None else f'a {type(content).__name__}'}"
            )
        self._refuse_unknown(value, where)
        if "tool_calls" in extras:
            extras["tool_calls"] = tools_of(extras["tool_calls"], f"{where}: 'tool_calls'")
        if wrong := next((key for key in extras if key != "tool_calls" and not isinstance(extras[key], str)), None):
            raise DataError(f"{where}: {wrong!r} in a message must be a string, not {type(extras[wrong]).__name__}")
        return Message(self.role(role, where), content, **extras)

    def role(self, name: str, where: str) -> str:
        """Translate a role to its name in chat templates.

        Raises:
            DataError: If chat templates do not accept the name.
        """
        if name in self._roles:
            return self._roles[name]
        # Only names that no template supports are rejected here; the model's template decides about the others.
        if (meant := ROLE_ALIASES.get(name.strip().lower())) is None:
            return name
        way = f"`roles` {name}={meant}" if self._hint else f"the role {meant!r}"
        raise DataError(f"{where}: chat templates do not accept the role {quoted(name)}: give {way}")

    def history(self, value: Any, where: str) -> Conversation:
        """Read earlier turns: a list of messages or of pairs (user, assistant), also as JSON text.

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
        """Raise an error for columns that contain part of the input and are not read.

        Args:
            fields: The row.
            unread: Columns that may contain part of the input, according to their names.
            conversation: The conversation from the row; a column whose text it contains can be ignored.
            where: File and row, for the error.

        Raises:
            DataError: If a column contains text that the conversation does not.
        """
        if fields.keys().isdisjoint(unread):
            return
        held = [name for name in unread if name not in self.ignored and not is_empty(fields.get(name))]
        held = [name for name in held if not is_said(fields[name], conversation)]
        if held:
            way = f"exclude it with `ignore_keys` {','.join(held)}" if self._hint else "remove it from the file"
            raise DataError(
                f"{where}: {_columns(held)} would not reach the model: add the text to the prompt's messages, or {way}"
            )

    def _refuse_unknown(self, value: Mapping[str, Any], where: str) -> None:
        unknown = [key for key in value if key not in _KEYS | self.ignored and not is_empty(value[key])]
        if unknown:
            way = f"or give `ignore_keys` {shortened(','.join(unknown))}" if self._hint else "or remove them"
            raise DataError(
                f"{where}: a message contains {shortened(', '.join(map(repr, unknown)))}, which would not reach the "
                f"model (rmeval reads {', '.join(sorted(_KEYS))}): rename {'it' if len(unknown) == 1 else 'them'}, "
                f"{way}"
            )

    def note(self, key: str, text: str, *values: str) -> None:
        """Log a warning, the first time that a key is given."""
        if key not in self._noted:
            self._noted.add(key)
            logger.warning(text, *values)


def is_said(value: Any, conversation: Conversation) -> bool:
    """Return whether a conversation contains all texts of a column (a text, a message, or a list of these)."""
    if isinstance(value, list | tuple):
        return all(is_said(one, conversation) for one in value)
    if isinstance(value, dict):
        keys = {key for key in value if not is_empty(value[key])}
        value = (
            value["content"] if keys == {"role", "content"} else value["value"] if keys == {"from", "value"} else None
        )
    return isinstance(value, str) and any(value.strip() in message.content for message in conversation)


def _columns(names: Sequence[str]) -> str:
    word = "the column" if len(names) == 1 else "the columns"
    return f"{word} {', '.join(map(repr, names))}"
