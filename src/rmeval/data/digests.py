"""Digests that identify equal values across processes and machines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rmeval.types import Conversation, Item

__all__ = ["contents_digest", "conversation_digest", "digest", "gold_digest", "item_digests", "unordered_digest"]


def digest(value: Any) -> str:
    """Return 32 hex digits of BLAKE2b over the value's canonical JSON (sorted keys, no spaces)."""
    return hashlib.blake2b(_canonical(value), digest_size=16).hexdigest()


def _canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def conversation_digest(conversation: Conversation, tools: Sequence[Mapping[str, Any]] = ()) -> str:
    """Digest of a conversation: roles, contents, and if present the messages' further fields and the tools."""
    messages: list[Any] = [
        [message.role, message.content, *([extras] if (extras := message.extras) else [])] for message in conversation
    ]
    return digest([*messages, {"tools": list(tools)}] if tools else messages)


def item_digests(item: Item) -> tuple[str, ...]:
    """The conversation digest of each response of an item with texts."""
    return tuple(conversation_digest(item.conversation(index), item.tools) for index in range(len(item.responses)))


def contents_digest(digests: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Digest of a benchmark's questions: item ids with their conversation digests, in any order.

    Responses are sorted within an item, because their order often reveals gold, which is not part of the questions.
    """
    return unordered_digest([name, *sorted(contents)] for name, contents in digests)


def gold_digest(items: Iterable[tuple[Item, Sequence[str]]]) -> str:
    """Digest of a benchmark's gold: the gold and the comparisons of each conversation, in any order of items.

    Args:
        items: The items (their texts are not needed), each with the conversation digest of each response.
    """
    return unordered_digest(_known(item, own) for item, own in items)


def _known(item: Item, own: Sequence[str]) -> list[Any]:
    golds = [[content, response.gold] for content, response in zip(own, item.responses, strict=True)]
    comparisons = [[[own[member] for member in c.members], c.gold, c.tag] for c in item.comparisons]
    return [item.id, golds, comparisons, _WEIGHT]


_WEIGHT = 1.0
"""A former field of items that no number depended on; it keeps the digests in older run folders valid."""


def unordered_digest(values: Iterable[Any]) -> str:
    """Return 32 hex digits that do not depend on the order of the values, in constant memory.

    The sum of the values' 256-bit digests modulo 2^256 (the additive multiset hash of Bellare and Micciancio 1997,
    EUROCRYPT, section 5), shortened.
    """
    total = sum(int.from_bytes(hashlib.blake2b(_canonical(value), digest_size=32).digest(), "big") for value in values)
    return digest(total % 2**256)
