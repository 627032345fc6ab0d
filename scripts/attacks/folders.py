"""Attacks on run folders that are read: flipped bits, truncated files, files of other runs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from scripts.attacks.harness import Share, Tally, call, files_below, judge, last_line, write_pairs

SCORER = """
class Scorer:
    def __init__(self, factor: float = 1.0):
        self.factor = factor

    def score(self, conversations):
        return [self.factor * (hash_of(one[-1]["content"]) % 1000) / 7 for one in conversations]


def hash_of(text):
    total = 0
    for letter in text:
        total = (total * 31 + ord(letter)) % 1_000_003
    return total
"""


def make_runs(folder: Path, size: int = 60) -> list[Path]:
    """Create two runs on the same pairs."""
    data = write_pairs(folder / "pairs.jsonl", size)
    (folder / "scorer.py").write_text(SCORER)
    for model in (f"{folder / 'scorer.py'}:Scorer", "baseline:longest"):
        done = call(["run", model, "-b", "pairs", "--data", data, "-o", folder / "runs"])
        assert done.code == 0, done.err
    return sorted(path.parent for path in (folder / "runs").rglob("run.json"))


SHOW, AGAIN, COMPARE, ANALYZE = range(4)
READ_BY = {
    "run.json": (SHOW,),
    "metrics.json": (SHOW,),
    "scores.parquet": (COMPARE,),
    "items.parquet": (AGAIN, COMPARE),
}
"""Commands that read each file; the journal is read if the numbers are recomputed."""


def readers(runs: Sequence[Path]) -> list[list[object]]:
    """Return commands that read run folders without their models."""
    return [
        ["show", runs[0], "--json"],
        ["show", runs[0], "--json", "--policy", "half-ties@1"],
        ["compare", *runs, "--json"],
        ["analyze", runs[0], "--json"],
    ]


def flips(share: Share) -> Tally:
    """Flip a bit of each file of a run folder, and run the commands that read this file."""
    tally = Tally("bits of files of a run folder flipped")
    dice, runs = share.dice, make_runs(share.folder)
    commands = readers(runs)
    expected = [call(command).out for command in commands]
    for file in files_below(runs[0]):
        whole = file.read_bytes()
        for number in range(share.tries):
            damaged = bytearray(whole)
            place = dice.randrange(len(whole) * 8)
            damaged[place // 8] ^= 1 << place % 8
            file.write_bytes(damaged)
            kept = _state(runs[0])
            own = READ_BY.get(file.name, (AGAIN,))
            # Sometimes a command that does not need the file.
            turn = own[number % len(own)] if number % 20 else number // 20 % len(commands)
            done = call(commands[turn])
            tally.add(judge(done, expected[turn]), f"{file.name} bit {place}, {commands[turn][0]}: {last_line(done)}")
            if _state(runs[0]) != kept:
                raise AssertionError(f"{commands[turn][0]} changes the run folder")
        file.write_bytes(whole)
    return tally


def cuts(share: Share) -> Tally:
    """Truncate files of a run folder, fill parts with zeros, remove them, or replace them by those of another run."""
    tally = Tally("files of a run folder cut, zeroed, missing or of another run")
    dice, runs = share.dice, make_runs(share.folder)
    commands = readers(runs)
    expected = [call(command).out for command in commands]
    files = list(files_below(runs[0]))
    for number in range(share.tries):
        file = files[number % len(files)]
        whole = file.read_bytes()
        kind = dice.randrange(4)
        other = runs[1] / file.relative_to(runs[0])
        if kind == 0:
            file.write_bytes(whole[: dice.randrange(len(whole))])
        elif kind == 1:
            start = dice.randrange(len(whole))
            end = min(len(whole), start + dice.randint(1, 600))
            file.write_bytes(whole[:start] + bytes(end - start) + whole[end:])
        elif kind == 2:
            file.unlink()
        else:
            shutil.copy(other, file)
        turn = dice.choice(READ_BY.get(file.name, (AGAIN,)))
        done = call(commands[turn])
        what = ("cut", "zeroed", "missing", "of another run")[kind]
        fault = judge(done, expected[turn])
        # Two whole files of another run form that run: the manifest names it, and its numbers are right.
        tally.add(fault, f"{file.name} {what}, {commands[turn][0]}: {last_line(done)}")
        file.write_bytes(whole)
    return tally


def _state(folder: Path) -> list[tuple[str, int]]:
    return [(str(path), path.stat().st_size) for path in files_below(folder)]
