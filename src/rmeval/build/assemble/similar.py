"""Near-duplicates among the prompts of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from rmeval.build.assemble.items import cluster_of
from rmeval.build.problems.near import NearIndex, Signed
from rmeval.build.records import Record

__all__ = ["similar_prompts"]


def similar_prompts(records: Sequence[Record], threshold: float) -> list[tuple[str, str, float]]:
    """Return the keys and the similarity of each prompt and the most similar one before it, if it is near.

    Prompts of the same underlying problem are not compared.
    """
    index = NearIndex(threshold)
    clusters = {record.key: cluster_of(record) for record in records}
    found = []
    for record in records:
        own = Signed.of(record.problem.prompt)
        if near := index.nearest(own, partial(_differ, clusters, record.key)):
            found.append((near[0], record.key, near[1]))
        index.add(record.key, own)
    return found


def _differ(clusters: Mapping[str, str], one: str, other: str) -> bool:
    return clusters[one] != clusters[other]
