"""Scores computed elsewhere, and the oracle, as a model that answers from memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rmeval.protocols import pointwise
from rmeval.spool import windows
from rmeval.types import Observation, Request

__all__ = ["Imported"]

_BATCH = 4096


class Imported:
    """Answers each request with the score that its key stands for; a request without one stays an error."""

    kind = "imported"

    def __init__(self, name: str, scores: Mapping[str, float]) -> None:
        self.name = name
        self._scores = scores

    def identity(self) -> dict[str, Any]:
        """Its name; where the scores come from is known to who imports them."""
        return {"name": self.name}

    def facts(self) -> dict[str, Any]:
        """Nothing beyond the identity."""
        return {}

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Answers from memory."""
        for batch in windows(requests, _BATCH):
            yield [self._answer(request.key) for request in batch]

    def _answer(self, key: str) -> Observation:
        score = self._scores.get(key, math.nan)
        if math.isnan(score):
            return Observation(key, "error", error="the imported file has no score for this answer")
        return pointwise.parse(key, score)
