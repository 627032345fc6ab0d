"""One writer at a time: a lock file that names who holds it."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rmeval.errors import RunError, explain_os_error

__all__ = ["Lock"]


class Lock:
    """A lock file, created whole or not at all, that names host, process and time.

    A lock left behind by a process of this host that no longer lives is taken over; run folders may lie on network
    file systems, where another host's processes cannot be seen, so there only `break_lock` does.
    """

    def __init__(self, path: Path, break_lock: bool = False) -> None:
        self.path = path
        self.break_lock = break_lock

    def __enter__(self) -> Lock:
        own = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        # Linked into place, so that nobody ever reads a lock file that is half written.
        draft = self.path.with_name(f"{self.path.name}.{own['host']}.{own['pid']}")
        try:
            draft.write_text(json.dumps(own))
            try:
                self._take(draft)
            except FileExistsError:
                self._clear()
                self._take(draft)
        except FileExistsError:
            raise self._held() from None
        except OSError as error:
            raise explain_os_error(error, str(self.path)) from error
        finally:
            draft.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.path.unlink(missing_ok=True)

    def _take(self, draft: Path) -> None:
        os.link(draft, self.path)

    def _holder(self) -> dict[str, Any]:
        try:
            holder = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}
        return holder if isinstance(holder, dict) else {}

    def _clear(self) -> None:
        """Removes the lock if it may be removed, else says who holds it."""
        holder = self._holder()
        if self.break_lock or (holder.get("host") == socket.gethostname() and not _lives(holder.get("pid"))):
            self.path.unlink(missing_ok=True)
        else:
            raise self._held()

    def _held(self) -> RunError:
        holder = self._holder()
        return RunError(
            f"{self.path.parent} is being written by process {holder.get('pid', '?')} on {holder.get('host', '?')} "
            f"since {holder.get('time', '?')}: wait for it, or give --break-lock if that process is gone"
        )


def _lives(pid: object) -> bool:
    # A container's processes get the same small numbers each time: our own number in a lock is a dead namesake's.
    if not isinstance(pid, int) or pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
