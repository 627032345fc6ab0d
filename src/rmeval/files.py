"""Atomic writing of files, without following links or leaving temporary files."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

try:
    import fcntl
except ImportError:  # On Windows, leftover drafts are not detected.
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "STANDARD",
    "folder_draft",
    "json_bytes",
    "new_file",
    "opened",
    "replacing",
    "replacing_text",
    "stamp",
    "sweep",
]

STANDARD = Path("-")
"""The path that stands for standard input, or for standard output."""
_LONGEST = 200
"""Maximum number of bytes of the target's name in its draft's name, as file systems limit names to 255 bytes."""


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` when the block ends and is removed when the block fails.

    The draft is a new file with a random name beside the target (no link is followed, no file overwritten). It is
    locked while it is written, so that the next writer of the same target detects and removes the draft of a dead
    process. If the target is a link, the link itself is replaced; the file that it points to stays.

    Args:
        path: The file to write.

    Raises:
        OSError: If the file cannot be written; the existing file stays unchanged.
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


@contextmanager
def folder_draft(folder: Path) -> Iterator[Path]:
    """Create an empty folder with a random name beside another, and remove it at the end if it is still there.

    Raises:
        OSError: If it cannot be created.
    """
    draft = folder.with_name(f"{_prefix(folder)}{secrets.token_hex(8)}.tmp")
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _draft(path: Path) -> tuple[Path, io.FileIO]:
    """Create a locked draft beside the target."""
    while True:
        draft = path.with_name(f"{_prefix(path)}{secrets.token_hex(8)}.tmp")
        raw = new_file(draft)
        try:
            # Until it is locked, another writer of the same target may remove it as a leftover.
            if _locked(raw) and os.fstat(raw.fileno()).st_nlink:
                return draft, raw
        except BaseException:
            raw.close()
            raise
        raw.close()


def _locked(file: io.FileIO) -> bool:
    """Lock a file; return False if another process holds the lock."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # Some network file systems do not support these locks.
    return True


def new_file(path: Path) -> io.FileIO:
    """Create a file for reading and writing, without following links.

    Raises:
        FileExistsError: If the name exists.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return io.FileIO(os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o666), "r+")


def opened(path: Path, links: bool = True) -> BinaryIO:
    """Open a regular file for reading; a folder, pipe or device is an error instead of an endless wait.

    Args:
        path: The file.
        links: Whether `path` may be a link to a file.

    Raises:
        OSError: If the file does not exist, is not a regular file, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags if links else flags | getattr(os, "O_NOFOLLOW", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return io.BufferedReader(io.FileIO(descriptor, "r"))


def stamp(path: Path) -> tuple[int, ...] | None:
    """Return identity, size and times of a file, which change if the file changes; None if it does not exist."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@contextmanager
def replacing_text(path: Path) -> Iterator[TextIO]:
    """Open a text file in UTF-8 that replaces `path`, see `replacing`; JSON escapes replace unencodable characters.

    File names may contain bytes that are not UTF-8, which Python represents as lone surrogates.
    """
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)
        yield text
        text.detach()


def json_bytes(value: Any, **options: Any) -> bytes:
    """Encode a value as strict JSON in UTF-8: letters unescaped, lone surrogates escaped, no NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, **options).encode("utf-8", "backslashreplace")


def _prefix(path: Path) -> str:
    return f".{os.fsdecode(os.fsencode(path.name)[:_LONGEST])}."


def sweep(path: Path) -> None:
    """Remove drafts of this target that no process is writing."""
    if fcntl is None:
        return
    prefix = _prefix(path)
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if _is_draft(entry.name, prefix) and entry.is_file(follow_symlinks=False):
                # NFS only locks files that are open for writing.
                with suppress(OSError), io.FileIO(os.open(entry.path, os.O_RDWR | os.O_NOFOLLOW), "r+") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    Path(entry.path).unlink()


def _is_draft(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and _DRAFT.fullmatch(name[len(prefix) :]) is not None


_DRAFT = re.compile(r"[0-9a-f]{16}\.tmp")
