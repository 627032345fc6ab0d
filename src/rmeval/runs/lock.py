"""One writer at a time: a lock file that names who holds it."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from rmeval.errors import RunError, explain_os_error

__all__ = ["Lock"]

_held_here: set[Path] = set()
"""Locks of this process: a lock with our number that is not among them was left by a dead namesake, since containers
give their processes the same small numbers each time."""


class Lock:
    """A lock file, created whole or not at all, that names host, process, time and a random token.

    A lock left behind by a process that no longer lives is taken over, where that can be known: run folders may lie on
    network file systems, and processes of another host or another container cannot be seen. There `break_lock` helps.
    """

    def __init__(self, path: Path, break_lock: bool = False) -> None:
        self.path = path.absolute()
        self.break_lock = break_lock
        self._own = {
            "host": socket.gethostname(),
            "space": _process_space(),
            "pid": os.getpid(),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "token": uuid.uuid4().hex,
        }

    def __enter__(self) -> Lock:
        try:
            try:
                self._take()
            except FileExistsError:
                self._clear()
                self._take()
        except FileExistsError:
            raise self._held(_read(self.path)) from None
        except OSError as error:
            raise explain_os_error(error, str(self.path)) from error
        _held_here.add(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _held_here.discard(self.path)
        if _read(self.path).get("token") == self._own["token"]:
            self.path.unlink(missing_ok=True)

    def _take(self) -> None:
        # Linked into place, so that nobody ever reads a lock that is half written.
        draft = self.path.with_name(f"{self.path.name}.{self._own['token']}")
        try:
            draft.write_text(json.dumps(self._own))
            os.link(draft, self.path)
        finally:
            draft.unlink(missing_ok=True)

    def _clear(self) -> None:
        """Removes a lock that may be removed, else says who holds it."""
        holder = _read(self.path)
        if not self.break_lock and not self._is_dead(holder):
            raise self._held(holder)
        # Renamed, which only one process can do, and looked at again: between reading and renaming, another process
        # may have removed the dead lock and put its own in place, which then goes back.
        aside = self.path.with_name(f"{self.path.name}.{self._own['token']}.old")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return
        found = _read(aside)
        try:
            if found.get("token") != holder.get("token"):
                os.link(aside, self.path)
                raise self._held(found)
        finally:
            aside.unlink(missing_ok=True)

    def _is_dead(self, holder: dict[str, Any]) -> bool:
        if (holder.get("host"), holder.get("space")) != (self._own["host"], self._own["space"]):
            return False
        pid = holder.get("pid")
        if pid == os.getpid():
            return self.path not in _held_here
        return isinstance(pid, int) and not _lives(pid)

    def _held(self, holder: dict[str, Any]) -> RunError:
        return RunError(
            f"{self.path.parent} is being written by process {holder.get('pid', '?')} on {holder.get('host', '?')} "
            f"since {holder.get('time', '?')}: wait for it, or give --break-lock if that process is gone"
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        holder = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _process_space() -> str | None:
    """What tells containers of one host apart, where the system shows it."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
