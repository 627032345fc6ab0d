"""The interface of protocols, and their common base class."""

from __future__ import annotations

import hashlib
import json
import math
import typing
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Shape
from rmeval.messages import quoted
from rmeval.types import IntArray, Item, Observation, Request, Status

__all__ = ["BaseProtocol", "ProtocolLike", "Question", "checked_observation", "request_key", "sizes_of"]


@dataclass(frozen=True, slots=True)
class Question:
    """A request of an item, without its texts.

    Attributes:
        members: Indices into the item's responses, in the order in which they are presented.
        vote: Number of the repetition, for models that answer at random.
        judge: Name of the judge, for juries.
    """

    members: tuple[int, ...]
    vote: int = 0
    judge: str | None = None


@typing.runtime_checkable
class ProtocolLike(typing.Protocol):
    """Turns items into requests, and observations into evidence.

    Orders, rotations and votes are decided here, so that nothing is left to chance elsewhere.

    What was asked is found again from conversation digests alone: evidence is folded without any text.

    Attributes:
        name: Name and version, part of a run's identity.
        gives_scores: Whether evidence has a score of each response; else it says which of two is preferred.
    """

    name: str
    gives_scores: bool

    def questions(self, item: Item | Shape) -> Sequence[Question]:
        """All that is asked about an item, in the order of `keys`."""
        ...

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """Keys of all requests of an item.

        Args:
            item: The item, whose texts are not needed.
            digests: The conversation digest of each response.
        """
        ...

    def requests(self, item: Item, keys: Sequence[str]) -> list[Request]:
        """All requests about an item that has its texts.

        Args:
            item: The item.
            keys: Their keys, from `keys`.
        """
        ...

    def parse(self, request: Request, raw: Any) -> Observation:
        """The observation for a model's raw output; unreadable output is a status, never a value."""
        ...

    def variants(self, observations: ObservationTable) -> list[str]:
        """Names of the evidence that can be made of the answers, what is meant by default first."""
        ...

    def notes(self, observations: ObservationTable, rows: Codes) -> list[str]:
        """A note on how the requests were answered, for readers of the numbers."""
        ...

    def same_tokens(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> int:
        """How many of the pairs of responses that comparisons are about became the same tokens, with unequal texts."""
        ...

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str) -> EvidenceTable:
        """Gathers answers into evidence.

        Args:
            items: The items.
            observations: What came back.
            rows: int32[m], the row in `observations` of each of the items' requests, in the order of `keys`.
            variant: Which of `variants`.
        """
        ...


class BaseProtocol(ABC):
    """A protocol that says what it asks, how it reads an answer and how answers become evidence; the rest follows.

    Attributes:
        name: Name and version, such as `graded@1`; part of each request's key and of a run's identity.
        prompt: Text of the prompt, or its digest, where the protocol has one: another prompt makes other requests.
        gives_scores: Whether `fold` gives a score of each response; else it says which of two is preferred.
    """

    name: str
    prompt: str = ""
    gives_scores: bool = True

    @abstractmethod
    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """What is asked about an item.

        Which response is the better one is not among what this method gets: what is asked must not follow from it.

        Args:
            item: The item's id, which an order may be drawn from. The number of questions, their votes and their judges
                must not depend on it.
            responses: How many responses the item has.
            comparisons: The members of each of its comparisons, in ascending order.
        """

    @abstractmethod
    def parse(self, request: Request, raw: Any) -> Observation:
        """The observation for a model's raw output; unreadable output is a status, never a value."""

    @abstractmethod
    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str) -> EvidenceTable:
        """Gathers answers into evidence; see `ProtocolLike.fold`."""

    def questions(self, item: Item | Shape) -> Sequence[Question]:
        """All that is asked about an item, in the order of `keys`."""
        # Items from outside may hold lists where tuples are meant.
        members = dict.fromkeys(tuple(sorted(one.members)) for one in item.comparisons)
        return self.asks(item.id if isinstance(item, Item) else "", len(item.responses), tuple(members))

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """The key of each request: of the protocol's name and prompt, the content in order, the vote and the judge."""
        return tuple(
            request_key(self.name, [digests[k] for k in one.members], self.prompt, one.vote, one.judge)
            for one in self.questions(item)
        )

    def requests(self, item: Item, keys: Sequence[str]) -> list[Request]:
        """All requests about an item that has its texts."""
        return [
            Request(
                key,
                item.id,
                one.members,
                item.prompt,
                tuple([item.responses[k].text for k in one.members]),
                one.vote,
                one.judge,
                item.messages(one.members),
                item.tools,
            )
            for key, one in zip(keys, self.questions(item), strict=True)
        ]

    def variants(self, observations: ObservationTable) -> list[str]:
        """The names of the numbers that came back; `score` if none did."""
        return list(observations.values) or ["score"]

    def notes(self, observations: ObservationTable, rows: Codes) -> list[str]:
        """Nothing; where overridden, what a reader of the numbers must know of how it was answered."""
        return []

    def same_tokens(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> int:
        """None, since an engine here reads no tokens for it; where overridden, the number of pairs."""
        return 0


def request_key(
    protocol: str, contents: Sequence[str], prompt: str = "", vote: int = 0, judge: str | None = None
) -> str:
    """The key of a request, 32 hex digits.

    Args:
        protocol: Name and version of the protocol.
        contents: The conversation digest of each response, in the order in which they are presented.
        prompt: Text of the protocol's prompt, or its digest.
        vote: Number of the repetition.
        judge: Name of the judge.
    """
    text = " ".join((protocol, *contents))
    if prompt or vote or judge is not None:
        text += f" {json.dumps([prompt, vote, judge])}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def checked_observation(request: Request, found: Any) -> Observation:
    """What a protocol from outside made of an answer, if it can be kept.

    Raises:
        TypeError: If it is no observation.
        ValueError: If it is of another request, holds what is no finite number, or nothing where it says `ok`.
    """
    if not isinstance(found, Observation):
        raise TypeError(f"parse() gives {quoted(found)}, which is not an rmeval.Observation")
    if found.key != request.key:
        raise ValueError("parse() returns an observation of another request: use request.key")
    if found.status not in get_args(Status):
        raise ValueError(f"parse() returns the status {quoted(found.status)}: use one of {', '.join(get_args(Status))}")
    values: dict[str, float | tuple[float, ...]] = {
        name: tuple(map(float, value)) if isinstance(value, Sequence) else float(value)
        for name, value in found.values.items()
    }
    numbers = [part for value in values.values() for part in (value if isinstance(value, tuple) else (value,))]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"parse() gives {quoted(dict(values))}: use finite numbers, or a status with the reason")
    if found.status == "ok" and not values and found.choice is None:
        raise ValueError("parse() returns the status ok without a value or a choice: use another status")
    return replace(found, values=values)


def sizes_of(protocol: ProtocolLike, items: ItemTable) -> IntArray:
    """int64[n]: how many requests belong to each item."""
    of_shape = np.array([len(protocol.questions(shape)) for shape in items.shapes], np.int64)
    sizes: IntArray = of_shape[items.shape]
    return sizes
