"""Writing files: whole or not at all, never through a link, and without leaving anything behind."""

from __future__ import annotations

import io
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

try:
    import fcntl
except ImportError:  # Windows, where leftovers are not recognised.
    fcntl = None  # type: ignore[assignment]

__all__ = ["json_bytes", "replacing", "replacing_text"]

_LONGEST = 200
"""Bytes of a target's name that its draft's name takes over: names end at 255."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block ends, and is removed when the block fails.

    The draft lies beside the target under a random name, is created anew (nothing is followed or overwritten), and is
    locked while it is written, so that the next writer of the same target recognises a draft whose process has died
    and removes it. A target that is a link is replaced itself; what it points to stays.

    Args:
        path: The file to write.

    Raises:
        OSError: If it cannot be written; what was there before is still there then.
    """
    _sweep(path)
    draft = path.with_name(f"{_prefix(path)}{secrets.token_hex(8)}.tmp")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with io.FileIO(os.open(draft, flags, 0o666), "r+") as raw:
        try:
            if fcntl is not None:
                with suppress(OSError):  # Some network file systems have no such locks.
                    fcntl.flock(raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with io.BufferedRandom(raw) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


@contextmanager
def replacing_text(path: Path) -> Iterator[TextIO]:
    """As `replacing`, for JSON and other text in UTF-8; what cannot be encoded is escaped as JSON escapes it.

    Names that the system gives may hold bytes that are no UTF-8, which Python keeps as lone surrogates.
    """
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)
        yield text
        text.detach()


def json_bytes(value: Any, **options: Any) -> bytes:
    """JSON in UTF-8 that any reader takes: letters as they are, lone surrogates escaped, no NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, **options).encode("utf-8", "backslashreplace")


def _prefix(path: Path) -> str:
    return f".{os.fsdecode(os.fsencode(path.name)[:_LONGEST])}."


def _sweep(path: Path) -> None:
    """Removes drafts of this target that no process writes any more."""
    if fcntl is None:
        return
    prefix = _prefix(path)
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if entry.name.startswith(prefix) and entry.name.endswith(".tmp") and entry.is_file(follow_symlinks=False):
                with suppress(OSError), Path(entry.path).open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    Path(entry.path).unlink()
