"""Attacks on commands that write files: killed before each change of a file, and at random moments."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts.attacks.folders import SCORER
from scripts.attacks.harness import Share, Stop, Tally, call, files_below, last_line, write_pairs

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
KILLED = 137


class Writing(NamedTuple):
    """A command that writes files.

    Attributes:
        arguments: The command, given the folder that it writes to.
        result: Reads its result from that folder.
    """

    arguments: Callable[[Path], list[object]]
    result: Callable[[Path], str]


class State(NamedTuple):
    """State of a folder: the result, and the names of files (a journal has one segment for each process)."""

    result: str
    files: frozenset[str]


def operations(share: Share) -> Tally:
    """Kill every writing command before each of its changes of files, and run it again; also kill it twice in a row."""
    tally = Tally("killed before every change of a file")
    writings = _writings(share.folder, 40)
    for writing in writings:
        place = share.folder / "place"
        expected = _state(writing, place)
        step = share.number
        while _killed(tally, writing, place, [step], expected):
            step += share.of
        for _ in range(share.tries // len(writings)):
            _killed(tally, writing, place, [share.dice.randrange(step), share.dice.randrange(step)], expected)
    return tally


def moments(share: Share) -> Tally:
    """Kill commands at random moments, each repeatedly until it completes."""
    tally = Tally("killed at a random moment")
    writings = _writings(share.folder, 600)[:2]
    turn = 0
    while tally.tries < share.tries:
        writing, place = writings[turn % len(writings)], share.folder / str(turn)
        start = time.monotonic()
        expected = _state(writing, place)
        length = time.monotonic() - start
        _empty(place)
        ended = False
        while not ended:
            number = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[share.dice.randrange(3)]
            done = call(writing.arguments(place), prepare=_die_after(share.dice.uniform(0, length), number))
            ended = done.code == 0
            fault = None if ended or done.code in (-number, 128 + number) else done.fault or "lost"
            if "Traceback" in done.err + done.out or "Exception ignored" in done.err:
                fault = "traceback"
            tally.add(fault, f"{writing.arguments(place)[0]} after {number.name}: {last_line(done)}")
        found = State(writing.result(place), _names(place))
        # One more try: whether the kept results are complete and right.
        _judge(tally, found, expected, f"{writing.arguments(place)[0]} after kills")
        turn += 1
    return tally


def _writings(folder: Path, size: int) -> Sequence[Writing]:
    """Return commands that write files."""
    data = write_pairs(folder / "pairs.jsonl", size)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    answers, scores, scorer = folder / "answers.jsonl", folder / "scores.jsonl", folder / "scorer.py"
    answers.write_text("".join(json.dumps({"prompt": r["prompt"], "response": r["chosen"]}) + "\n" for r in rows))
    given = [{"id": r["id"], "chosen_score": len(r["chosen"]), "rejected_score": len(r["rejected"])} for r in rows]
    scores.write_text("".join(json.dumps(row) + "\n" for row in given))
    scorer.write_text(SCORER)
    model = f"{scorer}:Scorer"
    return [
        Writing(lambda out: ["run", model, "-b", "pairs", "--data", data, "-o", out, "--batch-size", 20], _numbers),
        Writing(lambda out: ["score", model, answers, "-o", out / "out.jsonl", "--batch-size", 20], _rows),
        Writing(lambda out: ["import", scores, "-b", "pairs", "--data", data, "-o", out], _numbers),
        Writing(lambda out: ["items", "pairs", "--data", data, "-o", out / "items.jsonl"], _rows),
    ]


def _numbers(out: Path) -> str:
    done = call(["show", out, "--json"])
    return done.out if done.code == 0 else f"exit code {done.code}: {last_line(done)}"


def _rows(out: Path) -> str:
    return "".join(path.read_text() for path in sorted(out.glob("*.jsonl")))


def die_at(step: int) -> Stop:
    """Return a function that makes a process die before its change of the file system with that number."""

    def prepare() -> None:
        left = step

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            flags = arguments[2] if event == "open" else 0
            if event in CHANGES or (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)):
                if left == 0:
                    os._exit(KILLED)
                left -= 1

        sys.addaudithook(hook)

    return prepare


def _die_after(seconds: float, number: signal.Signals) -> Stop:
    """Return a function that makes another process send a signal after some time, unless the command has ended."""

    def prepare() -> None:
        # Until the command begins, a signal ends the process as it ends an interpreter that has not started yet.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        victim = os.getpid()
        if os.fork() == 0:
            time.sleep(seconds)
            if os.getppid() == victim:
                os.kill(victim, number)
            os._exit(0)

    return prepare


def _empty(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()


def _names(place: Path) -> frozenset[str]:
    paths = (path.relative_to(place) for path in files_below(place))
    return frozenset(str(path.parent if path.parent.name == "journal" else path) for path in paths)


def _state(writing: Writing, place: Path) -> State:
    _empty(place)
    done = call(writing.arguments(place))
    assert done.code == 0, done.err
    return State(writing.result(place), _names(place))


def _killed(tally: Tally, writing: Writing, place: Path, steps: Sequence[int], expected: State) -> bool:
    """Kill a command at some steps, run it once more, and judge the result; return whether it was killed."""
    _empty(place)
    died = False
    name = f"{writing.arguments(place)[0]} killed at {', '.join(map(str, steps))}"
    for step in steps:
        done = call(writing.arguments(place), prepare=die_at(step))
        died |= done.code == KILLED
        between = call(["show", place, "--json"])
        if fault := between.fault or (None if done.code in (0, KILLED) else done.fault or "lost"):
            tally.add(fault, f"{name}: {last_line(done)}; shown: {last_line(between)}")
            return died
    done = call(writing.arguments(place))
    found = State(writing.result(place) if done.code == 0 else f"exit code {done.code}", _names(place))
    _judge(tally, found, expected, f"{name}: {last_line(done)}")
    return died


def _judge(tally: Tally, found: State, expected: State, example: str) -> None:
    if found.result != expected.result:
        tally.add("lost" if found.result.startswith("exit code") else "wrong", f"{example}: {found.result[:100]}")
    elif found.files != expected.files:
        tally.add("litter", f"{example}: {sorted(found.files ^ expected.files)}")
    else:
        tally.add(None)
