"""Parquet files with a checksum and the name of their run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rmeval.errors import DamagedError, explain_read_error
from rmeval.files import opened, replacing

__all__ = ["reading", "stated_sum", "writing"]

_SUM = "sha256"
_NONE = b"0" * 64
_MARK = b"\x06sha256\x18\x40"
"""The bytes of the checksum's name in the footer: its length, the name, and the length of the value."""
_CHUNK = 1 << 20


@contextmanager
def writing(path: Path, schema: pa.Schema, run: str | None, journal: str | None = None) -> Iterator[pq.ParquetWriter]:
    """Open a writer of a table that replaces `path` when the block ends.

    The footer's `sha256` is that of the whole file with 64 zeros in its place: pages have their own checksums, but the
    footer, which determines how they are read, has none.

    Args:
        path: The file.
        schema: Its columns.
        run: The run to which it belongs, from `run_id`.
        journal: The state of the journal from which it derives, from `journal_state`.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(path) as file:
        with pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
            yield writer
            stated = {} if journal is None else {"journal": journal}
            writer.add_key_value_metadata({"run": run or "", **stated, _SUM: _NONE.decode()})
        place = _place(file)
        assert place is not None
        digest = _digest(file, place)
        file.seek(place)
        file.write(digest)


@contextmanager
def reading(path: Path, run: str | None = None, journal: str | None = None) -> Iterator[pq.ParquetFile]:
    """Open a table and verify its checksum; the file is opened once, so replacing it does not affect the reader.

    Files of earlier versions have no checksum.

    Args:
        path: The file.
        run: The run to which it must belong, if it names one.
        journal: The state of the journal from which it must derive, if it names one.

    Raises:
        DamagedError: If it is missing, damaged or cannot be parsed, including by the code of the block.
        RunError: If it cannot be opened.
    """
    try:
        file = opened(path)
    except FileNotFoundError as error:
        raise DamagedError(f"{path} is missing") from error
    except OSError as error:
        raise explain_read_error(error, path) from error
    with file:
        try:
            place = _place(file)
            if place is not None and _stated(file, place) != _digest(file, place):
                raise pa.ArrowInvalid("its checksum does not match its contents")
            with pq.ParquetFile(file, page_checksum_verification=True) as table:
                stated = table.metadata.metadata or {}
                own, made_from = stated.get(b"run", b"").decode(), stated.get(b"journal", b"").decode()
                if run is not None and own not in ("", run):
                    raise pa.ArrowInvalid(f"it belongs to the run {own}, not {run}")
                if journal is not None and made_from not in ("", journal):
                    raise pa.ArrowInvalid("it derives from a journal with other observations")
                yield table
        except _TROUBLE as error:
            reason = " ".join(str(error).split())[-160:]
            raise DamagedError(f"{path} is damaged ({reason})") from error


def stated_sum(path: Path) -> str | None:
    """The checksum stated in a file, unverified; None if there is none or the file cannot be read."""
    try:
        with opened(path) as file:
            place = _place(file)
            return None if place is None else _stated(file, place).decode("ascii", "replace")
    except OSError:
        return None


_TROUBLE = (OSError, pa.ArrowException, ArithmeticError, LookupError, TypeError, ValueError, RecursionError)
"""Errors that reading a damaged file raises, from pyarrow or from rmeval."""


def _place(file: BinaryIO) -> int | None:
    """The position of the checksum; None in a file without one."""
    size = file.seek(0, 2)
    if size < 12:
        return None
    file.seek(size - 8)
    length = int.from_bytes(file.read(4), "little")
    start = max(size - 8 - length, 0)
    file.seek(start)
    footer = file.read(size - 8 - start)
    found = footer.rfind(_MARK) + len(_MARK)
    return start + found if found >= len(_MARK) and len(footer) >= found + len(_NONE) else None


def _stated(file: BinaryIO, place: int) -> bytes:
    file.seek(place)
    return file.read(len(_NONE))


def _digest(file: BinaryIO, place: int) -> bytes:
    """The checksum of a file with zeros in place of its stated checksum."""
    total = hashlib.sha256()
    file.seek(0)
    left = place
    while left and (chunk := file.read(min(left, _CHUNK))):
        total.update(chunk)
        left -= len(chunk)
    total.update(_NONE)
    file.seek(place + len(_NONE))
    while chunk := file.read(_CHUNK):
        total.update(chunk)
    return total.hexdigest().encode()
