"""A long list of strings, such as the ids of a million items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from rmeval.data.spool import Spool

__all__ = ["CHUNK", "Names"]

CHUNK = 1 << 14
"""Strings in one part of the list."""


class Names(Sequence[str]):
    """Strings in order, kept on disk if there are many."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._spool: Spool[list[str]] = Spool()
        self._pending: list[str] = []
        self._last: tuple[int, list[str]] = (-1, [])
        for name in names:
            self.append(name)

    def append(self, name: str) -> None:
        """Add a string."""
        self._pending.append(name)
        if len(self._pending) == CHUNK:
            self._spool.append(self._pending)
            self._pending = []

    def __len__(self) -> int:
        return CHUNK * len(self._spool) + len(self._pending)

    def __iter__(self) -> Iterator[str]:
        for window in self._spool:
            yield from window
        yield from self._pending

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        chunk, place = divmod(range(len(self))[index], CHUNK)
        if chunk == len(self._spool):
            return self._pending[place]
        if self._last[0] != chunk:
            self._last = chunk, self._spool[chunk]
        return self._last[1][place]
