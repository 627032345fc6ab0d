"""A queue on disk for objects that do not fit into memory; it can be read any number of times."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import IO, Generic, TypeVar

import pyarrow as pa

from rmeval.errors import RunError

__all__ = ["Spool", "windows"]

T = TypeVar("T")


class Spool(Generic[T]):
    """Queue of objects in order of insertion. A single object stays in memory; more are written to an unnamed file.

    The file is in the folder of temporary files (`TMPDIR`), is readable only by this user, and disappears with the
    process.
    """

    def __init__(self) -> None:
        self._only: list[T] = []
        self._file: IO[bytes] | None = None
        self._places: list[tuple[int, int, int]] = []
        self._codec = pa.Codec("lz4")

    def __del__(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def append(self, value: T) -> None:
        """Add an object.

        Raises:
            RunError: If the disk is full.
        """
        if self._file is None and not self._only:
            self._only.append(value)
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed with the spool
                (first,) = self._only
                self._only = []
                self._write(first)
            self._write(value)
        except OSError as error:
            raise _explain(error) from error

    def _write(self, value: T) -> None:
        assert self._file is not None
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        packed = self._codec.compress(data, asbytes=True)
        start = self._file.seek(0, 2)
        self._file.write(packed)
        self._file.flush()
        self._places.append((start, len(packed), len(data)))

    def __len__(self) -> int:
        return len(self._only) or len(self._places)

    def __getitem__(self, index: int) -> T:
        if self._file is None:
            return self._only[index]
        start, length, size = self._places[index]
        try:
            self._file.seek(start)
            data = self._file.read(length)
        except OSError as error:
            raise _explain(error) from error
        # This process pickled the data into a file that no other process can open, so unpickling is safe.
        value: T = pickle.loads(self._codec.decompress(data, size, asbytes=True))
        return value

    def __iter__(self) -> Iterator[T]:
        for index in range(len(self)):
            yield self[index]


def _explain(error: OSError) -> RunError:
    return RunError(
        f"temporary files cannot be written in {tempfile.gettempdir()} ({error.strerror or error}): free some space "
        "there, or set TMPDIR to another folder, then run the same command again"
    )


def windows(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield consecutive lists of `size` values; the last list may be shorter."""
    rest = iter(values)
    while window := list(islice(rest, size)):
        yield window
