"""Verifies solutions in Python by tests in another process, in another sandbox."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from dataclasses import replace
from typing import Literal

from rmeval.sandbox.bundle import bundle
from rmeval.sandbox.inherited import Descriptors, descriptors
from rmeval.sandbox.inside.values import ChannelError, pack, unpack
from rmeval.sandbox.isolation import Isolated, Start
from rmeval.sandbox.languages import PYTHON_OPTIONS, toolchains
from rmeval.sandbox.programs import Limits
from rmeval.sandbox.suites import TestSuite, Verdict, VerdictStatus
from rmeval.sandbox.watching import Ended, watch

__all__ = ["verify_calls"]

_MOST = 4096
_LIMITS = {"timeout": "time", "memory": "memory", "output": "output"}


def verify_calls(isolated: Isolated, limits: Limits, solution: str, tests: TestSuite, hash_seed: int = 0) -> Verdict:
    """Run tests that call functions of a solution.

    Args:
        isolated: Where both run.
        limits: Limits on each of the two processes.
        solution: The solution's code.
        tests: The tests.
        hash_seed: Seed of the hashes of texts in the solution's process, on which the order of sets depends.
    """
    given = pack(("check" if tests.kind == "check" else "asserts", tests.code, tests.context, tests.entry_point))
    with descriptors() as own:
        requests, replies, verdict = own.pipe(), own.pipe(), own.pipe()
        starts = [
            _python(own, limits, "verification", given, (replies[0], requests[1], verdict[1])),
            _python(
                own, limits, "solution", solution.encode("utf-8", "surrogatepass"), (requests[0], replies[1]), hash_seed
            ),
        ]
        with ExitStack() as running:
            processes = []
            for start in starts:
                processes.append(isolated.start(start))
                running.callback(processes[-1].end)
            # The end of a process is seen only if nobody else keeps its end of the pipes.
            own.close_some(*requests, *replies, verdict[1])
            watch(processes, limits.wall)
            record = _record(verdict[0])
            if record is not None and record[0] == "ended":
                processes[1].settle()
            ended = [process.end() for process in processes]
    return _verdict(record, *ended)


def _python(
    own: Descriptors, limits: Limits, module: str, stdin: bytes, inherited: tuple[int, ...], hash_seed: int = 0
) -> Start:
    """Start a module of `rmeval.sandbox.inside`; its arguments are the descriptors."""
    code, found = own.data(bundle(module)), toolchains()["python"]
    toolchain = replace(found, environment={**found.environment, "PYTHONHASHSEED": str(hash_seed)})
    command = [str(toolchain.executable), *PYTHON_OPTIONS, "-P", f"/proc/self/fd/{code}", *map(str, inherited)]
    return Start(command, limits, toolchain, own.data(stdin), inherited=[code, *inherited])


def _record(pipe: int) -> tuple[VerdictStatus | Literal["ended"], str] | None:
    """What the process of the tests wrote at its end."""
    os.set_blocking(pipe, False)
    try:
        found: tuple[VerdictStatus | Literal["ended"], str] = unpack(os.read(pipe, _MOST))
    except (BlockingIOError, ChannelError):
        return None
    return found


def _verdict(record: tuple[VerdictStatus | Literal["ended"], str] | None, tests: Ended, solution: Ended) -> Verdict:
    """The verdict, from what the tests wrote and from how both processes ended."""
    seconds = tests.seconds
    if excess := solution.excess or tests.excess:
        return Verdict(excess, f"the solution exceeded the limit on {_LIMITS[excess]}", seconds)
    if tests.code is None or (record is None and solution.code is None and not solution.killed):
        return Verdict("unavailable", _last_line(tests.stderr or solution.stderr), seconds)
    if tests.code == 128 + signal.SIGXCPU:
        return Verdict("timeout", "the tests exceeded the limit on CPU time", seconds)
    if record is None:
        return Verdict("error", f"the tests ended without a verdict: {_last_line(tests.stderr)}", seconds)
    if record[0] != "ended":
        return Verdict(record[0], record[1], seconds)
    return Verdict(*_ended(solution, record[1]), seconds)


def _ended(solution: Ended, reason: str) -> tuple[VerdictStatus, str]:
    """The status if the solution's process ended before the tests."""
    code = solution.code
    if code is None and not solution.killed:
        return "unavailable", _last_line(solution.stderr)
    if code is None:
        return "fail", f"the process of the solution sent an invalid message ({reason})"
    if code == 128 + signal.SIGXCPU:
        return "timeout", "the solution exceeded the limit on CPU time"
    if code == 128 + signal.SIGKILL:
        # Also the kernel does this, where the machine has no memory left.
        return "error", "the process of the solution was killed"
    if code > 128:
        return "fail", f"the process of the solution ended by signal {code - 128}"
    if code:
        return "fail", f"the process of the solution ended with exit code {code}: {_last_line(solution.stderr)}"
    return "fail", f"the process of the solution ended or sent an invalid message ({reason})"


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").split("\n")
    return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "no reason is known")
