"""The pointwise protocol: each response is scored independently."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from rmeval.data.conversations import MessageReader
from rmeval.data.digests import conversation_digest, digest
from rmeval.data.observations import ObservationTable, count_statuses
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Shape
from rmeval.errors import DataError
from rmeval.protocols.base import BaseProtocol, Question, request_key
from rmeval.protocols.fold import STEPS, fold_steps
from rmeval.protocols.pairwise import LABEL_MASS, PAIRWISE_CHOSEN, label_mass_notes
from rmeval.types import Conversation, Item, Message, Observation, Request

__all__ = [
    "IMPORTED",
    "POINTWISE",
    "Imported",
    "MessageLike",
    "Pointwise",
    "as_conversation",
    "conversation_requests",
    "parse",
    "parse_values",
]

MessageLike = Message | Mapping[str, Any]
Tools = tuple[Mapping[str, Any], ...]


class Pointwise(BaseProtocol):
    """One request for each distinct conversation."""

    name = "pointwise@1"

    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """One request per response, in order."""
        return _one_each(responses)

    def questions(self, item: Item | Shape) -> Sequence[Question]:
        """One request per response, independent of the comparisons."""
        return _one_each(len(item.responses))

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """The request key of each response."""
        return tuple(self.key_of(content) for content in digests)

    def key_of(self, content: str) -> str:
        """The request key for a conversation's digest."""
        return request_key(self.name, (content,))

    def parse(self, request: Request, raw: Any) -> Observation:
        """The observation for a score, or for named numbers and lists of numbers."""
        named = not isinstance(raw, float) and isinstance(raw, Mapping)
        return parse_values(request.key, raw if named else {"score": raw})

    def variants(self, observations: ObservationTable) -> list[str]:
        """Names of the model's numbers, in order of first appearance; `score` if there are none.

        A list of numbers, such as the scores of `steps`, has several: `steps/min`, `steps/prod`, `steps/last` and
        `steps/mean`.
        """
        names = [name for name in observations.values if name != LABEL_MASS]
        names += [f"{name}/{how}" for name in observations.vectors for how in STEPS]
        # A process reward model also names one of them as a number, which is its default.
        return list(dict.fromkeys(names)) or ["score"]

    def notes(self, observations: ObservationTable, rows: Codes) -> list[str]:
        """Notes on the probability of the label tokens, for models whose score is read from logits."""
        return label_mass_notes(observations, rows)

    def same_tokens(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> int:
        """Number of pairs with the same tokens: each winner with the others, or all pairs if there is no winner."""
        found = 0
        for comparisons, positions in items.by_comparisons():
            starts = items.offsets[positions]
            for one, other in PAIRWISE_CHOSEN.pairs(comparisons):
                found += int(observations.same_sequence(rows[starts + one], rows[starts + other]).sum())
        return found

    def fold(
        self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str = "score"
    ) -> EvidenceTable:
        """The scores float64[responses], NaN for a missing score, with failures counted by status."""
        name, _, how = variant.rpartition("/")
        if name in observations.vectors:
            scores = fold_steps(observations.vectors[name], rows, how)
        else:
            scores = observations.column(variant, rows)
        return EvidenceTable(items, variant, scores, count_statuses(observations.status[rows[np.isnan(scores)]]))


@lru_cache(maxsize=1 << 10)
def _one_each(responses: int) -> tuple[Question, ...]:
    return tuple([Question((index,)) for index in range(responses)])


class Imported(Pointwise):
    """Imported scores, one per response, because another tool may give equal conversations different scores."""

    name = "imported@1"

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """One key per response, even for equal conversations."""
        return tuple(digest([self.name, item.id, content, index]) for index, content in enumerate(digests))


POINTWISE = Pointwise()
IMPORTED = Imported()


def conversation_requests(conversations: Sequence[Conversation], tools: Sequence[Tools] | None = None) -> list[Request]:
    """One pointwise request per conversation, in order; equal conversations have equal keys.

    Args:
        conversations: The conversations, each ending in the response.
        tools: The tools of each conversation; None if there are no tools.
    """
    return [
        Request(
            POINTWISE.key_of(conversation_digest(conversation, own)),
            str(number),
            (0,),
            conversation[:-1],
            (conversation[-1].content,),
            messages=(conversation[-1],) if conversation[-1].extras else (),
            tools=own,
        )
        for number, (conversation, own) in enumerate(
            zip(conversations, tools or [()] * len(conversations), strict=True)
        )
    ]


def as_conversation(messages: Sequence[MessageLike], where: str, reader: MessageReader | None = None) -> Conversation:
    """Convert messages to a conversation.

    Args:
        messages: The messages.
        where: Their name in errors, such as `conversation 3`.
        reader: The reader of messages, if it is not the default one.

    Raises:
        DataError: If they are not messages, or do not end in an assistant's response.
    """
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Iterable):
        raise DataError(f'{where} must be a list of messages such as {{"role": "user", "content": "..."}}')
    reader = reader or MessageReader(hint=False)
    conversation = tuple(reader.message(message, where) for message in messages)
    if len(conversation) < 2 or conversation[-1].role != "assistant":
        raise DataError(f"{where} must contain a prompt and end in a message with the role assistant")
    return conversation


def parse(key: str, score: float, tokens: int | None = None, truncated: bool = False) -> Observation:
    """The observation for a raw score; a score that is not a finite number becomes an error, never a value.

    Args:
        key: The key of the request.
        score: The model's output.
        tokens: Length of the rendered conversation, if there is one.
        truncated: Whether the beginning of the input was cut.
    """
    return parse_values(key, {"score": score}, tokens, truncated)


def parse_values(
    key: str,
    values: Mapping[str, float | tuple[float, ...] | list[float]],
    tokens: int | None = None,
    truncated: bool = False,
) -> Observation:
    """The observation for named numbers and lists of numbers; one number that is not finite makes it an error."""
    usage = {} if tokens is None else {"tokens": tokens}
    found: dict[str, float | tuple[float, ...]] = {}
    for name, value in values.items():
        if isinstance(value, tuple | list):
            found[name] = parts = tuple(map(float, value))
            wrong = next((part for part in parts if not math.isfinite(part)), None)
        else:
            found[name] = float(value)
            wrong = None if math.isfinite(value) else value
        if wrong is not None:
            what = "its score" if name == "score" else name
            return Observation(key, "error", usage=usage, error=f"the model returned {wrong} for {what}")
    return Observation(key, "ok", found, usage=usage, input_truncated=truncated)
