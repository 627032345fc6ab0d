"""The seeded random order of a benchmark's problems."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from rmeval.store.items import StoredItems
from rmeval.types import IntArray

__all__ = ["problem_order"]


def problem_order(items: StoredItems, seed: int) -> IntArray:
    """Return the numbers of the problems in random order, int64[problems].

    The order of two problems depends on their contents and the seed only, and not on the order of the items, on names,
    or on which other problems there are. The first problems of a benchmark are a simple random sample of them.

    Args:
        items: The items.
        seed: The seed.
    """
    first: dict[int, str] = {}
    for problem, digests in zip(items.table.cluster.tolist(), items.digests(), strict=True):
        own = min(digests)
        if problem not in first or own < first[problem]:
            first[problem] = own
    drawn = np.empty(len(first), np.uint64)
    for problem, own in first.items():
        drawn[problem] = int.from_bytes(blake2b(f"{seed} {own}".encode(), digest_size=8).digest(), "big")
    return np.argsort(drawn, kind="stable")
