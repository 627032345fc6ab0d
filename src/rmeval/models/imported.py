"""Scores and verdicts from elsewhere, and the oracle, as a model that answers from memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rmeval.data.spool import windows
from rmeval.types import Observation, Request

__all__ = ["Imported"]

_BATCH = 4096


class Imported:
    """Answers each request with the observation of its key; a request without one stays an error."""

    kind = "imported"

    def __init__(self, name: str, protocol: str, answers: Mapping[str, Observation]) -> None:
        self.name = name
        self.protocol = protocol
        self._answers = answers

    def identity(self) -> dict[str, Any]:
        """Its name; where the answers come from is known to who imports them."""
        return {"name": self.name}

    def facts(self) -> dict[str, Any]:
        """Nothing beyond the identity."""
        return {}

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Answers from memory."""
        for batch in windows(requests, _BATCH):
            yield [self._answers.get(request.key, _missing(request.key)) for request in batch]


def _missing(key: str) -> Observation:
    return Observation(key, "error", error="the imported file has no score or verdict for this request")
