"""A model that returns stored observations, for imported scores and verdicts and for the oracle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rmeval.data.spool import windows
from rmeval.types import Observation, Request

__all__ = ["Imported"]

_BATCH = 4096


class Imported:
    """A model that returns the stored observation of each request's key; other requests are errors."""

    kind = "imported"

    def __init__(self, name: str, protocol: str, observations: Mapping[str, Observation]) -> None:
        self.name = name
        self.protocol = protocol
        self._observations = observations

    def identity(self) -> dict[str, Any]:
        """The model's name; the importer records the origin of the observations."""
        return {"name": self.name}

    def facts(self) -> dict[str, Any]:
        """No facts."""
        return {}

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Look the requests up."""
        for batch in windows(requests, _BATCH):
            yield [self._observations.get(request.key, _missing(request.key)) for request in batch]


def _missing(key: str) -> Observation:
    return Observation(key, "error", error="the imported file has no score or verdict for this request")
