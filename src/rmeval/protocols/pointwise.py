"""The pointwise protocol: each answer is scored by itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from rmeval.digests import conversation_digest, digest, item_digests
from rmeval.errors import DataError
from rmeval.types import Conversation, Evidence, Item, Message, Observation, Request

__all__ = [
    "IMPORTED",
    "KEYS",
    "NAME",
    "MessageLike",
    "as_conversation",
    "conversation_requests",
    "fold",
    "imported_keys",
    "key_of",
    "keys",
    "parse",
    "requests",
]

MessageLike = Message | Mapping[str, str]

NAME = "pointwise@1"
IMPORTED = "imported@1"


def key_of(content: str) -> str:
    """The request key for a conversation's digest; it does not need the text, so evidence folds without it."""
    return digest([NAME, content])


def requests(items: Iterable[Item]) -> list[Request]:
    """One request for each distinct conversation, in the order of first occurrence."""
    found: dict[str, Request] = {}
    for item in items:
        for index, content in enumerate(item_digests(item)):
            key = key_of(content)
            if key not in found:
                found[key] = Request(key, item.id, (index,), item.prompt, (item.responses[index].text,))
    return list(found.values())


def conversation_requests(conversations: Sequence[Conversation]) -> list[Request]:
    """One pointwise request a conversation, in order; equal conversations have equal keys."""
    return [
        Request(
            key_of(conversation_digest(conversation)),
            str(number),
            (0,),
            conversation[:-1],
            (conversation[-1].content,),
        )
        for number, conversation in enumerate(conversations)
    ]


def as_conversation(messages: Sequence[MessageLike], number: int) -> Conversation:
    """Messages as our type.

    Raises:
        DataError: If they do not end in an assistant's answer, or are no messages.
    """
    try:
        conversation = tuple(
            message if isinstance(message, Message) else Message(message["role"], message["content"])
            for message in messages
        )
        if not all(isinstance(m.role, str) and isinstance(m.content, str) for m in conversation):
            raise TypeError("roles and contents are strings")
    except (TypeError, KeyError, IndexError) as error:
        raise DataError(
            f'conversation {number} must be a list of messages like {{"role": "user", "content": "..."}}'
        ) from error
    if len(conversation) < 2 or conversation[-1].role != "assistant":
        raise DataError(f"conversation {number} must hold a prompt and end in a message of the role assistant")
    return conversation


def parse(key: str, score: float, tokens: int | None = None, truncated: bool = False) -> Observation:
    """The observation for a raw score; one that is not a finite number is an error, never a value.

    Args:
        key: The key of what was asked.
        score: What came back.
        tokens: Length of the rendered conversation, if there was one.
        truncated: Whether the model saw only its end.
    """
    usage = {} if tokens is None else {"tokens": tokens}
    if not math.isfinite(score):
        return Observation(key, "error", usage=usage, error=f"the model gave {score} for its score")
    return Observation(key, "truncated" if truncated else "ok", {"score": float(score)}, usage=usage)


def keys(item: Item, digests: Sequence[str]) -> tuple[str, ...]:
    """The request key of each response, from the digests of their conversations."""
    return tuple(key_of(content) for content in digests)


def imported_keys(item: Item, digests: Sequence[str]) -> tuple[str, ...]:
    """Keys for scores computed elsewhere: one a place, since equal texts may have got unequal ones."""
    return tuple(digest([IMPORTED, item.id, content, index]) for index, content in enumerate(digests))


KEYS = {NAME: keys, IMPORTED: imported_keys}


def fold(
    items: Iterable[Item],
    keys: Mapping[str, Sequence[str]],
    observations: Mapping[str, Observation],
    variant: str = "score",
) -> dict[str, Evidence]:
    """Gathers observations into evidence.

    Args:
        items: The items; their texts are not needed.
        keys: By item id, the request key of each response.
        observations: By request key.
        variant: Which of the observed values to take.

    Returns:
        By item id, scores float64[n] with NaN where there is none, and failures counted by status.
    """
    evidence: dict[str, Evidence] = {}
    for item in items:
        scores = np.full(len(item.responses), np.nan)
        failures: dict[str, int] = {}
        for index, key in enumerate(keys[item.id]):
            seen = observations.get(key)
            value = None if seen is None else seen.values.get(variant)
            if isinstance(value, float):
                scores[index] = value
            else:
                status = "missing" if seen is None else seen.status
                failures[status] = failures.get(status, 0) + 1
        evidence[item.id] = Evidence(item.id, variant, scores, failures=failures)
    return evidence
