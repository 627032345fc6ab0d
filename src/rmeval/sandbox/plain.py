"""Isolation without bubblewrap: a process with limits, an empty environment and a temporary folder."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from rmeval.sandbox.isolation import PATH, Start, limited, running_tasks
from rmeval.sandbox.programs import Isolation
from rmeval.sandbox.watching import Process

__all__ = ["PlainProcess"]

_MARK = "RMEVAL_SANDBOX"


class PlainProcess:
    """A process in its own session, which can read and write what its user can."""

    name: Isolation = "process"

    def start(self, given: Start) -> Process:
        """Start a program in a temporary folder, which is removed when it ends."""
        folder = Path(tempfile.mkdtemp(prefix="rmeval-"))
        for name, content in given.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o755)
        mark = secrets.token_hex(16)
        environment = {"PATH": PATH, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", _MARK: mark}
        started = subprocess.Popen(
            # Here all processes of the user count.
            limited(given, running_tasks(os.geteuid())),
            stdin=given.stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=given.inherited,
            env=environment | dict(given.toolchain.environment),
            cwd=folder,
            start_new_session=True,
        )

        def sweep() -> None:
            _kill_marked(f"{_MARK}={mark}".encode())
            shutil.rmtree(folder, ignore_errors=True)

        return Process(started, given.limits, sweep=sweep)


def _kill_marked(mark: bytes) -> None:
    """End the processes that left the group, recognised by their environment."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
