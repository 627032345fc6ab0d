"""Digests that identify equal values across processes and machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rmeval.types import Conversation, Item, Message

__all__ = ["contents_digest", "conversation_digest", "digest", "gold_digest", "item_digests", "unordered_digest"]


def digest(value: Any) -> str:
    """Return 32 hex digits of BLAKE2b over the value's canonical JSON (sorted keys, no spaces)."""
    return _digest(_canonical(value)).hex()


def _digest(text: str, size: int = 16) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()


# One encoder for all values, since `json.dumps` creates a new one for each.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def conversation_digest(conversation: Conversation, tools: Sequence[Mapping[str, Any]] = ()) -> str:
    """Compute the digest of a conversation: roles, contents, and if present, further fields of messages and tools."""
    return _digest(f"[{','.join([*map(_message, conversation), *_tools(tools)])}]").hex()


def item_digests(item: Item) -> tuple[str, ...]:
    """Compute the conversation digest of each response of an item with texts."""
    prompt, tools = [*map(_message, item.prompt)], _tools(item.tools)
    responses = (_message(response.message or Message("assistant", response.text)) for response in item.responses)
    return tuple([_digest(f"[{','.join([*prompt, response, *tools])}]").hex() for response in responses])


def _message(message: Message) -> str:
    extras = message.extras
    more = f",{_canonical(extras)}" if extras else ""
    return f"[{_canonical(message.role)},{_canonical(message.content)}{more}]"


def _tools(tools: Sequence[Mapping[str, Any]]) -> list[str]:
    return [_canonical({"tools": list(tools)})] if tools else []


def contents_digest(digests: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Compute the digest of a benchmark's requests: item ids with their conversation digests, in any order.

    Responses are sorted within an item, because their order often reveals gold, which is not part of this digest.
    """
    return _sum(f"[{','.join(map(_canonical, [name, *sorted(contents)]))}]" for name, contents in digests)


def gold_digest(items: Iterable[tuple[Item, Sequence[str]]]) -> str:
    """Compute the digest of a benchmark's gold: gold and comparisons of each conversation, in any order of items.

    Args:
        items: The items (their texts are not needed), each with the conversation digest of each response.
    """
    return unordered_digest(_known(item, own) for item, own in items)


def _known(item: Item, own: Sequence[str]) -> list[Any]:
    golds = [[content, response.gold] for content, response in zip(own, item.responses, strict=True)]
    comparisons = [[[own[member] for member in c.members], c.gold, c.tag] for c in item.comparisons]
    return [item.id, golds, comparisons, _WEIGHT]


_WEIGHT = 1.0
"""Value of a removed field of items; it keeps the digests in older run folders valid."""


def unordered_digest(values: Iterable[Any]) -> str:
    """Return 32 hex digits that do not depend on the order of the values, in constant memory.

    They are a part of the sum of the values' 256-bit digests modulo 2^256 (the additive multiset hash of Bellare and
    Micciancio 1997, EUROCRYPT, section 5).
    """
    return _sum(map(_canonical, values))


def _sum(texts: Iterable[str]) -> str:
    return digest(sum(int.from_bytes(_digest(text, 32), "big") for text in texts) % 2**256)
