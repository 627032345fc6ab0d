"""Null baselines: models that do not use the meaning of texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from rmeval.baselines import BASELINES, NULL_SCORES
from rmeval.data.spool import windows
from rmeval.data.style import count_text
from rmeval.errors import ModelError
from rmeval.messages import nearest
from rmeval.protocols import pointwise
from rmeval.types import Observation, Request

__all__ = ["Baseline"]

_BATCH = 4096


class Baseline:
    """`baseline:random`, `baseline:longest`, `baseline:shortest`, `baseline:markdown`.

    `random` derives its score from the digest of the conversation, so it is the same on every machine.
    """

    kind = "baseline"
    protocol = pointwise.POINTWISE.name

    def __init__(self, name: str) -> None:
        if name not in BASELINES:
            meant = nearest(name, BASELINES)
            raise ModelError(
                f"there is no baseline {name!r}: {f'did you mean baseline:{meant}? ' if meant else ''}"
                f"choose baseline:{', baseline:'.join(BASELINES)}"
            )
        self.name = f"baseline:{name}"
        self._rule = name

    def identity(self) -> dict[str, Any]:
        """The baseline's own name and version, so that baselines with equal names in tables have different runs."""
        return {"model": f"baseline:{self._rule}@1"}

    def facts(self) -> dict[str, Any]:
        """No facts."""
        return {}

    def observe(self, requests: Iterable[Request]) -> Iterator[list[Observation]]:
        """Score each response by a count of its characters or its Markdown marks, or at random."""
        yield from windows((pointwise.parse(one.key, self._score(one)) for one in requests), _BATCH)

    def _score(self, request: Request) -> float:
        if self._rule == "random":
            drawn = hashlib.blake2b(f"random@1 {request.key}".encode(), digest_size=7).digest()
            return int.from_bytes(drawn) / 2**56
        factor, count = NULL_SCORES[self._rule]
        text = request.responses[0]
        return factor * float(len(text) if count == "characters" else count_text(text).markdown)
