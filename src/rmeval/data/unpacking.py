"""Reading of text files: decompression, UTF-8 decoding, and limits."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa

from rmeval.errors import DataError
from rmeval.limits import limit
from rmeval.messages import quoted

__all__ = ["check_path", "errors_of", "first_line_of", "lines_of", "text_of", "whole_of"]

_LFS = b"version https://git-lfs"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00")
"""Beginnings of text in UTF-16 or UTF-32, with or without a byte order mark."""
_BUFFER = 1 << 16
_BLANK = 99
"""Additional characters that a blank line counts as, to limit the time for files with millions of blank lines."""


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turn exceptions while a file is read into errors that name the file and the problem."""
    try:
        _refuse_other(path)
        with path.open("rb") as file:
            if file.read(len(_LFS)) == _LFS:
                raise DataError(f"{path} is a Git LFS pointer, not the data: run 'git lfs pull' in its repository")
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}): convert it") from error
    except csv.Error as error:
        raise DataError(f"{path} is broken CSV ({error}): check its quotes and line ends") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} is cut short or broken: download it again") from error
    except OSError as error:
        if error.errno is None:  # An error from decompression, not from the operating system.
            reason = str(error).partition("\n")[0]
            raise DataError(f"{path} is cut short or broken ({reason}): download it again") from error
        raise DataError(
            f"{path} cannot be read ({error.strerror or error}): check the file and its permissions"
        ) from error


def check_path(place: str) -> None:
    """Raise an error for an invalid path, such as a name of 5,000 letters.

    Raises:
        DataError: If the path is invalid.
    """
    try:
        Path(place).stat()
    except ValueError as error:
        raise DataError(f"{quoted(place)} is not a valid path ({error}): correct it") from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise DataError(f"{quoted(place)} is not a valid path ({error.strerror}): correct it") from error


def _refuse_other(path: Path) -> None:
    """Raise an error unless the path is a regular, nonempty file: a pipe cannot be read twice and may never end."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"there is no file {path}: check the path") from None
    except ValueError as error:
        raise DataError(f"{quoted(str(path))} is not a valid path ({error}): correct it") from error
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{path} is a folder: give the file in it")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(
            f"{path} is a pipe, a device or a socket, which cannot be read twice: save its contents to a file first"
        )
    if status.st_size == 0:
        raise DataError(f"{path} is empty: add at least one row")


@contextmanager
def text_of(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """Open a file as decompressed text."""
    with path.open("rb") as file:
        start = file.read(len(_ZSTD))
    with io.BufferedReader(_Bounded(path, start), _BUFFER) as stream:
        first = stream.peek(2)[:2]
        if first in _WIDE or b"\x00" in first:
            raise DataError(
                f"{path} is not UTF-8 text but UTF-16 or UTF-32: convert it, for example with iconv -t UTF-8"
            )
        with io.TextIOWrapper(stream, encoding="utf-8-sig", newline=newline) as text:
            yield text


class _Bounded(io.RawIOBase):
    """The decompressed bytes of a file, up to the limit."""

    def __init__(self, path: Path, start: bytes) -> None:
        self._path, self._most = path, limit("FILE_BYTES")
        self._left = self._most
        self._stream: Any
        if start.startswith(_GZIP):
            self._stream = gzip.GzipFile(path, "rb")
        elif start == _ZSTD:
            self._stream = pa.input_stream(str(path), compression="zstd")
        else:
            self._stream = path.open("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._stream.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise DataError(
                f"{self._path} has more than {self._most:,} bytes of text: split it, or set RMEVAL_MAX_FILE_BYTES"
            )
        return count

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def lines_of(file: TextIO, path: Path, blank: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text with their numbers, within limits.

    Args:
        file: The text.
        path: Its file.
        blank: Whether to include blank lines.
    """
    longest, most = limit("LINE_BYTES"), limit("ROWS")
    skipped = 0
    for number, line in enumerate(iter(partial(file.readline, longest + 1), ""), 1):
        if len(line) > longest:
            raise DataError(
                f"{path} line {number} has more than {longest:,} characters: check that it is the data file, or set "
                "RMEVAL_MAX_LINE_BYTES"
            )
        if number > most:
            raise DataError(f"{path} has more than {most:,} lines: split it, or set RMEVAL_MAX_ROWS")
        if not blank and line.isspace():
            skipped += len(line) + _BLANK
            if skipped > longest:
                raise DataError(f"{path} line {number}: too many blank lines: check that it is the data file")
            continue
        skipped = 0
        yield number, line


def first_line_of(file: TextIO, path: Path) -> str:
    """Return the next non-blank line; an empty string at the end."""
    return next((line for _, line in lines_of(file, path)), "")


def whole_of(file: TextIO, path: Path, name: str = "LINE_BYTES") -> str:
    """Read the rest of a text, up to the limit with this name."""
    longest = limit(name)
    text = file.read(longest + 1)
    if len(text) > longest:
        raise DataError(
            f"{path} is one document of more than {longest:,} characters: split it (JSON Lines are read row by row), "
            f"or set RMEVAL_MAX_{name}"
        )
    return text
