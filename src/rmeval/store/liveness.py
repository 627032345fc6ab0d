"""Checks whether the process that a lock names is still running."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["lives", "this_process"]

_INITIAL_SPACE = "pid:[4026531836]"
"""The PID namespace of every Linux system outside of containers."""
_LARGEST = 1 << 31


def this_process() -> dict[str, Any]:
    """A record that identifies this process among all processes of all machines."""
    return {
        "host": socket.gethostname(),
        "machine": _first_line("/etc/machine-id"),
        "boot": _first_line("/proc/sys/kernel/random/boot_id"),
        "space": _process_space(),
        "pid": os.getpid(),
        "start": _state(os.getpid())[1],
    }


def lives(process: Mapping[str, Any]) -> bool | None:
    """Whether a process is running; None if unknown.

    The state is known for processes on the same running system in the same PID namespace, and for processes from before
    the last boot of this machine. Locks of earlier versions name only the host and the PID namespace.

    Args:
        process: The result of `this_process` there; since it comes from a file, it may have any contents.
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
    """Whether a process ran on this machine before its last boot.

    Containers may share a machine id, so this is known only outside of containers.
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
    """The state of a process, such as `Z`, and its start time in ticks since boot; None if not available."""
    try:
        # The name of the program is in brackets, and may contain any character.
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
    """The PID namespace, which identifies a container on its host; None if not available."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
