"""Whether the process that a lock names still runs, if this machine can find out."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["lives", "this_process"]

_INITIAL_SPACE = "pid:[4026531836]"
"""The process space of every Linux system outside of containers."""
_LARGEST = 1 << 31


def this_process() -> dict[str, Any]:
    """Identifies this process among all processes of all machines."""
    return {
        "host": socket.gethostname(),
        "machine": _first_line("/etc/machine-id"),
        "boot": _first_line("/proc/sys/kernel/random/boot_id"),
        "space": _process_space(),
        "pid": os.getpid(),
        "start": _state(os.getpid())[1],
    }


def lives(process: Mapping[str, Any]) -> bool | None:
    """Whether a process lives; None where that cannot be known.

    It is known of processes that share the running system and the process space with this one, and of those of an
    earlier start of this machine. Locks of earlier versions name host and process space only.

    Args:
        process: What `this_process` gave there; anything, since it comes from a file.
    """
    pid, here = process.get("pid"), this_process()
    if type(pid) is not int or not 0 < pid < _LARGEST:
        return None
    if process.get("boot") and here["boot"]:
        if process["boot"] != here["boot"]:
            return False if _was_here(process, here) else None
    elif process.get("host") != here["host"]:
        return None
    if process.get("space") != here["space"]:
        return None
    status, start = _state(pid)
    started = process.get("start")
    if status in ("Z", "X") or (start is not None and type(started) is int and started != start):
        return False
    return _exists(pid)


def _was_here(process: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Whether a process ran on this machine before its last start.

    Images of containers may all hold the same machine id, so that this is known outside of containers only.
    """
    same = all(here[name] and process.get(name) == here[name] for name in ("machine", "host", "space"))
    return same and here["space"] == _INITIAL_SPACE


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _state(pid: int) -> tuple[str | None, int | None]:
    """The state of a process, such as `Z`, and when it started, in ticks since the system did; None if not shown."""
    try:
        # The name of the program stands in brackets, and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[19])
    except (OSError, ValueError, IndexError):
        return None, None


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").strip()[:64]
    except OSError:
        return ""


def _process_space() -> str | None:
    """Identifies a container among those of its host, if the system provides it."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
