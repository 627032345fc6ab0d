"""The interface of protocols, and their common base class."""

from __future__ import annotations

import hashlib
import json
import math
import re
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, get_args

import numpy as np

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Shape
from rmeval.messages import quoted, shortened
from rmeval.types import IntArray, Item, Observation, Request, Status

__all__ = ["BaseProtocol", "ProtocolLike", "Question", "checked_observation", "request_key", "sizes_of"]


@dataclass(frozen=True, slots=True)
class Question:
    """A request of an item, without its texts.

    Attributes:
        members: Indices into the item's responses, in the order in which they are presented.
        vote: Number of the repetition, for models with random outputs.
        judge: Name of the judge, for juries.
    """

    members: tuple[int, ...]
    vote: int = 0
    judge: str | None = None


@typing.runtime_checkable
class ProtocolLike(typing.Protocol):
    """Interface that turns items into requests, and observations into evidence.

    A protocol determines all orders, rotations and votes. The keys of requests follow from conversation digests, so
    evidence is computed without texts.

    Attributes:
        name: Name and version, part of a run's identity.
        gives_scores: Whether evidence has a score of each response; otherwise it has preferences between pairs.
    """

    name: str
    gives_scores: bool

    def questions(self, item: Item | Shape) -> Sequence[Question]:
        """All requests of an item, without texts, in the order of `keys`."""
        ...

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """Keys of all requests of an item.

        Args:
            item: The item; its texts are not needed.
            digests: The conversation digest of each response.
        """
        ...

    def requests(self, item: Item, keys: Sequence[str]) -> list[Request]:
        """All requests of an item with texts.

        Args:
            item: The item.
            keys: Their keys, from `keys`.
        """
        ...

    def parse(self, request: Request, raw: Any) -> Observation:
        """The observation for a model's raw output; unreadable output is a status, never a value."""
        ...

    def variants(self, observations: ObservationTable) -> list[str]:
        """Names of the kinds of evidence that the observations support, the default first."""
        ...

    def notes(self, observations: ObservationTable, rows: Codes) -> list[str]:
        """Notes on the observations, for readers of the numbers."""
        ...

    def same_tokens(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> int:
        """Number of compared pairs of responses with different texts that became the same tokens."""
        ...

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str) -> EvidenceTable:
        """Combine observations into evidence.

        Args:
            items: The items.
            observations: The observations.
            rows: int32[m], the row in `observations` of each of the items' requests, in the order of `keys`.
            variant: One of `variants`.
        """
        ...


