"""Attacks with several concurrent processes, and with files that change while a command runs."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from scripts.attacks.folders import SCORER
from scripts.attacks.harness import Done, Share, Tally, call, last_line, write_pairs

FALSE_ALARMS = ("damaged", "delete", "restore", "to write it anew")
"""Words that must not occur in the output of a command that reads a growing run."""


def targets(share: Share) -> Tally:
    """Run several processes that write scores of two models to one file."""
    tally = Tally("processes with two models on one `score -o`")
    data = write_pairs(share.folder / "pairs.jsonl", 30)
    answers, scorer = share.folder / "answers.jsonl", share.folder / "scorer.py"
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    answers.write_text("".join(json.dumps({"prompt": r["prompt"], "response": r["chosen"]}) + "\n" for r in rows))
    scorer.write_text(SCORER)
    models = [f"{scorer}:Scorer", "baseline:longest"]
    expected = []
    for model in models:
        call(["score", model, answers, "-o", share.folder / "alone.jsonl"])
        expected.append((share.folder / "alone.jsonl").read_text())
    target = share.folder / "out.jsonl"
    while tally.tries < share.tries:
        target.unlink(missing_ok=True)
        turns = [share.dice.randrange(2) for _ in range(4)]
        found = _together([["score", models[turn], answers, "-o", target] for turn in turns])
        for turn, done in zip(turns, found, strict=True):
            fault = done.fault or (None if done.code == 0 else "refused")
            tally.add(fault, f"{models[turn]}: {last_line(done)}")
        allowed = {expected[turn] for turn, done in zip(turns, found, strict=True) if done.code == 0}
        text = target.read_text() if target.exists() else None
        left = sorted(path.name for path in share.folder.iterdir() if "out.jsonl" in path.name and path != target)
        fault = "wrong" if text not in (allowed or [None]) else "litter" if left else None
        tally.add(fault, f"{turns}: {left}")
        for name in left:
            path = share.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return tally


def _together(commands: list[list[object]]) -> list[Done]:
    """Run commands at the same time, each in its own process."""
    found: dict[int, Done] = {}

    def run(number: int) -> None:
        found[number] = call(commands[number])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(commands))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in range(len(commands))]


def growing(share: Share) -> Tally:
    """Read a run repeatedly while other processes write it."""
    tally = Tally("readers of a run that is being written")
    data = write_pairs(share.folder / "pairs.jsonl", 300)
    (share.folder / "scorer.py").write_text(SCORER)
    model, out = f"{share.folder / 'scorer.py'}:Scorer", share.folder / "runs"
    command = ["run", model, "-b", "pairs", "--data", data, "-o", out, "--batch-size", 5]
    call(command)
    expected = call(["show", out, "--json"]).out
    while tally.tries < share.tries:
        if share.dice.randrange(2):
            shutil.rmtree(out)
        writer = threading.Thread(target=call, args=(command,))
        writer.start()
        while writer.is_alive():
            turn = [["show", out, "--json"], ["analyze", out, "--json"], ["show", out]][share.dice.randrange(3)]
            done = call(turn)
            alarm = any(word in done.err for word in FALSE_ALARMS)
            fault = done.fault or ("false alarm" if alarm else "refused" if done.code else None)
            tally.add(fault, f"{turn[0]}: {last_line(done)}")
        writer.join()
        tally.add(None if call(["show", out, "--json"]).out == expected else "wrong", "after the writer's end")
    return tally


def swaps(share: Share) -> Tally:
    """Replace the files that numbers depend on by others with equal size and modification time."""
    tally = Tally("files replaced by others of equal size and time")
    data = write_pairs(share.folder / "pairs.jsonl", 30)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    scores, scorer, out = share.folder / "scores.jsonl", share.folder / "scorer.py", share.folder / "runs"

    def scored(turn: int) -> str:
        return "".join(
            json.dumps({"id": r["id"], "chosen_score": turn, "rejected_score": 1 - turn}) + "\n" for r in rows
        )

    def code(turn: int) -> str:
        return SCORER.replace("float = 1.0", f"float = {('-1.0', '+1.0')[turn]}")

    kinds: list[tuple[Path, Callable[[int], str], list[object]]] = [
        (scores, scored, ["import", scores, "-b", "pairs", "--data", data, "-o", out]),
        (scorer, code, ["run", f"{scorer}:Scorer", "-b", "pairs", "--data", data, "-o", out]),
    ]
    for number in range(share.tries):
        file, text, command = kinds[number % len(kinds)]
        shutil.rmtree(out, ignore_errors=True)
        numbers = []
        for turn in (0, 1):
            _replace(file, text(turn), in_place=bool(share.dice.randrange(2)))
            done = call(command)
            assert done.code == 0, done.err
            place = done.out.rpartition("run: ")[2].strip()
            numbers.append(call(["show", place, "--json"]).out)
        tally.add("wrong" if numbers[0] == numbers[1] else None, f"{command[0]} prints the earlier numbers")
    return tally


def _replace(file: Path, text: str, in_place: bool) -> None:
    """Rewrite a file, or replace it by another, and restore its modification time."""
    target = file if in_place else file.with_name("other")
    target.write_text(text)
    os.utime(target, (1_700_000_000, 1_700_000_000))
    if not in_place:
        target.replace(file)
