"""Harness that runs rmeval's command line thousands of times, in forked children, and judges each result."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

MEMORY = 6 << 30
"""Limit of a child's address space in bytes."""
SECONDS = 30
"""Limit of a child's time in seconds."""

WORDS = ("the", "of", "and", "to", "in", "is", "that", "it", "was", "for", "on", "are", "as", "with", "they", "at")


class Done(NamedTuple):
    """Result of a command: exit code (negative for a signal) and output."""

    code: int
    out: str
    err: str

    @property
    def fault(self) -> str | None:
        """Return the kind of fault that no command may have for any input; None without a fault."""
        if self.code == -signal.SIGALRM:
            return "hang"
        if "Traceback (most recent call last)" in self.err or "Exception ignored" in self.err:
            return "traceback"
        if self.code not in (0, 1, 2):
            return "crash"
        errors = [line for line in self.err.splitlines() if line.startswith("error: ")]
        if self.code == 2 and len(errors) != 1 and "Usage: " not in self.out:
            return "no sentence"
        return None


Stop = Callable[[], None]


def call(
    arguments: Sequence[object], *, prepare: Stop | None = None, seconds: int = SECONDS, memory: int = MEMORY
) -> Done:
    """Run `rmeval ARGUMENTS` in a forked child, in which everything is already imported.

    Args:
        arguments: Arguments of `rmeval`.
        prepare: Function that the child calls before the command, for example to make it die at some moment.
        seconds: Time after which the child is killed.
        memory: Limit of its address space in bytes.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            _run(list(map(str, arguments)), out.fileno(), err.fileno(), prepare, seconds, memory)
        _, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "backslashreplace"))
    return Done(os.waitstatus_to_exitcode(status), *texts)


def _run(arguments: list[str], out: int, err: int, prepare: Stop | None, seconds: int, memory: int) -> None:
    """Run the command in the child; never returns."""
    code = 70
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        resource.setrlimit(resource.RLIMIT_AS, (memory, resource.RLIM_INFINITY))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        sys.argv = ["rmeval", *arguments]
        from rmeval.cli import main

        if prepare is not None:
            prepare()
        main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:  # noqa: BLE001  Print the exception as Python does.
        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BaseException):
                stream.flush()
        os._exit(code)


def judge(done: Done, expected: str) -> str | None:
    """Compare the output of a command with the expected output; a one-sentence error is not a fault."""
    if done.fault:
        return done.fault
    if done.code == 0:
        return None if done.out == expected else "wrong"
    return "refused"


def last_line(done: Done) -> str:
    """Return the end of a command's output, for examples."""
    return (done.err.strip() or done.out.strip() or "nothing").splitlines()[-1][:300]


@dataclass
class Tally:
    """Results of the tries of one attack.

    Attributes:
        name: Name of the attack.
        tries: Number of tries.
        counts: Number of faults by kind; `refused` is not a fault.
        examples: Descriptions of a few faults.
    """

    name: str
    tries: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, fault: str | None, example: str = "") -> None:
        """Count a try."""
        self.tries += 1
        if fault is None:
            return
        self.counts[fault] += 1
        if fault != "refused" and len(self.examples) < 5:
            self.examples.append(f"{fault}: {example}")

    def merge(self, other: Tally) -> None:
        """Add the tries of another worker."""
        self.tries += other.tries
        self.counts += other.counts
        self.examples = (self.examples + other.examples)[:5]

    @property
    def faults(self) -> int:
        """Return the number of tries with a fault."""
        return sum(count for fault, count in self.counts.items() if fault != "refused")


class Share(NamedTuple):
    """The share of one process in an attack.

    Attributes:
        folder: An empty folder for this process.
        dice: A seeded random generator.
        tries: Number of tries of this process.
        number: Number of the share.
        of: Number of shares.
    """

    folder: Path
    dice: random.Random
    tries: int
    number: int
    of: int


Worker = Callable[[Share], Tally]
"""A function that runs one process's share of an attack."""


def spread(worker: Worker, folder: Path, seed: int, tries: int, processes: int = 2) -> Tally:
    """Distribute the tries of an attack over several processes."""
    jobs = []
    for number in range(processes):
        own = folder / f"{worker.__name__}-{number}"
        own.mkdir(parents=True)
        count = tries // processes + (number < tries % processes)
        jobs.append((worker, Share(own, random.Random(f"{seed} {number}"), count, number, processes)))
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        found = pool.starmap(_share, jobs, chunksize=1)
    whole = found[0]
    for one in found[1:]:
        whole.merge(one)
    return whole


def _share(worker: Worker, share: Share) -> Tally:
    return worker(share)


def words(dice: random.Random, low: int = 3, high: int = 30) -> str:
    """Draw some words."""
    return " ".join(dice.choices(WORDS, k=dice.randint(low, high)))


def write_pairs(path: Path, size: int, seed: int = 0) -> Path:
    """Write a file of pairs in five subsets."""
    dice = random.Random(seed)
    rows: Iterable[dict[str, str]] = (
        {
            "id": f"item {number}",
            "subset": f"part {number % 5}",
            "prompt": f"{number} {words(dice)}",
            "chosen": words(dice),
            "rejected": words(dice),
        }
        for number in range(size)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, in order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def warm() -> None:
    """Import everything that children may need, except modules that start threads."""
    import pkgutil
    from importlib import import_module

    import typer

    import rmeval

    for module in pkgutil.walk_packages(rmeval.__path__, "rmeval."):
        if not module.name.startswith(("rmeval.engines.", "rmeval.rendering", "rmeval.loading", "rmeval.__main__")):
            import_module(module.name)
    for name in ("pyarrow.parquet", "rich.table", "scipy.stats", "typer._adapters", "pandas"):
        with contextlib.suppress(ImportError):
            import_module(name)
    # Typer recreates the commands at each call, which takes longer than most commands.
    command_line: Any = import_module("rmeval.cli.app")
    import_module("rmeval.cli.flags").with_options(
        "`rule`"
    )  # Read the options of the application once, before it is replaced.
    command_line.app = typer.main.get_command(command_line.app)
