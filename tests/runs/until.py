"""Models and data for runs that stop early."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from rmeval.data.spool import windows
from rmeval.protocols import pointwise
from rmeval.types import Observation, Request
from tests.samples import PLACES


class Skilled:
    """A model that prefers the right response with some probability, always the same for one conversation.

    It counts the requests, and is interrupted after some of them.
    """

    kind = "testing"
    protocol = pointwise.POINTWISE.name

    def __init__(self, name: str, skill: float, stop_after: int | None = None) -> None:
        self.name, self.skill = name, skill
        self._draw = name
        self.left = stop_after
        self.scored: list[str] = []

    def identity(self) -> dict[str, Any]:
        return {"model": f"{self.name} {self.skill}"}

    def facts(self) -> dict[str, Any]:
        return {}

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        for batch in windows(requests, 16):
            if self.left is not None and self.left < len(batch):
                raise KeyboardInterrupt
            self.left = None if self.left is None else self.left - len(batch)
            self.scored += [request.key for request in batch]
            yield [self._observed(request) for request in batch]

    def _observed(self, request: Request) -> Observation:
        number = blake2b(f"{self._draw} {request.prompt[-1].content}".encode(), digest_size=4).digest()
        works = int.from_bytes(number, "big") / 2**32 < self.skill
        right = request.responses[0].startswith("It is")
        return pointwise.parse(request.key, float(right if works else not right))


def written(folder: Path, count: int, shuffled: bool = False) -> Path:
    """Pairs, two of them on each problem."""
    rows = [
        {"id": f"p{n}", "prompt": f"land {n // 2}", "chosen": f"It is {PLACES[n % 12]} {n}.", "rejected": f"No {n}."}
        for n in range(count)
    ]
    if shuffled:
        rows = sorted(rows, key=lambda row: blake2b(row["id"].encode()).digest())
    file = folder / f"pairs-{count}-{shuffled}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file
