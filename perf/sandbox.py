"""Measure verifications per second in the sandbox against plain processes.

python -m perf.sandbox [--solutions N] [--rounds N] [--out FILE]

The plain way runs `python solution_and_tests.py` without any protection, as many published evaluations do, with the
same number of processes at the same time. Both see the same solutions in the same round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from perf.machine import machine
from rmeval.sandbox import Sandbox, TestSuite

Job = tuple[int, str, TestSuite]

SOLUTION = """
def squares(numbers):
    found = []
    for number in numbers:
        found.append(number * number)
    return found
"""
TESTS = """
assert squares([]) == []
assert squares([{n}, 2]) == [{n} * {n}, 4]
assert squares(range(3)) == [0, 1, 4] or squares([0, 1, 2]) == [0, 1, 4]
assert squares([-1, 0.5]) == [1, 0.25]
"""


def jobs(count: int) -> list[Job]:
    """Solutions with tests that hold."""
    tests = [TESTS.format(n=number) for number in range(count)]
    return [(n, SOLUTION, TestSuite("asserts", entry_point="squares", code=text)) for n, text in enumerate(tests)]


def sandboxed(sandbox: Sandbox, given: Sequence[Job]) -> None:
    """Verify in the sandbox."""
    assert all(verdict.status == "pass" for _, verdict in sandbox.verify_many(given))


def plain(given: Sequence[Job]) -> None:
    """Run solution and tests together in a process each."""

    def run(job: Job) -> int:
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "program.py"
            program.write_text(f"{job[1]}\n{job[2].code}")
            return subprocess.run([sys.executable, program], check=False, capture_output=True).returncode

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        assert not any(pool.map(run, given))


def speed(run: Callable[[], None], count: int) -> float:
    """Verifications per second."""
    begun = time.perf_counter()
    run()
    return count / (time.perf_counter() - begun)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solutions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--out", type=Path, help="markdown file to add the table to")
    given = parser.parse_args()
    sandbox, solutions = Sandbox(require=True), jobs(given.solutions)
    ways: dict[str, Callable[[], None]] = {
        "sandbox": lambda: sandboxed(sandbox, solutions),
        "plain processes": lambda: plain(solutions),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(given.rounds):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            found[name].append(speed(ways[name], len(solutions)))
    ratio = statistics.median(one / other for one, other in zip(*found.values(), strict=True))
    lines = [
        f"\n### Verifications in the sandbox, {machine()}\n",
        f"{len(solutions)} solutions in Python with four assertions each, medians of {given.rounds} rounds in turns, "
        f"{len(os.sched_getaffinity(0))} at the same time. *Ratio*: against plain processes of the same round, where a "
        "solution shares a process with its tests.\n",
        "| way | verifications/s | ratio |",
        "|---|---|---|",
        f"| sandbox | {statistics.median(found['sandbox']):.1f} | {ratio:.2f} |",
        f"| plain processes | {statistics.median(found['plain processes']):.1f} | 1 |",
    ]
    text = "\n".join(lines)
    print(text)  # noqa: T201
    if given.out:
        with given.out.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")


if __name__ == "__main__":
    main()
