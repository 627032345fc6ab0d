"""What of a conversation reaches the tokens: a part that can be changed without changing them is not shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rmeval.types import MESSAGE_EXTRAS

__all__ = ["CONTENT", "Hidden", "Messages", "Tools", "Visibility"]

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]
Hidden = tuple[str, str]
"""A part of a conversation that is not shown: its name, and the role it belongs to (none for tools)."""
Shape = tuple[Any, ...]

CONTENT, TOOLS, ARGUMENTS = "content", "tools", "arguments of tool_calls"
_ENDS = 3
"""Messages at both ends of a conversation whose order counts; of those between, only how many and which kinds."""
_SHAPES = 256
"""Shapes of conversations that are tried; of later ones only those that are longer, or have a new kind of message."""
_MARK = "7x"


class Visibility:
    """Finds what a layout leaves out, by changing one part of a conversation at a time.

    Templates decide by roles and by which fields a message has, so that one conversation stands for all of its shape.
    """

    def __init__(self, tokens: Callable[[list[Messages], list[Tools]], list[Sequence[int] | None]]) -> None:
        """Takes the layout.

        Args:
            tokens: Gives the token ids of conversations with their tools, None for one that is refused.
        """
        self._tokens = tokens
        self._known: dict[Shape, tuple[Hidden, ...]] = {}
        self._kinds: set[Any] = set()
        self._longest = 0

    def hidden(self, messages: Messages, tools: Tools) -> tuple[Hidden, ...]:
        """What is not shown of a conversation, found once for each shape."""
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
        """How many of some conversations hold something that is not shown, by what it is."""
        found: Counter[Hidden] = Counter()
        for messages, own in zip(conversations, tools, strict=True):
            found.update(self.hidden(messages, own))
        return found

    def _try(self, messages: Messages, kinds: Sequence[Any], tools: Tools) -> tuple[Hidden, ...]:
        changes = list(_changes(messages, _places(kinds), tools))
        first, *others = self._tokens([messages, *(one[1] for one in changes)], [tools, *(one[2] for one in changes)])
        if first is None:
            return ()  # The layout refuses it, which has an error of its own.
        same = {
            part: None
            for (part, _, _), tokens in zip(changes, others, strict=True)
            if tokens is not None and list(tokens) == list(first)
        }
        return tuple((part, role) for part, role in same if part != ARGUMENTS or ("tool_calls", role) not in same)


def _kind(message: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a template may decide by: the role, whether there is content, which other fields, and more than one call."""
    fields = tuple(key for key in MESSAGE_EXTRAS if key in message)
    return message["role"], bool(message["content"].strip()), fields, len(message.get("tool_calls", ())) > 1


def _shape(kinds: Sequence[Any], tools: int) -> Shape:
    if len(kinds) <= 2 * _ENDS:
        return tools, *kinds
    # The length counts: a layout may show the last few messages alone.
    return tools, len(kinds), *kinds[:_ENDS], frozenset(kinds[_ENDS:-_ENDS]), *kinds[-_ENDS:]


def _places(kinds: Sequence[Any]) -> list[int]:
    """The messages that are tried: those at the ends, and between them the first of each kind."""
    between = {kind: place for place, kind in reversed(list(enumerate(kinds[_ENDS:-_ENDS], _ENDS)))}
    return sorted({*range(len(kinds))[:_ENDS], *between.values(), *range(len(kinds))[-_ENDS:]})


def _changes(messages: Messages, places: Sequence[int], tools: Tools) -> Iterator[tuple[Hidden, Messages, Tools]]:
    """The conversation with one part changed, for each part that holds something."""

    def with_(place: int, **fields: Any) -> Messages:
        return [*messages[:place], {**messages[place], **fields}, *messages[place + 1 :]]

    for place in places:
        message = messages[place]
        role = message["role"]
        if content := message["content"].strip():
            # The end of a text may be cut or its beginning skipped, such as a reasoning part: not both at once.
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
    """The values with the first changed, and with the last: some templates show one of several."""
    yield [change(values[0]), *values[1:]]
    if len(values) > 1:
        yield [*values[:-1], change(values[-1])]


def _renamed(value: Mapping[str, Any]) -> dict[str, Any]:
    """A call or a tool with another name, which is either its own or its function's."""
    if isinstance(function := value.get("function"), Mapping):
        return {**value, "function": _renamed(function)}
    return {**value, "name": f"{value.get('name', '')}{_MARK}"}


def _with_arguments(value: Mapping[str, Any]) -> dict[str, Any]:
    """A call with other arguments, which are an object or text."""
    if isinstance(function := value.get("function"), Mapping):
        return {**value, "function": _with_arguments(function)}
    given = value.get("arguments")
    changed = {**given, _MARK: _MARK} if isinstance(given, Mapping) else f"{given or ''}{_MARK}"
    return {**value, "arguments": changed}
