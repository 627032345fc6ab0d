"""A lock file that allows one writer at a time and names its holder."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from rmeval.errors import RunError, explain_os_error, explain_read_error
from rmeval.files import new_file, opened
from rmeval.messages import shortened
from rmeval.store.liveness import lives, this_process

__all__ = ["Lock", "holder"]

_held_here: set[str] = set()
"""Tokens of this process's locks: a lock with this process id and another token belongs to an ended process."""
_PATIENCE = 50
"""Number of attempts to take a lock while its holder changes, with a short wait in between."""
_MOMENT = 0.02
_LONGEST = 1 << 16
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""Errors of file systems without hard links, such as FAT and some in user space."""


class Lock:
    """A lock file, created atomically, that names host, process, time and a random token.

    A lock of an ended process is taken over if the end can be detected. Processes of another host or container, which
    may share a run folder on a network file system, cannot be seen; `break_lock` takes their locks.

    Taking over needs a claim, a file named after the old lock's contents that only one process can create. The process
    with the claim reads the lock again and replaces it with its own, so that the folder is never without a lock. A
    claim is itself a lock: the claim of an ended process is taken over in the same way.

    Folders that the lock creates and that are empty when it is released are removed again.
    """

    def __init__(self, path: Path, break_lock: bool = False) -> None:
        self.path = path.absolute()
        self.break_lock = break_lock
        self._token = uuid.uuid4().hex
        self._made: list[Path] = []
        own = this_process() | {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "token": self._token}
        self._own = json.dumps(own).encode()

    def __enter__(self) -> Lock:
        """Take the lock; create its folder if it does not exist.

        Raises:
            RunError: If another process holds it, or it cannot be written.
        """
        _held_here.add(self._token)
        try:
            self._take(self.path, self.break_lock)
        except BaseException as error:
            self._release()
            if isinstance(error, OSError):
                raise explain_os_error(error, str(self.path)) from error
            raise
        self._remove_leftovers()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        _held_here.discard(self._token)
        with suppress(OSError, RunError):
            if _read(self.path) == self._own:
                self.path.unlink()
        with suppress(OSError):
            # A folder that another process uses by now has its lock in it, and is not empty.
            for folder in self._made:
                folder.rmdir()

    def _make_folder(self) -> None:
        missing = [folder for folder in self.path.parents if not folder.exists()]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, FileNotFoundError):
            # Another process's lock removed a folder in the middle of this call. The next attempt creates it; what is
            # not a folder stays an error.
            if any(os.path.lexists(folder) and not folder.is_dir() for folder in self.path.parents):
                raise
            return
        self._made = [*missing, *(folder for folder in self._made if folder not in missing)]

    @property
    def made_folder(self) -> bool:
        """Whether this lock created its folder and still holds it; another process may have broken the lock."""
        if self.path.parent not in self._made:
            return False
        with suppress(OSError, RunError):
            return _read(self.path) == self._own
        return False

    def _take(self, path: Path, by_force: bool) -> None:
        for attempt in range(_PATIENCE):
            if attempt:
                time.sleep(_MOMENT)
            try:
                self._create(path)
                return
            except FileExistsError:
                pass
            except FileNotFoundError:  # The folder or the draft was removed.
                self._make_folder()
                continue
            if (found := _read(path)) is None:
                continue
            if not by_force and self._is_alive(found) is not False:
                raise self._held(found)
            if self._take_over(path, found):
                return
        raise self._held(_read(path) or b"")

    def _create(self, path: Path) -> None:
        """Write this process's lock if there is no file; atomic if the file system has hard links."""
        with self._draft() as draft:
            try:
                os.link(draft, path)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                with new_file(path) as file:
                    file.write(self._own)

    def _take_over(self, path: Path, found: bytes) -> bool:
        """Replace a lock that may be broken with this process's lock, unless it has changed."""
        claim = self._claim(path, found)
        if not self._take_claim(claim):
            return False
        try:
            if _read(path) != found:
                return False
            with self._draft() as draft:
                draft.replace(path)
            return True
        except FileNotFoundError:  # The previous holder removed the draft.
            return False
        finally:
            claim.unlink(missing_ok=True)

    def _take_claim(self, claim: Path) -> bool:
        try:
            self._create(claim)
            return True
        except FileExistsError:
            holder = _read(claim)
        except FileNotFoundError:
            return False
        if holder is None:
            return False
        alive = self._is_alive(holder)
        breakable = alive is False or (alive is None and self.break_lock)
        return breakable and self._take_over(claim, holder)

    def _claim(self, path: Path, found: bytes) -> Path:
        """The path of a claim; the untrusted contents of a lock file are hashed and never part of a path."""
        name = hashlib.blake2b(os.fsencode(path.name) + b"\0" + found, digest_size=16).hexdigest()
        return self.path.with_name(f"{self.path.name}.{name}.taken")

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        """This process's lock under a temporary name, so that no process reads an incomplete lock."""
        draft = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}")
        try:
            with new_file(draft) as file:
                file.write(self._own)
            yield draft
        finally:
            with suppress(OSError):
                draft.unlink()

    def _remove_leftovers(self) -> None:
        """Remove drafts and claims of killed processes; a running process creates its draft again."""
        name = re.compile(rf"{re.escape(self.path.name)}\.[0-9a-f]{{32}}(\.old|\.taken|)")
        with suppress(OSError, RunError):
            for entry in os.scandir(self.path.parent):
                if (found := name.fullmatch(entry.name)) and entry.is_file(follow_symlinks=False):
                    alive = self._is_alive(_read(Path(entry.path)) or b"")
                    if alive is False or (alive is None and found[1] != ".taken"):
                        Path(entry.path).unlink(missing_ok=True)

    @staticmethod
    def _is_alive(contents: bytes) -> bool | None:
        return _is_alive(_parse(contents))

    def _held(self, contents: bytes) -> RunError:
        return RunError(
            f"{self.path.parent} is being written by {_named(_parse(contents))}: "
            "wait for it, or give `break_lock` if that process has ended"
        )


def holder(path: Path) -> str | None:
    """A description of the holder of a lock; None if it is free, or if its process has ended."""
    try:
        contents = _read(path)
    except (OSError, RunError):
        return None
    record = _parse(contents or b"")
    return _named(record) if record and _is_alive(record) is not False else None


def _named(record: dict[str, Any]) -> str:
    pid, host, when = (shortened(record.get(name, "?"), 64) for name in ("pid", "host", "time"))
    return f"process {pid} on {host} since {when}"


def _is_alive(record: dict[str, Any]) -> bool | None:
    if record.get("pid") == os.getpid() and lives(record):
        return record.get("token") in _held_here
    return lives(record)


def _read(path: Path) -> bytes | None:
    """The contents of a lock file; None if there is no file.

    Raises:
        RunError: If it cannot be read.
    """
    try:
        with opened(path, links=False) as file:
            return file.read(_LONGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explain_read_error(error, path) from error


def _parse(contents: bytes) -> dict[str, Any]:
    try:
        record = json.loads(contents)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
