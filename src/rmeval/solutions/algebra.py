"""Compares mathematical answers with math-verify, in processes that are ended if they take too long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from queue import SimpleQueue
from types import TracebackType

from rmeval.data.digests import digest
from rmeval.errors import RmevalError, reason_of
from rmeval.extras import is_installed
from rmeval.solutions.final_answers import compared, needs_algebra, normalised
from rmeval.solutions.once import Once, Result

__all__ = ["Algebra", "equalities", "unreadable_keys"]

_SECONDS = 20.0
"""Time for one comparison, in which math-verify itself allows 5 seconds for each step."""
_MODULE = "rmeval.solutions.algebra_process"
_FEW = 20
"""Comparisons that are not worth a second process."""


class Algebra:
    """Processes that compare answers; a context manager.

    Args:
        seconds: Longest time of one comparison.

    Raises:
        RmevalError: If math-verify is not installed.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        if not is_installed("math_verify"):
            raise RmevalError(
                "comparing mathematical answers needs the package math-verify: pip install 'rmeval[build]'"
            )
        self._seconds = seconds
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        self._every: list[_Process] = []

    def __enter__(self) -> Algebra:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._every:
            process.end()

    def run(self, jobs: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[Result]:
        """Yield the reply to each job: a key and an answer, or a key alone; `unclear` if there is none in time.

        Raises:
            RmevalError: If no process can be started.
        """
        every = list(jobs)
        count = min(len(os.sched_getaffinity(0)), 1 + len(every) // _FEW)
        while len(self._every) < count:
            self._every.append(_Process(self._seconds))
            self._idle.put(self._every[-1])
        with ThreadPoolExecutor(count, "algebra") as pool:
            futures = {pool.submit(self._reply, job): key for key, job in every}
            try:
                for future in as_completed(futures):
                    yield Result(futures[future], future.result())
            finally:
                for future in futures:
                    future.cancel()

    def _reply(self, job: tuple[str, ...]) -> str:
        process = self._idle.get()
        try:
            return process.reply(job)
        finally:
            self._idle.put(process)


class _Process:
    """One process, which is started when it is needed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: subprocess.Popen[str] | None = None

    def reply(self, job: tuple[str, ...]) -> str:
        running = self._started()
        timer = threading.Timer(self._seconds, running.kill)
        timer.start()
        try:
            assert running.stdin is not None
            assert running.stdout is not None
            running.stdin.write(f"{json.dumps(job)}\n")
            running.stdin.flush()
            line = running.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line.endswith("\n"):
            self.end()  # It was killed, or memory was not enough.
            return "unclear"
        found: str = json.loads(line)
        return found

    def _started(self) -> subprocess.Popen[str]:
        if self._running is None:
            try:
                self._running = subprocess.Popen(
                    [sys.executable, "-m", _MODULE, str(self._seconds)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    encoding="utf-8",
                    start_new_session=True,  # An interrupt ends the build, which ends this.
                )
            except OSError as error:
                raise RmevalError(f"no process for math-verify can be started ({reason_of(error)})") from error
        return self._running

    def end(self) -> None:
        if self._running is None:
            return
        self._running.kill()
        with self._running:
            pass
        self._running = None


def equalities(pairs: Iterable[tuple[str, str]], algebra: Algebra, log: Once, what: str) -> list[str]:
    """Compare answers with keys, each pair once.

    Args:
        pairs: Keys and answers.
        algebra: Processes of math-verify.
        log: The log of results.
        what: What is done, for the progress bar.

    Returns:
        `equal`, `different` or `unclear` for each pair.

    Raises:
        RmevalError: If no process can be started.
    """
    plain = [(normalised(key), normalised(answer)) for key, answer in pairs]
    early = [compared(*pair) for pair in plain]
    keys = [_digest(*pair) for pair in plain]
    late = {key: pair for key, pair, known in zip(keys, plain, early, strict=True) if known is None}
    found = log.once(late, algebra.run, what)
    return [found[key] if known is None else known for key, known in zip(keys, early, strict=True)]


def unreadable_keys(keys: Iterable[str], algebra: Algebra, log: Once, what: str) -> set[str]:
    """The keys with which answers cannot be compared, because math-verify cannot read them.

    Raises:
        RmevalError: If no process can be started.
    """
    late = {_digest(plain): (key, plain) for key in keys if needs_algebra(plain := normalised(key))}
    found = log.once({name: (plain,) for name, (_, plain) in late.items()}, algebra.run, what)
    return {key for name, (key, _) in late.items() if found[name] != "readable"}


def _digest(*parts: str) -> str:
    return digest({"math-verify": version("math-verify"), "compared": parts})
