"""Digests of files, cached between processes, and checks that the files still match their digests."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from rmeval.data.digests import digest
from rmeval.errors import ModelError, RmevalError
from rmeval.files import json_bytes, opened, replacing, stamp

__all__ = ["Sources", "checked", "files_digest"]

T = TypeVar("T")


class Sources:
    """Some files of a folder and their digest.

    Another process may write to the files between the digest and the loading, or while a model reads weights from
    memory-mapped files. `check` detects this, so that no score is stored under the digest of other files.

    Attributes:
        digest: SHA-256 over the files' names and contents.
    """

    def __init__(self, folder: Path, find: Callable[[], Iterable[Path]]) -> None:
        """Compute the digest of the current files.

        Args:
            folder: The folder that names are relative to.
            find: Lists the files; called again when the folder changes.

        Raises:
            RmevalError: If `find` raises it.
        """
        self._folder = folder
        self._find = find
        # Read the states first, so that the next check detects changes during the computation of sums.
        self._files = self._found()
        self._states = self._now()
        self.digest = self._digest()

    def check(self) -> None:
        """Compare the files with the digest; compute sums again only for files whose state changed.

        Raises:
            ModelError: If a file changed.
        """
        if self._now() == self._states:
            return
        try:
            files = self._found()
            self._files, before = files, self._files
            states = self._now()
            if files == before and self._digest() == self.digest:
                self._states = states
                return
        except (OSError, RmevalError):
            pass  # A file is missing, or the index names other files.
        raise ModelError(
            f"files of {self._folder} changed after rmeval computed their digest: wait until no process writes to "
            "them, then run the command again"
        )

    def _found(self) -> list[Path]:
        return sorted(set(self._find()), key=lambda path: (path.name, self._name(path)))

    def _name(self, path: Path) -> str:
        return os.path.relpath(path, self._folder).replace(os.sep, "/")

    def _digest(self) -> str:
        names = [self._name(path) for path in self._files]
        # The digest of a plain folder contains names without folders; two files in different folders may share a name.
        inner = [name for name in names if "/" in name]
        return files_digest(self._files) + (f" in {digest(names)[:16]}" if inner else "")

    def _now(self) -> dict[Path, tuple[int, ...] | None]:
        # The folder's stamp changes when a file that loading would prefer appears or disappears.
        return {path: stamp(path) for path in [*self._files, *(path.parent for path in self._files)]}


def checked(batches: Iterable[T], sources: Sequence[Sources]) -> Iterator[T]:
    """Yield each result after checking that it was computed from the files of the digest."""
    for batch in batches:
        for one in sources:
            one.check()
        yield batch


_CHUNK = 1 << 24


_ENDS = 1 << 16


_FRESH = 2_000_000_000
"""Nanoseconds within which a file can change without a new time stamp, as file systems have coarse clocks."""


_MOST = 4096


_TRIES = 5


_SUMS = re.compile("[0-9a-f]{64} [0-9a-f]{64}")


def files_digest(paths: Sequence[Path]) -> str:
    """Compute the SHA-256 over the names and SHA-256 sums of files.

    Sums are cached in `$XDG_CACHE_HOME/rmeval/sha256.json` for files with the same path, device, inode, size and times
    and the same beginning and end. If the cache cannot be written, sums are computed each time.

    Args:
        paths: The files.

    Raises:
        OSError: If one cannot be read.
    """
    memory = _memory()
    known = {} if memory is None else _read(memory)
    sums: list[tuple[str, str]] = []
    fresh: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: path.name):
        key, total, ends = _sum(path, known)
        sums.append((path.name, total))
        if key is not None and known.get(key) != f"{total} {ends}":
            fresh[key] = f"{total} {ends}"
    if fresh and memory is not None:
        _write(memory, fresh)
    return hashlib.sha256(json.dumps(sums).encode()).hexdigest()


def _memory() -> Path | None:
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # Neither HOME nor a password database entry exists.
        return None
    return Path(home) / "rmeval" / "sha256.json"


def _read(memory: Path) -> dict[str, str]:
    """Return the cached sums; a cache file with any other content is ignored."""
    try:
        with opened(memory) as file:
            found = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str) and _SUMS.fullmatch(value)}


def _write(memory: Path, fresh: Mapping[str, str]) -> None:
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        # Read again, as another process may have written in the meantime. The oldest entries come first and are dropped
        # first.
        known = {key: value for key, value in _read(memory).items() if key not in fresh} | dict(fresh)
        with replacing(memory) as file:
            file.write(json_bytes(dict(list(known.items())[-_MOST:])))


def _sum(path: Path, known: Mapping[str, str]) -> tuple[str | None, str, str]:
    """Return the cache key of a file, its sum and the sum of its ends; no key if it can change undetected."""
    for _ in range(_TRIES):
        with opened(path) as file:
            before = os.fstat(file.fileno())
            key = _key(path, before)
            ends = _ends(file, before.st_size)
            total, _, known_ends = known.get(key, "").partition(" ")
            if ends != known_ends:
                total = _whole(file)
            if _key(path, os.fstat(file.fileno())) == key:
                steady = time.time_ns() - max(before.st_mtime_ns, before.st_ctime_ns) > _FRESH
                return key if steady else None, total, ends
    raise OSError(None, "it is being written: try again when it is complete", str(path))


def _key(path: Path, found: os.stat_result) -> str:
    parts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return "|".join([str(path.resolve()), *map(str, parts)])


def _ends(file: BinaryIO, size: int) -> str:
    """Compute the sum of a file's beginning and end, which are read on every check."""
    total = hashlib.sha256(file.read(_ENDS))
    if size > _ENDS:
        file.seek(max(size - _ENDS, _ENDS))
        total.update(file.read(_ENDS))
    file.seek(0)
    return total.hexdigest()


def _whole(file: BinaryIO) -> str:
    total = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        total.update(chunk)
    return total.hexdigest()
