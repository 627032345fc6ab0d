"""A process for one model: it gets a job on standard input, and reports on standard output.

Standard input stays open as long as the sweep lives, so that the process of a sweep that was killed ends by itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

__all__ = ["end_with_parent", "ending_of", "run_process"]

_PATIENCE = 60.0
"""Seconds in which a process that gets SIGTERM writes what it has, before it is killed."""
_ORPHAN_PATIENCE = 5.0
"""The same where the sweep itself was killed: a new one may wait for the lock."""

Report = Mapping[str, Any]


def run_process(command: str, job: Mapping[str, Any], tell: Callable[[Report], None]) -> int:
    """Run a command of rmeval with a job, and return its exit code: negative for the number of a signal.

    The process has a session of its own, so that Ctrl-C reaches the sweep only, which then ends it in order; what it
    has started ends with it.

    Args:
        command: Name of the command.
        job: What to do, as JSON.
        tell: Called with each report, in another thread.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "rmeval", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    reports = process.stdout

    def listen() -> None:
        for line in reports:
            with suppress(ValueError):  # Half a line of a process that was killed.
                tell(json.loads(line))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        with suppress(BrokenPipeError):  # It has ended already, and its exit code says how.
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        code = process.wait()
    finally:
        _end(process)
        with suppress(OSError):
            process.stdin.close()
    listener.join(_ORPHAN_PATIENCE)
    return code


def _end(process: subprocess.Popen[str]) -> None:
    """End a process, first in order; then everything in its session."""
    try:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
    finally:
        _kill_session(process.pid)
        process.wait()


def _kill_session(leader: int) -> None:
    if os.name == "posix":
        # The leader's children, such as those of an engine, are in its process group.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def end_with_parent() -> None:
    """Make this process end when its standard input is closed, which the sweep keeps open."""

    def wait() -> None:
        while os.read(0, 1 << 12):
            pass
        killer = threading.Timer(_ORPHAN_PATIENCE, _kill_session, (os.getpid(),))
        killer.daemon = True
        killer.start()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def ending_of(code: int) -> str:
    """Return how a process ended that did not report what it should have."""
    if code == -signal.SIGKILL:
        return "its process was killed (SIGKILL), as the system does when memory runs out"
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code} and no report"
