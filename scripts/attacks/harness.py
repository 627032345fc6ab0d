"""Running rmeval's command line thousands of times, in forked children, and judging what came of each."""

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
"""Bytes of address space that a child may use."""
SECONDS = 30
"""Seconds that a child may take."""

WORDS = ("the", "of", "and", "to", "in", "is", "that", "it", "was", "for", "on", "are", "as", "with", "they", "at")


class Done(NamedTuple):
    """What came of a command: exit code (negative for a signal), and what it printed."""

    code: int
    out: str
    err: str

    @property
    def fault(self) -> str | None:
        """What no command may do, whatever it is given; None if it did none of it."""
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
    """Runs `rmeval ARGUMENTS` in a forked child, where everything is imported already.

    Args:
        arguments: What follows `rmeval`.
        prepare: Called in the child before the command, such as to have it die at some moment.
        seconds: After how long it is killed.
        memory: How many bytes of address space it may use.
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
    """The child's life, which never returns."""
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
    except BaseException:  # noqa: BLE001  What Python itself prints.
        traceback.print_exc()
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BaseException):
                stream.flush()
        os._exit(code)


def judge(done: Done, expected: str) -> str | None:
    """Whether a command printed what it must print, or refused in a sentence."""
    if done.fault:
        return done.fault
    if done.code == 0:
        return None if done.out == expected else "wrong"
    return "refused"


def last_line(done: Done) -> str:
    """The end of what a command printed, for examples."""
    return (done.err.strip() or done.out.strip() or "nothing").splitlines()[-1][:300]


@dataclass
class Tally:
    """What came of the tries of one attack.

    Attributes:
        name: Of the attack.
        tries: How often it was tried.
        counts: Of every fault, by its kind; `refused` is none.
        examples: A few of the faults, in words.
    """

    name: str
    tries: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, fault: str | None, example: str = "") -> None:
        """Counts a try."""
        self.tries += 1
        if fault is None:
            return
        self.counts[fault] += 1
        if fault != "refused" and len(self.examples) < 5:
            self.examples.append(f"{fault}: {example}")

    def merge(self, other: Tally) -> None:
        """Adds the tries of another worker."""
        self.tries += other.tries
        self.counts += other.counts
        self.examples = (self.examples + other.examples)[:5]

    @property
    def faults(self) -> int:
        """How many tries did not hold."""
        return sum(count for fault, count in self.counts.items() if fault != "refused")


class Share(NamedTuple):
    """What one process does of an attack.

    Attributes:
        folder: An empty folder of its own.
        dice: Seeded.
        tries: How many tries are its share.
        number: Which share it is.
        of: How many shares there are.
    """

    folder: Path
    dice: random.Random
    tries: int
    number: int
    of: int


Worker = Callable[[Share], Tally]
"""An attack, as one process does its share of it."""


def spread(worker: Worker, folder: Path, seed: int, tries: int, processes: int = 2) -> Tally:
    """Has several processes share the tries of an attack."""
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
    """Some words."""
    return " ".join(dice.choices(WORDS, k=dice.randint(low, high)))


def write_pairs(path: Path, size: int, seed: int = 0) -> Path:
    """A file of pairs in five subsets."""
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
    """All files below a folder, in order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def warm() -> None:
    """Imports all that children may need, but for what starts threads of its own."""
    import pkgutil
    from importlib import import_module

    import typer

    import rmeval

    for module in pkgutil.walk_packages(rmeval.__path__, "rmeval."):
        if not module.name.startswith(("rmeval.engines.hf", "rmeval.rendering", "rmeval.loading", "rmeval.__main__")):
            import_module(module.name)
    for name in ("pyarrow.parquet", "rich.table", "scipy.stats", "typer._adapters", "pandas"):
        with contextlib.suppress(ImportError):
            import_module(name)
    # Typer makes the commands anew at each call, which takes longer than most of them.
    command_line: Any = import_module("rmeval.cli.app")
    import_module("rmeval.cli.flags").with_options(
        "`rule`"
    )  # It reads the options of the application once, before that is replaced.
    command_line.app = typer.main.get_command(command_line.app)
