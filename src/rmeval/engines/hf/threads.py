"""The number of torch's CPU threads, chosen from the measured speed of the first pieces of work.

Threads that wait for each other do so in a loop. On a machine with other work, or with fewer cores than it seems to
have, torch's default of one thread per core therefore costs much CPU time and can be slower than a single thread.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

__all__ = ["Threads", "choice", "torch_default"]

logger = logging.getLogger(__name__)

_GAIN = 1.15
"""How much faster a number of threads must be than half of it, to be worth its CPU time."""
_PIECES = 3
"""Number of pieces that are timed with each number of threads, in turn, so that other work affects all alike."""
_SMALLEST = 256
"""Smallest number of tokens of a piece that is timed; less work is mostly overhead."""
_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables with which a user chooses the number of threads."""


def choice(timings: Mapping[int, float]) -> int | None:
    """The number of threads to use, given the time that each number takes for the same work.

    Beginning with the largest number, it is halved as long as the larger number is not at least 15% faster.

    Args:
        timings: Time by number of threads; the numbers are those from the largest down, each half of the one before.

    Returns:
        The number, or None if the time of half of the smallest number is needed.
    """
    count = max(timings)
    while count > 1:
        half = count // 2
        if half not in timings:
            return None
        if timings[half] >= _GAIN * timings[count]:
            return count
        count = half
    return 1


def torch_default() -> int | None:
    """The number of threads that torch uses by default; None if the user has chosen another one."""
    count = torch.get_num_threads()
    if any(os.environ.get(name) for name in _SETTINGS):
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # torch counts the cores, not their hardware threads, where it can.
    return count if count in ({cores, cores // 2} if _has_hardware_threads() else {cores}) else None


def _has_hardware_threads() -> bool:
    try:
        return Path("/sys/devices/system/cpu/smt/active").read_text(encoding="ascii").strip() == "1"
    except OSError:
        return True  # Unknown.


class Threads:
    """The number of threads for one network; torch's setting changes only while a piece is computed.

    It is chosen once, after the first pieces, unless the user has chosen the number of threads or there is a GPU.
    """

    def __init__(self, name: str, on_cpu: bool, clock: Callable[[], float] = time.perf_counter) -> None:
        """Store the network's name, for the note, and whether it runs on CPUs."""
        self._name = name
        self._on_cpu = on_cpu
        self._clock = clock
        self._default: int | None = None
        self._began = False
        self._spent: dict[int, list[tuple[int, float]]] = {}
        self.chosen: int | None = None

    def facts(self) -> dict[str, Any]:
        """The number of threads, and the measured seconds per 1000 tokens by number, for the manifest."""
        if not self._on_cpu:
            return {}
        used = self.chosen or torch.get_num_threads()
        measured = {str(count): round(1000 * taken, 6) for count, taken in self._timings().items()}
        return {"threads": used, **({"threads_measured": measured} if self.chosen else {})}

    @contextmanager
    def piece(self, tokens: int) -> Iterator[None]:
        """Compute a piece of work inside the context, with the number of threads that is chosen or to be timed."""
        if not self._on_cpu or not self._is_free():
            yield
            return
        count = self.chosen or self._next()
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        start = self._clock()
        try:
            yield
        finally:
            torch.set_num_threads(before)
        if self.chosen is None and tokens >= _SMALLEST:
            self._note(count, tokens, self._clock() - start)

    def _is_free(self) -> bool:
        """Whether torch has its default setting, which is read when the first piece is computed."""
        if not self._began:
            self._began, self._default = True, torch_default()
        return self._default not in (None, 1) and torch.get_num_threads() == self._default

    def _next(self) -> int:
        """The number of threads of the next piece: of the two that are compared, the one with fewer pieces."""
        if not self._spent:  # The first piece is not timed: torch prepares much in it.
            return self._default or 1
        return min(sorted(self._spent)[:2][::-1], key=lambda count: len(self._spent[count]))

    def _note(self, count: int, tokens: int, seconds: float) -> None:
        if not self._spent:
            assert self._default is not None
            self._spent = {self._default: [], self._default // 2: []}
            return
        self._spent[count].append((tokens, seconds))
        if any(len(pieces) < _PIECES for pieces in self._spent.values()):
            return
        self.chosen = choice(self._timings())
        if self.chosen is None:
            self._spent[min(self._spent) // 2] = []
            return
        times = ", ".join(f"{n}: {1e6 * taken:.0f}" for n, taken in self._timings().items())
        logger.warning(
            "torch computes %s with %d of %d CPU threads (microseconds per token by number of threads: %s); "
            "OMP_NUM_THREADS sets another number",
            self._name,
            self.chosen,
            self._default,
            times,
        )

    def _timings(self) -> dict[int, float]:
        """Seconds per token by number of threads, the largest first."""
        return {
            count: sum(seconds for _, seconds in pieces) / sum(tokens for tokens, _ in pieces)
            for count, pieces in sorted(self._spent.items(), reverse=True)
            if pieces
        }
