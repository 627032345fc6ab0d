"""The sandbox: runs programs, and verifies solutions."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from rmeval.errors import RmevalError
from rmeval.sandbox.building import build, run_built
from rmeval.sandbox.calls import verify_calls
from rmeval.sandbox.isolation import Isolated, open_bubblewrap
from rmeval.sandbox.plain import PlainProcess
from rmeval.sandbox.programs import Isolation, Limits, Outcome, Program
from rmeval.sandbox.suites import TestSuite, Verdict
from rmeval.sandbox.whole import verify_output, verify_program

__all__ = ["Sandbox"]

logger = logging.getLogger(__name__)

Key = TypeVar("Key")

_DEFAULT = Limits()
_AHEAD = 2
"""Jobs that wait for each worker."""


class Sandbox:
    """Runs programs with limits, isolated from this machine.

    Args:
        limits: Limits on each run.
        require: Whether bubblewrap must work; otherwise a process with limits replaces it, after a warning.
        readable: Further files and folders that programs may read, such as a folder of Python packages.

    Raises:
        RmevalError: If `require` is set and bubblewrap does not work here, or if programs cannot read `readable`.
    """

    def __init__(self, limits: Limits = _DEFAULT, require: bool = False, readable: Sequence[Path] = ()) -> None:
        if sys.platform != "linux":
            raise RmevalError("the sandbox runs on Linux only: use a Linux machine or a container")
        for path in readable:
            _check_readable(path)
        self.limits = limits
        self._isolated = _open(require, readable)

    @property
    def isolation(self) -> Isolation:
        """How programs are isolated."""
        return self._isolated.name

    def run(self, program: Program) -> Outcome:
        """Compile a program if its language needs it, and run it.

        Raises:
            RmevalError: If there is no such language.
        """
        built = build(self._isolated, program)
        return built if isinstance(built, Outcome) else run_built(self._isolated, self.limits, built, program.stdin)

    def verify(self, solution: str, tests: TestSuite, hash_seed: int = 0) -> Verdict:
        """Run tests of a solution.

        Args:
            solution: The solution.
            tests: The tests.
            hash_seed: Seed of the hashes of texts in Python's solutions, on which the order of sets depends; another
                seed shows solutions that are right by chance.

        Raises:
            RmevalError: If there is no such language.
        """
        try:
            if tests.kind == "io":
                return verify_output(self._isolated, self.limits, solution, tests)
            if tests.language == "python":
                return verify_calls(self._isolated, self.limits, solution, tests, hash_seed)
            return verify_program(self._isolated, self.limits, solution, tests)
        except OSError as error:
            return Verdict("unavailable", f"no process could be started: {error.strerror or error}", 0.0)

    def verify_many(
        self, jobs: Iterable[tuple[Key, str, TestSuite]], workers: int | None = None, hash_seed: int = 0
    ) -> Iterator[tuple[Key, Verdict]]:
        """Verify solutions at the same time, and yield each verdict as soon as it is known.

        Args:
            jobs: A key, a solution and its tests each; read only a little ahead.
            workers: Number of solutions at the same time. Default: the number of processors.
            hash_seed: As for `verify`.
        """
        count = workers or len(os.sched_getaffinity(0))
        running: dict[Future[Verdict], Key] = {}
        with ThreadPoolExecutor(count, "sandbox") as pool:
            try:
                for key, solution, tests in jobs:
                    running[pool.submit(self.verify, solution, tests, hash_seed)] = key
                    while len(running) >= _AHEAD * count:
                        yield from _finished(running)
                while running:
                    yield from _finished(running)
            finally:
                for future in running:
                    future.cancel()


def _finished(running: dict[Future[Verdict], Key]) -> Iterator[tuple[Key, Verdict]]:
    """Wait for a verdict, and take those that are known."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()


def _check_readable(path: Path) -> None:
    """Refuse what programs could not read."""
    if not path.exists():
        raise RmevalError(f"there is no file or folder {path}: correct or remove it in `readable`")
    needed = 0o005 if path.is_dir() else 0o004
    if os.geteuid() == 0 and path.stat().st_mode & needed != needed:
        raise RmevalError(
            f"{path} is readable for its owner only, but programs that root starts run as another user: change its "
            "permissions (chmod -R o+rX), or remove it from `readable`"
        )


def _open(require: bool, readable: Sequence[Path]) -> Isolated:
    found = open_bubblewrap(readable)
    if not isinstance(found, str):
        return found
    if require:
        raise RmevalError(f"the sandbox needs bubblewrap: {found}")
    logger.warning(
        "%s: programs run as processes of this user, with limits on time and memory only. They can read and write your "
        "files and use the network",
        found,
    )
    return PlainProcess()
