"""Near-duplicates among the prompts of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from rmeval.build.problems.near import NearIndex, Signed
from rmeval.build.records import Record

__all__ = ["similar_prompts"]


def similar_prompts(records: Sequence[Record], threshold: float) -> list[tuple[str, str, float]]:
    """Return the keys and the similarity of each prompt and the most similar one before it, if it is near."""
    index = NearIndex(threshold)
    found = []
    for record in records:
        own = Signed.of(record.problem.prompt)
        if near := index.nearest(own):
            found.append((near[0], record.key, near[1]))
        index.add(record.key, own)
    return found
