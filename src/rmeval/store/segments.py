"""Numbered files of one folder, to which processes append: each writing process creates a new one.

A line may be sealed by the CRC-32 of its bytes, so that a line that was cut or changed is detected.
"""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from rmeval.errors import RunError, explain_os_error
from rmeval.files import new_file

__all__ = ["SegmentWriter", "remove_segments", "sealed", "segments", "unsealed"]

_MARK = b',"crc":"'


class SegmentWriter:
    """Writer of a new segment, which is created with the first batch; use it as a context manager.

    Attributes:
        folder: The folder of the segments.
        suffix: The end of the segments' names.
        contents: What the segments contain, for messages.
    """

    suffix: ClassVar[str]
    contents: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        """Store the folder; nothing is created."""
        self.folder = folder
        self._file: FileIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def is_new(self) -> bool:
        """Whether nothing has been written."""
        return self._file is None

    def write(self, data: bytes) -> None:
        """Write all data and wait until they are on disk; after an error, remove the part that was written.

        Raises:
            RunError: If they cannot be written, for example to a full disk. Earlier data are safe.
        """
        try:
            if self._file is None:
                self._file = self._open()
            _write(self._file, data)
        except OSError as error:
            raise explain_os_error(error, str(self.folder)) from error

    def _open(self) -> FileIO:
        if self.folder.is_symlink():
            raise RunError(f"{self.folder} is a link, through which {self.contents} are not written: move it away")
        self.folder.mkdir(parents=True, exist_ok=True)
        number = max((_number(path) for path in segments(self.folder, self.suffix)), default=0) + 1
        while True:
            try:
                # Unbuffered, so that closing the file after a failed write does not write again.
                return new_file(self.folder / f"{number:04d}{self.suffix}")
            except FileExistsError:  # Another process created it first.
                number += 1


def _write(file: FileIO, data: bytes) -> None:
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


def segments(folder: Path, suffix: str) -> list[Path]:
    """The segments of a folder in the order in which they were created."""
    found = (path for path in folder.glob(f"*{suffix}") if path.name.removesuffix(suffix).isdecimal())
    return sorted(found, key=_number)


def remove_segments(folder: Path, suffix: str) -> None:
    """Remove the segments, and their folder if it is then empty; a link is not followed.

    Raises:
        OSError: If a segment cannot be removed.
    """
    if folder.is_symlink() or not folder.is_dir():
        return
    for segment in reversed(segments(folder, suffix)):
        segment.unlink()
    with suppress(OSError):
        folder.rmdir()


def _number(segment: Path) -> int:
    return int(segment.name.partition(".")[0])


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
