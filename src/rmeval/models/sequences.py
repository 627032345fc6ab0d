"""Requests as token sequences; each distinct sequence is read once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rmeval.data.keys import KeyIndex
from rmeval.data.spool import Spool
from rmeval.types import Observation

if TYPE_CHECKING:
    from rmeval.rendering.boundary import TokenArray

__all__ = ["Ready", "Window", "Windows"]


class Ready(NamedTuple):
    """A request as tokens.

    Attributes:
        key: The request's key.
        item: Id of its item, for messages.
        tokens: The token ids that the network reads.
        start: Where the response begins, for models that read all of its tokens; 0 for others.
        length: Number of tokens before any were cut.
        steps: Positions where the steps of the response are read, for process reward models.
        others: Key and length of each later request with the same tokens.
    """

    key: str
    item: str
    tokens: TokenArray
    start: int
    length: int
    steps: tuple[int, ...] = ()
    others: tuple[tuple[str, int], ...] = ()

    @property
    def cut(self) -> bool:
        """Whether tokens were cut."""
        return self.length > len(self.tokens)

    @property
    def sequence(self) -> str:
        """32 hex digits of BLAKE2b over the token ids, the beginning of the response and the positions of its steps."""
        content = self.start.to_bytes(8, "little") + self.tokens.astype("<i4").tobytes()
        if self.steps:
            content += b"steps" + np.array(self.steps, "<i4").tobytes()
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    def observations(self, observe: Callable[[Ready], Observation]) -> list[Observation]:
        """The observation of each request with these tokens.

        Args:
            observe: Creates an observation from the network's values, which are the same for all.
        """
        sequence = self.sequence[:16]
        each = [self, *(self._replace(key=key, length=length) for key, length in self.others)]
        return [replace(observe(one), sequence=sequence) for one in each]


class Window(NamedTuple):
    """Some requests: those ready to be read, and observations of those that cannot be read."""

    ready: list[Ready]
    left_out: list[Observation]


class Windows:
    """All requests, window by window; can be iterated repeatedly.

    Of requests with the same tokens the first is ready to be read, and holds the keys of the others. They are found by
    digests in columns, so that a million requests take megabytes.
    """

    def __init__(self, spool: Spool[Window], index: KeyIndex) -> None:
        """Store windows, and the index of the sequences that are ready in them, in the same order."""
        self._spool, self._new = spool, index.first
        again = np.flatnonzero(~index.first)
        first = np.empty(len(index), np.int64)
        first[index.rows[index.first]] = np.flatnonzero(index.first)
        order = np.argsort(first[index.rows[again]], kind="stable")
        self._owner = first[index.rows[again]][order]
        self._keys = np.empty((len(again), 16), np.uint8)
        self._lengths = np.empty(len(again), np.int32)
        place = filled = 0
        for window in spool if len(again) else ():
            for one in compress(window.ready, ~self._new[place : place + len(window.ready)]):
                self._keys[filled] = np.frombuffer(bytes.fromhex(one.key), np.uint8)
                self._lengths[filled] = one.length
                filled += 1
            place += len(window.ready)
        self._keys, self._lengths = self._keys[order], self._lengths[order]

    def __iter__(self) -> Iterator[Window]:
        place = 0
        for window in self._spool:
            end = place + len(window.ready)
            yield Window(self._once(window.ready, place), window.left_out)
            place = end

    def _once(self, ready: list[Ready], place: int) -> list[Ready]:
        """The requests of a window, which begins at `place`, whose tokens differ from those of all earlier requests."""
        found = list(ready)
        start, stop = np.searchsorted(self._owner, (place, place + len(ready)))
        owners, first, counts = np.unique(self._owner[start:stop], return_index=True, return_counts=True)
        for owner, low, count in zip(owners.tolist(), start + first, counts, strict=True):
            own = slice(low, low + count)
            keys = (key.tobytes().hex() for key in self._keys[own])
            others = tuple(zip(keys, self._lengths[own].tolist(), strict=True))
            found[owner - place] = ready[owner - place]._replace(others=others)
        return list(compress(found, self._new[place : place + len(ready)]))
