"""Watches running processes: reads their output, and ends them at a limit."""

from __future__ import annotations

import json
import mmap
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rmeval.sandbox.programs import Limits

__all__ = ["Ended", "Process", "tree", "watch"]

_INTERVAL = 0.05
"""Seconds between two looks at memory."""
_GRACE = 0.2
"""Seconds to wait for a process that should have ended."""
_STATUS_BYTES = 4096

Excess = Literal["timeout", "memory", "output"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    Attributes:
        excess: The limit that it exceeded, or None.
        code: Exit code, 128 and the number of the signal that ended it, or None if it was killed or not started.
        killed: Whether it was still running and was killed.
        stdout: Standard output, up to the limit.
        stderr: Standard error, up to the limit.
        seconds: Seconds from start to end.
    """

    excess: Excess | None
    code: int | None
    killed: bool
    stdout: bytes
    stderr: bytes
    seconds: float


class Process:
    """A started process.

    Args:
        started: The process, with pipes for standard output and standard error.
        limits: Its limits.
        status: Descriptor on which bubblewrap reports the process in the sandbox, and its exit code.
        sweep: Ends processes that may be left.
    """

    def __init__(
        self,
        started: subprocess.Popen[bytes],
        limits: Limits,
        status: int | None = None,
        sweep: Callable[[], None] = lambda: None,
    ) -> None:
        self.started = started
        self.limits = limits
        self.sweep = sweep
        self.begun = time.monotonic()
        self.ended: Ended | None = None
        self.excess: Excess | None = None
        self.read: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray(), "status": bytearray()}
        self.pipes: dict[int, str] = {}
        for name, stream in (("stdout", started.stdout), ("stderr", started.stderr)):
            if stream is not None:
                self.pipes[stream.fileno()] = name
        self._status = status
        if status is not None:
            self.pipes[status] = "status"

    def take(self, pipe: int) -> bool:
        """Read what a pipe holds; return False at its end."""
        part = os.read(pipe, 1 << 16)
        name = self.pipes[pipe]
        self.read[name] += part
        if name == "status":
            del self.read[name][_STATUS_BYTES:]
        elif self._written > self.limits.output:
            self.excess = self.excess or "output"
        return bool(part)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.started.poll() is None

    def look(self) -> None:
        """Note whether its processes need too much memory."""
        pages = 0
        for pid in tree(self.started.pid):
            with suppress(OSError, ValueError, IndexError):
                pages += int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
        if pages * mmap.PAGESIZE > self.limits.memory:
            self.excess = "memory"

    def settle(self) -> None:
        """Wait a moment for a process that should have ended."""
        with suppress(subprocess.TimeoutExpired):
            self.started.wait(_GRACE)

    def kill(self) -> None:
        """End it and all its processes."""
        # The first process of a namespace takes all others with it.
        if (first := self._reported("child-pid")) is not None and self.running:
            _signal(os.kill, first)
        if self._status is None or self.running:
            _signal(os.killpg, self.started.pid)
        self.started.wait()
        self.sweep()

    def end(self) -> Ended:
        """Kill what is left, and return how it ended; further calls return the same."""
        if self.ended is None:
            self.ended = self._end()
        return self.ended

    def _end(self) -> Ended:
        for pipe in self.pipes:
            os.set_blocking(pipe, False)
        # The status names the process to kill; the others may be written for ever until then.
        self._drain("status")
        killed = self.running
        self.kill()
        self._drain("stdout", "stderr", "status")
        seconds = time.monotonic() - self.begun
        for stream in (self.started.stdout, self.started.stderr):
            if stream is not None:
                stream.close()
        ended = self.started.returncode
        code: int | None = 128 - ended if ended < 0 else ended
        if self._status is not None:
            os.close(self._status)
            code = self._reported("exit-code")
        room = self.limits.output
        return Ended(
            self.excess, code, killed, bytes(self.read["stdout"][:room]), bytes(self.read["stderr"][:room]), seconds
        )

    def _drain(self, *names: str) -> None:
        """Read what is left in pipes."""
        for pipe in [pipe for pipe, name in self.pipes.items() if name in names]:
            with suppress(BlockingIOError):
                while self._written <= self.limits.output and self.take(pipe):
                    pass

    @property
    def _written(self) -> int:
        return len(self.read["stdout"]) + len(self.read["stderr"])

    def _reported(self, name: str) -> int | None:
        for line in bytes(self.read["status"]).splitlines():
            with suppress(ValueError):
                if isinstance(found := json.loads(line).get(name), int):
                    return found
        return None


def _signal(send: Callable[[int, int], None], target: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        send(target, signal.SIGKILL)


def tree(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    left = [pid]
    while left:
        one = left.pop()
        yield one
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{one}/task"):  # noqa: PTH208  Read many times a second.
                left += map(int, Path(f"/proc/{one}/task/{thread}/children").read_bytes().split())


def watch(processes: Sequence[Process], wall: float) -> None:
    """Wait until the first of some processes ends, or one exceeds a limit.

    Args:
        processes: The processes.
        wall: Seconds that they may take.
    """
    first = processes[0]
    deadline = first.begun + wall
    looked = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for process in processes:
            for pipe in process.pipes:
                selector.register(pipe, selectors.EVENT_READ, process)
        while first.running and not any(process.excess for process in processes):
            now = time.monotonic()
            if now >= deadline:
                for process in processes:
                    process.excess = "timeout"
                break
            if now - looked >= _INTERVAL:
                looked = now
                for process in processes:
                    process.look()
            _pump(selector, min(_INTERVAL, deadline - now), first)


def _pump(selector: selectors.BaseSelector, seconds: float, first: Process) -> None:
    """Read what has been written."""
    if not any(key.data is first for key in selector.get_map().values()):
        with suppress(subprocess.TimeoutExpired):
            first.started.wait(min(seconds, _INTERVAL))
        return
    for key, _ in selector.select(seconds):
        process: Process = key.data
        if not process.take(key.fd):
            selector.unregister(key.fd)
