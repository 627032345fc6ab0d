"""Sweeps in real processes: failures are rows, and nothing is computed twice."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from rmeval.store.liveness import lives, this_process
from tests.command import Done, command, running
from tests.sweep import scorers

REQUESTS = 48


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(scorers.__file__, tmp_path / "scorers.py")
    return tmp_path


def listed(folder: Path, *names: str) -> Path:
    entries = "".join(f"  - {{id: 'scorers.py:{name}', batch_size: 8}}\n" for name in names)
    (folder / "models.yaml").write_text(f"models:\n{entries}")
    return folder / "models.yaml"


def sweep(capsys: pytest.CaptureFixture[str], folder: Path, *more: object) -> Done:
    return command(
        capsys, "sweep", folder / "models.yaml", "-b", "rm-bench-synthetic", "--size", 8, "-o", folder / "runs", *more
    )


def observed(folder: Path, name: str) -> Counter[str]:
    """How often each request of a model was observed."""
    journals = (folder / "runs" / "rm-bench-synthetic" / name).glob("*/journal/*.jsonl")
    return Counter(json.loads(line)["key"] for path in journals for line in path.read_text().splitlines())


def test_a_killed_and_a_broken_model_are_rows_and_are_continued(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(folder, "Killed", "Broken")
    done = sweep(capsys, folder, "--board", folder / "board.csv")
    assert done.code == 1, done.err
    assert "[1 of 2] Killed  (0 s elapsed)" in done.err
    assert f"failed: Killed: {KILLED}" in done.err
    with (folder / "board.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert {name: row["state"] for name, row in rows.items()} == {"Killed": "failed", "Broken": "failed"}
    assert rows["Killed"]["reason"] == KILLED
    assert "no scores today" in rows["Broken"]["reason"]
    assert len(observed(folder, "Killed")) == scorers.BATCHES * 8
    shown = sweep(capsys, folder, "--show")
    assert (shown.code, f"unfinished: {scorers.BATCHES * 8 // 6} of 8 items" in shown.out) == (0, True), shown.out
    (folder / "spared").touch()
    done = sweep(capsys, folder, "--skip", "Broken")
    assert done.code == 0, done.err
    assert f"done: Killed, {REQUESTS - scorers.BATCHES * 8} requests scored" in done.err
    assert observed(folder, "Killed") == dict.fromkeys(observed(folder, "Killed"), 1)
    assert len(observed(folder, "Killed")) == REQUESTS


KILLED = "its process was killed (SIGKILL), as the system does when memory runs out"


def started(folder: Path) -> subprocess.Popen[str]:
    """A sweep in a process of its own, whose first model waits in the middle of its work."""
    sweep = running(
        *("sweep", folder / "models.yaml", "-b", "rm-bench-synthetic", "--size", 8, "-o", folder / "runs"),
    )
    while not (folder / "waiting").exists():
        assert sweep.poll() is None, sweep.communicate()[1]
        time.sleep(0.05)
    return sweep


def ended(folder: Path) -> None:
    """Waits until the process of the model has ended."""
    process = int((folder / "waiting").read_text())
    while lives({**this_process(), "pid": process, "start": None}):
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_sweep_that_is_stopped_ends_its_model_and_continues(
    number: signal.Signals, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(folder, "Waiting", "Steady")
    stopped = started(folder)
    stopped.send_signal(number)
    told = stopped.communicate(timeout=120)[1]
    if number == signal.SIGKILL:  # The process of the model may still live, and holds the lock.
        assert stopped.returncode == -signal.SIGKILL
    else:
        ended(folder)
        assert stopped.returncode == 128 + number
        assert "run the same command again to continue" in told
        assert "Traceback" not in told
        assert not list((folder / "runs").rglob("lock"))
    assert len(observed(folder, "Waiting")) == scorers.BATCHES * 8
    (folder / "spared").touch()
    done = sweep(capsys, folder)
    assert done.code == 0, done.err
    for name in ("Waiting", "Steady"):
        assert len(observed(folder, name)) == REQUESTS
        assert set(observed(folder, name).values()) == {1}
    done = sweep(capsys, folder)
    assert (done.code, done.err.count("complete before, nothing to run")) == (0, 2), done.err


def test_wrong_input_runs_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed(folder, "Steady")
    for more, said in (
        (("--kind", "judge"), "no model of"),
        (("--cache-limit", "plenty"), "--cache-limit must be a size such as 200GB, not 'plenty'"),
        (("--skip", "Stedy"), "no model Stedy to leave out with --skip"),
        (("--subset", "nowhere"), "rm-bench-synthetic: "),
    ):
        done = sweep(capsys, folder, *more)
        assert (done.code, said in done.err) == (2, True), done.err
    assert not (folder / "runs").exists()
    done = command(capsys, "sweep", folder / "none.yaml", "-b", "core")
    assert (done.code, "there is no list of models" in done.err) == (2, True)


def test_a_folder_that_cannot_be_written_fails_each_model_and_ends_in_a_board(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed(folder, "Steady")
    (folder / "runs").touch()
    for more in ((), ("--cache-limit", "1TB")):
        done = sweep(capsys, folder, *more)
        assert (done.code, "choose a writable folder with -o" in done.err) == (1, True), done.err
        assert "failed" in done.out


def test_dry_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(
        capsys,
        *("sweep", "reward-bench", "-b", "rm-bench-synthetic", "--size", 8, "--max-params", 3, "--kind", "classifier"),
        *("--dry-run", "-o", folder / "runs"),
    )
    assert done.code == 0, done.err
    assert "Ray2333/GRM-gemma2-2B-rewardmodel-ft" in done.out
    assert "left out: infly/INF-ORM-Llama3.1-70B, too large (70B)" in done.err
    assert not (folder / "runs").exists()
