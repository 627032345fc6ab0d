"""Scores computed elsewhere, and the oracle, as a model that answers from memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rmeval.types import Observation, Request

__all__ = ["Imported"]


class Imported:
    """Answers each request with the score that its key stands for; a request without one stays an error."""

    kind = "imported"

    def __init__(self, name: str, identity: Mapping[str, Any], scores: Mapping[str, float]) -> None:
        self.name = name
        self._identity = dict(identity)
        self._scores = scores

    def identity(self) -> dict[str, Any]:
        """Where the scores come from."""
        return self._identity

    def facts(self) -> dict[str, Any]:
        """Nothing beyond the identity."""
        return {}

    def observe(self, requests: Sequence[Request]) -> Iterator[list[Observation]]:
        """One batch with all answers."""
        yield [self._answer(request.key) for request in requests]

    def _answer(self, key: str) -> Observation:
        if key not in self._scores:
            return Observation(key, "error", error="the imported file has no score for this answer")
        return Observation(key, values={"score": self._scores[key]})