class BaseProtocol(ABC):
    """Base class of protocols; a subclass defines its requests, how to parse raw outputs, and how to compute evidence.

    Attributes:
        name: Name and version, such as `graded@1`; part of each request's key and of a run's identity.
        prompt: Text of the protocol's prompt, or its digest; another prompt changes the request keys.
        gives_scores: Whether `fold` computes a score of each response; otherwise it computes preferences.
    """

    name: str
    prompt: str = ""
    gives_scores: bool = True

    @abstractmethod
    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """The requests of an item, without texts.

        This method has no access to the better response, because requests must not depend on gold labels.

        Args:
            item: The id of the item, for drawing an order. The number of requests, their votes and their judges must
                not depend on it.
            responses: Number of responses of the item.
            comparisons: The members of each of its comparisons, in ascending order.
        """

    @abstractmethod
    def parse(self, request: Request, raw: Any) -> Observation:
        """The observation for a model's raw output; unreadable output is a status, never a value."""

    @abstractmethod
    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str) -> EvidenceTable:
        """Combine observations into evidence; see `ProtocolLike.fold`."""

    def questions(self, item: Item | Shape) -> Sequence[Question]:
        """All requests of an item, without texts, in the order of `keys`."""
        # Items of third-party benchmarks may hold lists instead of tuples.
        members = dict.fromkeys(tuple(sorted(one.members)) for one in item.comparisons)
        return self.asks(item.id if isinstance(item, Item) else "", len(item.responses), tuple(members))

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """The key of each request, from the protocol's name and prompt, the ordered content, the vote and the judge."""
        return tuple(
            request_key(self.name, [digests[k] for k in one.members], self.prompt, one.vote, one.judge)
            for one in self.questions(item)
        )

    def requests(self, item: Item, keys: Sequence[str]) -> list[Request]:
        """All requests of an item with texts."""
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
        """The names of the values in the observations; `score` if there are none."""
        return list(observations.values) or ["score"]

    def notes(self, observations: ObservationTable, rows: Codes) -> list[str]:
        """No notes by default; a subclass may return notes on the observations for readers of the numbers."""
        return []

    def same_tokens(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> int:
        """0 by default, for protocols whose observations do not record tokens."""
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
    """Check the observation that a third-party protocol parsed, and return it.

    Raises:
        TypeError: If it is not an observation, or one of its fields has a wrong type.
        ValueError: If it belongs to another request, its status does not fit its values, or a number is out of range.
    """
    if not isinstance(found, Observation):
        raise TypeError(f"parse() returns {quoted(found)}, which is not an rmeval.Observation")
    if found.key != request.key:
        raise ValueError("parse() returns an observation of another request: use request.key")
    if found.status not in get_args(Status):
        raise ValueError(f"parse() returns the status {quoted(found.status)}: use one of {', '.join(get_args(Status))}")
    values = _checked_values(found.values)
    choice = _checked_choice(found.choice)
    if found.status == "ok" and not values and choice is None:
        raise ValueError("parse() returns the status ok without a value or a choice: use another status")
    if found.status != "ok" and (values or choice is not None):
        raise ValueError(f"parse() returns a value with the status {found.status}: use ok, or leave the value out")
    if not (found.error is None or isinstance(found.error, str)):
        raise TypeError(f"parse() returns the error {quoted(found.error)}: use a text")
    if found.sequence is not None and not (isinstance(found.sequence, str) and _SEQUENCE.fullmatch(found.sequence)):
        raise ValueError(f"parse() returns the sequence {quoted(found.sequence)}: use 16 hex digits, or leave it out")
    return replace(
        found,
        values=values,
        choice=choice,
        usage=_checked_usage(found.usage),
        sequence=None,  # It stands for tokens, which a protocol does not see.
        error=None if found.error is None else shortened(" ".join(found.error.split()), _LONGEST_ERROR),
        input_truncated=bool(found.input_truncated),
    )


_SEQUENCE = re.compile("[0-9a-f]{16}")
_LONGEST_ERROR = 1_000
"""Characters of an error; a run stores one for each failure, and it may quote all that a model wrote."""
_MOST = 2**31
"""Counts are stored in 32 bits."""


def _checked_values(found: Any) -> dict[str, float | tuple[float, ...]]:
    if not isinstance(found, Mapping) or not all(isinstance(name, str) and name.strip() for name in found):
        raise TypeError(f"parse() returns the values {quoted(found)}: use numbers, or tuples of numbers, by name")
    values = {name: _checked_value(value) for name, value in found.items()}
    numbers = [part for value in values.values() for part in (value if isinstance(value, tuple) else (value,))]
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"parse() gives {quoted(values)}: use finite numbers, or a status with the reason")
    if () in values.values():
        raise ValueError("parse() returns a list without numbers: use another status than ok")
    return values


def _checked_value(value: Any) -> float | tuple[float, ...]:
    """Return a number or a tuple of numbers; a string is neither."""
    plain = value.tolist() if hasattr(value, "tolist") else value  # Arrays, and their scalars.
    if isinstance(plain, Real):
        return float(plain)
    if isinstance(plain, str | bytes) or not (isinstance(plain, Sequence) and all(isinstance(n, Real) for n in plain)):
        raise TypeError(f"parse() returns the value {quoted(value)}: use a number or a tuple of numbers")
    return tuple(map(float, plain))


def _checked_choice(choice: Any) -> int | None:
    if choice is None:
        return None
    if isinstance(choice, bool) or not isinstance(choice, int | np.integer) or not -1 <= choice < _MOST:
        raise ValueError(f"parse() returns the choice {quoted(choice)}: use a position from 0, or -1 for a tie")
    return int(choice)


def _checked_usage(usage: Any) -> dict[str, int]:
    if not isinstance(usage, Mapping) or not all(
        isinstance(name, str) and isinstance(count, int | np.integer) and 0 <= count < _MOST
        for name, count in usage.items()
    ):
        raise TypeError(f"parse() returns the usage {quoted(usage)}: use whole numbers by name")
    return {name: int(count) for name, count in usage.items()}


def sizes_of(protocol: ProtocolLike, items: ItemTable) -> IntArray:
    """int64[n]: the number of requests of each item."""
    of_shape = np.array([len(protocol.questions(shape)) for shape in items.shapes], np.int64)
    sizes: IntArray = of_shape[items.shape]
    return sizes
