"""Checks of protocols that other packages or files define."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import index
from typing import Any

import numpy as np

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Shape
from rmeval.errors import RunError
from rmeval.messages import quoted
from rmeval.protocols.base import ProtocolLike, Question, checked_observation
from rmeval.types import FloatArray, Item, Observation, Request

__all__ = ["OutsideProtocol"]

_MOST = 2**31
"""Numbers of votes are stored in 32 bits."""


class OutsideProtocol:
    """Delegate to a protocol, and reject return values that would lead to wrong numbers or tracebacks.

    Attributes:
        name: Name and version, part of a run's identity.
        gives_scores: Whether evidence has a score of each response.
    """

    def __init__(self, made: ProtocolLike, target: str) -> None:
        self._made = made
        self._target = target
        self.name = made.name
        self.gives_scores = bool(made.gives_scores)
        self._last: tuple[Any, int, tuple[Question, ...]] = (None, 0, ())

    def questions(self, item: Item | Shape) -> Sequence[Question]:
        """Return the questions of an item: each names responses of the item and occurs once."""
        found, count = self._made.questions(item), len(item.responses)
        if found is not self._last[0] or count != self._last[1]:
            self._last = found, count, self._checked_questions(found, count)
        return self._last[2]

    def _checked_questions(self, found: Any, count: int) -> tuple[Question, ...]:
        if isinstance(found, str | bytes) or not isinstance(found, Sequence):
            raise self._wrong("asks", found, "a list of questions")
        checked: dict[Question, None] = {}
        for one in found:
            if not isinstance(one, Question):
                raise self._wrong("asks", one, "rmeval.protocols.Question in the list")
            own = self._checked_question(one, count)
            if own in checked:
                raise self._wrong("asks", one, "each question once, with other numbers for other votes")
            checked[own] = None
        return tuple(checked)

    def _checked_question(self, one: Question, count: int) -> Question:
        try:
            members, vote = tuple(map(index, one.members)), index(one.vote)
        except TypeError:
            raise self._wrong("asks", one, "whole numbers as members and vote") from None
        if not members or not all(0 <= member < count for member in members):
            raise self._wrong("asks", one, f"one or more positions of the item's {count} responses, from 0")
        if not 0 <= vote < _MOST or not (one.judge is None or isinstance(one.judge, str)):
            raise self._wrong("asks", one, "a vote from 0, and a text or None as judge")
        return Question(members, vote, one.judge)

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """Return the keys of an item's requests, one per question."""
        count, found = len(self.questions(item)), tuple(self._made.keys(item, digests))
        if len(found) != count:
            raise self._wrong("keys", found, f"one key for each of {count} questions")
        return found

    def requests(self, item: Item, keys: Sequence[str]) -> list[Request]:
        """Return all requests of an item with texts."""
        return self._made.requests(item, keys)

    def parse(self, request: Request, raw: Any) -> Observation:
        """Return the observation for a model's raw output; see `checked_observation`."""
        return checked_observation(request, self._made.parse(request, raw))

    def variants(self, observations: ObservationTable) -> list[str]:
        """Return the names of the evidence, at least one and each once."""
        found = self._texts("variants", self._made.variants(observations))
        if not found or len(set(found)) < len(found):
            raise self._wrong("variants", found, "one name or more, each once")
        return found

    def notes(self, observations: ObservationTable, rows: Codes) -> list[str]:
        """Return sentences on the observations."""
        return self._texts("notes", self._made.notes(observations, rows))

    def _texts(self, method: str, found: Any) -> list[str]:
        if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
            raise self._wrong(method, found, "a list of texts")
        return list(found)

    def same_tokens(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> int:
        """Return the number of compared pairs of responses that became the same tokens."""
        return int(self._made.same_tokens(items, observations, rows))

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str) -> EvidenceTable:
        """Return the evidence, with a number or NaN for each response, and preferences between 0 and 1."""
        found = self._made.fold(items, observations, rows, variant)
        if not isinstance(found, EvidenceTable):
            raise self._wrong("fold", found, "an rmeval.data.EvidenceTable")
        scores = self._numbers(found.scores, (int(items.offsets[-1]),), "a score or NaN for each response")
        if np.isinf(scores).any():
            raise self._wrong("fold", scores, "finite scores, or NaN where there is none")
        return replace(
            found,
            table=items,
            variant=variant,
            scores=scores,
            beats=self._checked_beats(items, found.beats),
            failures=self._checked_failures(found.failures),
        )

    def _checked_beats(self, items: ItemTable, found: Any) -> dict[int, FloatArray]:
        if not isinstance(found, Mapping):
            raise self._wrong("fold", found, "a matrix of preferences by position of the item")
        sizes, checked = np.diff(items.offsets), {}
        for position, matrix in found.items():
            if not isinstance(position, int | np.integer) or not 0 <= position < len(items):
                raise self._wrong("fold", position, f"positions of the {len(items)} items, from 0, for preferences")
            size = int(sizes[position])
            own = self._numbers(matrix, (size, size), f"a matrix of {size} x {size} preferences for item {position}")
            if not ((own >= 0) & (own <= 1) | np.isnan(own)).all():
                raise self._wrong("fold", own, "preferences between 0 and 1, or NaN where there is none")
            checked[int(position)] = own
        return checked

    def _checked_failures(self, found: Any) -> dict[str, int]:
        if not isinstance(found, Mapping):
            raise self._wrong("fold", found, "the number of failures by status")
        try:
            return {str(status): index(count) for status, count in found.items()}
        except TypeError:
            raise self._wrong("fold", dict(found), "the number of failures by status") from None

    def _numbers(self, found: Any, shape: tuple[int, ...], wanted: str) -> FloatArray:
        try:
            numbers = np.asarray(found, np.float64)
        except (TypeError, ValueError):
            raise self._wrong("fold", found, wanted) from None
        if numbers.shape != shape:
            raise self._wrong("fold", f"numbers of shape {numbers.shape}", f"{wanted}: the shape {shape}")
        return numbers

    def _wrong(self, method: str, found: Any, wanted: str) -> RunError:
        return RunError(f"{self._target}: {method}() returns {quoted(found)}: return {wanted}")
