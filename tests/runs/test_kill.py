"""A run that is killed, again and again, at random moments."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from rmeval.store.journal import read_journal
from tests.command import process
from tests.samples import PLACES

BATCH = 4
SLOW = """
import time

class Slow:
    def score(self, conversations):
        time.sleep(0.002)
        return [len(one[-1]["content"]) / 7 for one in conversations]
"""


@pytest.mark.parametrize(("kind", "kills", "size"), [("plugin", 5, 2000), ("network", 1, 800)])
@pytest.mark.slow
def test_killed_again_and_again_the_scores_are_the_same(
    kind: str, kills: int, size: int, checkpoint: Path, tmp_path: Path
) -> None:
    """Each process is killed at a random moment while it scores; what it had written is never scored again."""
    model = checkpoint
    if kind == "plugin":  # It is there at once, since there is no torch to import.
        (tmp_path / "slow.py").write_text(SLOW)
        model = Path(f"{tmp_path / 'slow.py'}:Slow")
    data = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": f"what is land {n}", "chosen": f"{PLACES[n % 12]} " * (1 + n % 40), "rejected": f"it is {n}"}
        for n in range(size)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def start(out: str) -> subprocess.Popen[bytes]:
        arguments = ["run", model, "-b", "pairs", "--data", data, "-o", tmp_path / out, "--batch-size", BATCH]
        return subprocess.Popen(
            [sys.executable, "-m", "rmeval", *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    whole = start("whole")
    moments = random.Random(5)
    for _ in range(kills):
        victim = start("killed")
        # Most of the time goes into imports, so the moment is drawn from what is left once the journal grows.
        folder = tmp_path / "killed" / "pairs"
        segments = len(list(folder.glob("*/*/journal/*.jsonl")))
        while victim.poll() is None and len(list(folder.glob("*/*/journal/*.jsonl"))) == segments:
            wait(victim, 0.01)
        wait(victim, moments.uniform(0, 0.25))
        assert victim.poll() is None, f"the run ended before it could be killed {kills} times: give it more to do"
        victim.kill()
        victim.communicate()
    last = start("killed")
    _, errors = last.communicate()
    assert last.returncode == 0, errors
    assert whole.communicate()[1] is not None
    assert whole.returncode == 0

    (killed,), (straight,) = ((tmp_path / out / "pairs").glob("*/*") for out in ("killed", "whole"))
    assert killed.name == straight.name
    tables = [pq.read_table(folder / "scores.parquet") for folder in (killed, straight)]
    # Rounding differs with what is computed together, and a process that goes on computes what is left together.
    scores = [table["score"].to_numpy() for table in tables]
    assert np.abs(scores[0] - scores[1]).max() < 1e-6
    assert tables[0].drop(["score"]).equals(tables[1].drop(["score"]))
    numbers = [json.loads((folder / "metrics.json").read_text())["records"] for folder in (killed, straight)]
    assert numbers[0] == numbers[1]

    segments = len(list((killed / "journal").iterdir()))
    assert segments == kills + 1
    # No answer is in two segments, but for those of a batch that its process could not finish writing.
    finished = [read_journal(alone(path, tmp_path)) for path in sorted((killed / "journal").iterdir())]
    keys = [one.key for segment in finished for batch in segment for one in batch]
    assert len(keys) == len(set(keys)) == 2 * size


def alone(segment: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "alone" / segment.stem
    folder.mkdir(parents=True)
    shutil.copy(segment, folder)
    return folder


def wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


POINTS = """
import os, sys
folder, last = sys.argv[1], int(sys.argv[2])
count = 0
def before(event, arguments):
    global count
    changes = event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link")
    if event == "open" and isinstance(arguments[2], int):
        changes = bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
    if changes and str(arguments[0]).startswith(folder):
        count += 1
        if count == last:
            os._exit(77)
sys.addaudithook(before)
sys.argv = ["rmeval", *sys.argv[3:]]
from rmeval.cli import main
main()
"""


@pytest.mark.parametrize("command", ["score", "import"])
@pytest.mark.slow
def test_killed_before_an_operation_on_files_nothing_is_left(command: str, tmp_path: Path) -> None:
    """At some of the points; whatever they are, the same command then gives the same and leaves no more files."""
    work = tmp_path / "work"
    pairs, rows, scores = (tmp_path / f"{name}.jsonl" for name in ("pairs", "rows", "scores"))
    pairs.write_text(
        "".join(f'{{"id": "i{n}", "prompt": "q", "chosen": "a{n}", "rejected": "b{n}"}}\n' for n in range(3))
    )
    rows.write_text("".join(f'{{"prompt": "q", "response": "a{n}"}}\n' for n in range(3)))
    scores.write_text(
        "".join(f'{{"item_id": "i{n}", "response": {k}, "score": {n + k}}}\n' for n in range(3) for k in (0, 1))
    )
    arguments: list[object] = ["import", scores, "-b", "pairs", "--data", pairs, "-o", work]
    if command == "score":
        arguments = ["score", "baseline:longest", rows, "-o", work / "out.jsonl"]

    def give(last: int) -> int:
        done = process("-c", POINTS, f"{work}/", last, *arguments)
        assert done.returncode in (0, 77), done.stderr
        return done.returncode

    def files() -> dict[str, object]:
        found: dict[str, object] = {}
        for path in (path for path in work.rglob("*") if path.is_file() and path.parent.name != "journal"):
            name = str(path.relative_to(work))
            found[name] = pq.read_table(path) if path.suffix == ".parquet" else path.read_text()
            if path.name == "run.json":
                found[name] = json.loads(path.read_text())["status"]
        return found

    work.mkdir()
    give(0)
    sound = files()
    for last in (5, 13):
        shutil.rmtree(work)
        work.mkdir()
        assert give(last) == 77
        assert give(0) == 0
        assert files() == sound
