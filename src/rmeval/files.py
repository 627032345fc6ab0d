"""Writing files: whole or not at all, never through a link, and without leaving anything behind."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

try:
    import fcntl
except ImportError:  # Windows, where leftovers are not recognised.
    fcntl = None  # type: ignore[assignment]

__all__ = ["json_bytes", "new_file", "opened", "replacing", "replacing_text", "stamp", "sweep"]

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
    sweep(path)
    draft, raw = _draft(path)
    with raw:
        try:
            with io.BufferedRandom(raw) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _draft(path: Path) -> tuple[Path, io.FileIO]:
    """A new file beside the target, locked as one that is being written."""
    while True:
        draft = path.with_name(f"{_prefix(path)}{secrets.token_hex(8)}.tmp")
        raw = new_file(draft)
        try:
            # Another writer of the same target may take it for left behind, as long as it is not locked.
            if _locked(raw) and os.fstat(raw.fileno()).st_nlink:
                return draft, raw
        except BaseException:
            raw.close()
            raise
        raw.close()


def _locked(file: io.FileIO) -> bool:
    """Locks a file; False where another process has locked it."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # Some network file systems have no such locks.
    return True


def new_file(path: Path) -> io.FileIO:
    """A file that was not there before, for reading and writing; no link is followed.

    Raises:
        FileExistsError: If there is anything of that name.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return io.FileIO(os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o666), "r+")


def opened(path: Path, links: bool = True) -> BinaryIO:
    """Opens a regular file for reading; a folder, a pipe or a device in its place is an error and no endless wait.

    Args:
        path: The file.
        links: Whether it may be a link to a file.

    Raises:
        OSError: If it is not there, is no regular file, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags if links else flags | getattr(os, "O_NOFOLLOW", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return io.BufferedReader(io.FileIO(descriptor, "r"))


def stamp(path: Path) -> tuple[int, ...] | None:
    """What changes when a file does, which is less than its contents; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


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


def sweep(path: Path) -> None:
    """Removes drafts of this target that no process writes any more."""
    if fcntl is None:
        return
    prefix = _prefix(path)
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if _is_draft(entry.name, prefix) and entry.is_file(follow_symlinks=False):
                # For writing, without which NFS locks nothing.
                with suppress(OSError), io.FileIO(os.open(entry.path, os.O_RDWR | os.O_NOFOLLOW), "r+") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    Path(entry.path).unlink()


def _is_draft(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and _DRAFT.fullmatch(name[len(prefix) :]) is not None


_DRAFT = re.compile(r"[0-9a-f]{16}\.tmp")
