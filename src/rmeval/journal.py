"""The journal: every observation, appended once, in batches that are there whole or not at all.

A journal is a folder of segments `0001.jsonl`, `0002.jsonl`, ...; each process that writes opens a new one. A line is
one JSON object: an observation's fields (those that differ from their defaults), `left`, the number of lines still to
come in its batch, and last `crc`, the CRC-32 in hex of the line's bytes before `,"crc"`.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from rmeval.errors import RunError, explain_os_error
from rmeval.redaction import redacted
from rmeval.types import Observation

__all__ = ["Journal", "read_journal"]

logger = logging.getLogger(__name__)

_MARK = b',"crc":"'
_EMPTY: tuple[Any, ...] = (None, {}, ())


class Journal:
    """Appends batches of observations to a new segment; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: FileIO | None = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, batch: Sequence[Observation]) -> None:
        """Writes a batch and waits until the disk has it.

        Raises:
            RunError: If it cannot be written. Batches written before are safe.
        """
        last = len(batch) - 1
        data = b"".join(_line(observation, last - place) for place, observation in enumerate(batch))
        try:
            if self._file is None:
                self._file = self._open()
            self._write(self._file, data)
        except OSError as error:
            raise explain_os_error(error, str(self.folder)) from error

    @staticmethod
    def _write(file: FileIO, data: bytes) -> None:
        """Writes all or, as far as the system lets it, nothing: a full disk may take a part of what it is given."""
        start = file.tell()
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            file.seek(start)
            file.truncate()
            raise

    def _open(self) -> FileIO:
        self.folder.mkdir(parents=True, exist_ok=True)
        number = max((int(path.stem) for path in _segments(self.folder)), default=0) + 1
        while True:
            try:
                # Unbuffered, so that a write that fails leaves nothing to be written again when the file is closed.
                return FileIO(self.folder / f"{number:04d}.jsonl", "x")
            except FileExistsError:  # Another process was faster.
                number += 1


def read_journal(folder: Path, tolerant: bool = False) -> Iterator[list[Observation]]:
    """Reads the batches in the order in which they were written; a later observation replaces an earlier one.

    A batch that its process could not finish, at the end of a segment, is left out with a warning.

    Args:
        folder: The journal.
        tolerant: Whether a segment is read as far as it is whole, and nothing is said of the rest.

    Raises:
        RunError: If a line elsewhere is damaged.
    """
    for segment in _segments(folder):
        try:
            with segment.open("rb") as file:
                yield from _batches(file, segment, tolerant)
        except OSError as error:
            raise RunError(f"{segment} cannot be read ({error.strerror or error}): check its permissions") from error


def _batches(file: BinaryIO, segment: Path, tolerant: bool) -> Iterator[list[Observation]]:
    batch: list[Observation] = []
    cut = False
    for number, line in enumerate(file, 1):
        entry = _parse(line[:-1]) if line.endswith(b"\n") else None
        if entry is None:
            if not tolerant and file.readline():
                raise RunError(
                    f"{segment} line {number} is damaged: restore it from a copy, or delete that line "
                    "and give the same command again to score it anew"
                )
            cut = True
            break
        observation, left = entry
        batch.append(observation)
        if left == 0:
            yield batch
            batch = []
    if (batch or cut) and not tolerant:
        logger.warning("%s ends in a batch that was never finished: it is left out and asked again", segment)


def _segments(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("*.jsonl") if path.stem.isdecimal()), key=lambda path: int(path.stem))


def _line(observation: Observation, left: int) -> bytes:
    entry = dict(_filled(observation))
    if "error" in entry:
        # Errors of other packages may quote addresses with passwords in them.
        entry["error"] = redacted(entry["error"])
    entry["left"] = left
    body = json.dumps(entry, ensure_ascii=False, separators=(",", ":"), allow_nan=False)[:-1]
    data = body.encode("utf-8", "surrogatepass")
    return b'%s%s%08x"}\n' % (data, _MARK, zlib.crc32(data))


_NAMES = tuple(field.name for field in fields(Observation))


def _filled(observation: Observation) -> Iterator[tuple[str, Any]]:
    for name in _NAMES:
        value = getattr(observation, name)
        if value not in _EMPTY and (name, value) != ("attempts", 1):
            yield name, value


def _parse(line: bytes) -> tuple[Observation, int] | None:
    """The observation in a line and how many of its batch follow, or None if the line is damaged."""
    body, mark, end = line.rpartition(_MARK)
    if not mark or end[8:] != b'"}' or end[:8] != b"%08x" % zlib.crc32(body):
        return None
    entry = json.loads(body + b"}")
    left = entry.pop("left")
    values = {name: tuple(v) if isinstance(v, list) else float(v) for name, v in entry.pop("values", {}).items()}
    return Observation(values=values, **entry), left
