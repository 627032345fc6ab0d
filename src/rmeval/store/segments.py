"""Numbered files to which processes append: each process creates its own, and none writes to that of another.

A line may be sealed by the CRC-32 of its bytes, so that a line that was cut or changed is detected.
"""

from __future__ import annotations

import os
import zlib
from io import FileIO
from pathlib import Path
from types import TracebackType

from rmeval.errors import RunError, explain_os_error
from rmeval.files import new_file

__all__ = ["Segment", "sealed", "segments_of", "unsealed"]

_MARK = b',"crc":"'


class Segment:
    """Writer of a new segment, which is created by the first `append`; use it as a context manager.

    Attributes:
        folder: The folder of the segments.
        suffix: The end of their names, such as `.jsonl`.
        is_new: Whether nothing was written yet.
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        """Store the place; nothing is created."""
        self.folder, self.suffix = folder, suffix
        self._file: FileIO | None = None

    def __enter__(self) -> Segment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def is_new(self) -> bool:
        """Whether nothing was written yet."""
        return self._file is None

    def append(self, data: bytes) -> None:
        """Write all data, and wait until they are on disk; after an error, none of them is in the file.

        Raises:
            RunError: If they cannot be written. What was appended earlier is safe.
        """
        try:
            if self._file is None:
                self._file = self._open()
            _write(self._file, data)
        except OSError as error:
            raise explain_os_error(error, str(self.folder)) from error

    def _open(self) -> FileIO:
        if self.folder.is_symlink():
            raise RunError(f"{self.folder} is a link, through which nothing is written: move it away")
        self.folder.mkdir(parents=True, exist_ok=True)
        number = max((_number(path, self.suffix) for path in segments_of(self.folder, self.suffix)), default=0) + 1
        while True:
            try:
                # Unbuffered, so that closing the file after a failed write does not write again.
                return new_file(self.folder / f"{number:04d}{self.suffix}")
            except FileExistsError:  # Another process created it first.
                number += 1


def _write(file: FileIO, data: bytes) -> None:
    """Write all data; after an error, remove the part that was written, for example to a full disk."""
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


def segments_of(folder: Path, suffix: str) -> list[Path]:
    """Return the segments in a folder in the order of their numbers; the folder need not exist."""
    found = (path for path in folder.glob(f"*{suffix}") if path.name.removesuffix(suffix).isdecimal())
    return sorted(found, key=lambda path: _number(path, suffix))


def _number(path: Path, suffix: str) -> int:
    return int(path.name.removesuffix(suffix))


def sealed(entry: bytes) -> bytes:
    """Return the line of a JSON object that is not empty, with its checksum as the last field."""
    body = entry[:-1]
    return b'%s%s%08x"}\n' % (body, _MARK, zlib.crc32(body))


def unsealed(line: bytes) -> bytes | None:
    """Return the JSON object of a line without its line end; None if its checksum is missing or wrong."""
    body, mark, end = line.rpartition(_MARK)
    if not mark or end[8:] != b'"}' or end[:8] != b"%08x" % zlib.crc32(body):
        return None
    return body + b"}"
