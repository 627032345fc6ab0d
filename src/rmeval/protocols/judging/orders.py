"""Orders in which a judge's prompt presents responses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

__all__ = ["rotations", "seeded_order"]


@lru_cache(maxsize=1 << 10)
def rotations(members: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """All rotations of some responses: each is in each place once; of two responses, both orders."""
    return tuple(members[start:] + members[:start] for start in range(len(members)))


def seeded_order(seed: int, item: str, members: Sequence[int]) -> tuple[int, ...]:
    """The order of some responses that a seed, the item's id and the responses determine; each is equally probable."""
    content = json.dumps([seed, item, sorted(members)])
    state = int.from_bytes(blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest())
    found = sorted(members)
    # Fisher and Yates' shuffle, because that of `random` may change between versions of Python.
    for last in range(len(found) - 1, 0, -1):
        state, place = divmod(state, last + 1)
        found[last], found[place] = found[place], found[last]
    return tuple(found)
