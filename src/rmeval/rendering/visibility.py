"""Finds parts of a conversation that a template does not show: changing such a part does not change the tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rmeval.types import MESSAGE_EXTRAS

__all__ = ["CONTENT", "Hidden", "Messages", "Tools", "Visibility"]

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]
Hidden = tuple[str, str]
"""A part of a conversation that is not shown: its name, and its role (empty for tools)."""
Shape = tuple[Any, ...]

CONTENT, TOOLS, ARGUMENTS = "content", "tools", "arguments of tool_calls"
_ENDS = 3
"""Number of messages at both ends of a conversation whose order is part of its shape; of the messages in between only
their number and kinds are."""
_SHAPES = 256
"""Number of shapes that are tested; of later ones only longer ones and those with a new kind of message."""
_MARK = "7x"


class Visibility:
    """Detector of parts that a template leaves out, which changes one part of a conversation at a time.

    Templates depend on roles and on the fields of messages, so one conversation represents all of the same shape.
    """

    def __init__(self, tokens: Callable[[list[Messages], list[Tools]], list[Sequence[int] | None]]) -> None:
        """Store the template.

        Args:
            tokens: Returns the token ids of conversations with their tools, None for a conversation it rejects.
        """
        self._tokens = tokens
        self._known: dict[Shape, tuple[Hidden, ...]] = {}
        self._kinds: set[Any] = set()
        self._longest = 0

    def hidden(self, messages: Messages, tools: Tools) -> tuple[Hidden, ...]:
        """Parts of a conversation that are not shown, found once per shape."""
        kinds = [_kind(message) for message in messages]
        shape = _shape(kinds, min(len(tools), 2))
        if shape not in self._known:
            if len(self._known) >= _SHAPES and self._kinds.issuperset(kinds) and len(kinds) <= self._longest:
                return ()
            self._kinds.update(kinds)
            self._longest = max(self._longest, len(kinds))
            self._known[shape] = self._try(messages, kinds, tools)
        return self._known[shape]

    def count(self, conversations: Sequence[Messages], tools: Sequence[Tools]) -> Counter[Hidden]:
        """Number of conversations with each part that is not shown."""
        found: Counter[Hidden] = Counter()
        for messages, own in zip(conversations, tools, strict=True):
            found.update(self.hidden(messages, own))
        return found

    def _try(self, messages: Messages, kinds: Sequence[Any], tools: Tools) -> tuple[Hidden, ...]:
        changes = list(_changes(messages, _places(kinds), tools))
        first, *others = self._tokens([messages, *(one[1] for one in changes)], [tools, *(one[2] for one in changes)])
        if first is None:
            return ()  # The template rejects it, which is reported elsewhere.
        same = {
            part: None
            for (part, _, _), tokens in zip(changes, others, strict=True)
            if tokens is not None and list(tokens) == list(first)
        }
        return tuple((part, role) for part, role in same if part != ARGUMENTS or ("tool_calls", role) not in same)


def _kind(message: Mapping[str, Any]) -> tuple[Any, ...]:
    """Properties of a message that templates depend on: role, whether it has content, other fields, several calls."""
    fields = tuple(key for key in MESSAGE_EXTRAS if key in message)
    return message["role"], bool(message["content"].strip()), fields, len(message.get("tool_calls", ())) > 1


def _shape(kinds: Sequence[Any], tools: int) -> Shape:
    if len(kinds) <= 2 * _ENDS:
        return tools, *kinds
    # The length is part of the shape: a template may show only the last few messages.
    return tools, len(kinds), *kinds[:_ENDS], frozenset(kinds[_ENDS:-_ENDS]), *kinds[-_ENDS:]


def _places(kinds: Sequence[Any]) -> list[int]:
    """The messages that are tested: those at the ends, and between them the first of each kind."""
    between = {kind: place for place, kind in reversed(list(enumerate(kinds[_ENDS:-_ENDS], _ENDS)))}
    return sorted({*range(len(kinds))[:_ENDS], *between.values(), *range(len(kinds))[-_ENDS:]})


def _changes(messages: Messages, places: Sequence[int], tools: Tools) -> Iterator[tuple[Hidden, Messages, Tools]]:
    """The conversation with one part changed, for each non-empty part."""

    def with_(place: int, **fields: Any) -> Messages:
        return [*messages[:place], {**messages[place], **fields}, *messages[place + 1 :]]

    for place in places:
        message = messages[place]
        role = message["role"]
        if content := message["content"].strip():
            # A template may skip the beginning of a text (such as a reasoning part) or its end, but not both.
            yield (CONTENT, role), with_(place, content=f"{_MARK} {content} {_MARK}"), tools
        for key in MESSAGE_EXTRAS:
            if key not in message:
                continue
            if key != "tool_calls":
                yield (key, role), with_(place, **{key: f"{message[key]}{_MARK}"}), tools
                continue
            for part, calls in _changed_calls(message[key]):
                yield (part, role), with_(place, **{key: calls}), tools
    if tools:
        for changed in _at_the_ends(tools, _renamed):
            yield (TOOLS, ""), messages, changed


def _changed_calls(calls: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    for part, change in (("tool_calls", _renamed), (ARGUMENTS, _with_arguments)):
        for changed in _at_the_ends(calls, change):
            yield part, changed


def _at_the_ends(
    values: Sequence[Mapping[str, Any]], change: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Iterator[list[Mapping[str, Any]]]:
    """The values with the first changed, and with the last changed, because some templates show one of several."""
    yield [change(values[0]), *values[1:]]
    if len(values) > 1:
        yield [*values[:-1], change(values[-1])]


def _renamed(value: Mapping[str, Any]) -> dict[str, Any]:
    """A call or tool with another name, which is in the value itself or in its function."""
    if isinstance(function := value.get("function"), Mapping):
        return {**value, "function": _renamed(function)}
    return {**value, "name": f"{value.get('name', '')}{_MARK}"}


def _with_arguments(value: Mapping[str, Any]) -> dict[str, Any]:
    """A call with other arguments, which are an object or a text."""
    if isinstance(function := value.get("function"), Mapping):
        return {**value, "function": _with_arguments(function)}
    given = value.get("arguments")
    changed = {**given, _MARK: _MARK} if isinstance(given, Mapping) else f"{given or ''}{_MARK}"
    return {**value, "arguments": changed}
