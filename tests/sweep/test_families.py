"""A sweep over checkpoints of eight families: one is broken, one is killed, and both are continued."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.sweep import published_models

BROKEN, KILLED = "openbmb/Eurus-RM-7b", "RLHFlow/ArmoRM-Llama3-8B-v0.1"
LIST = f"""
models:
  - {{id: Skywork/Skywork-Reward-V2-Qwen3-0.6B, max_length: 512}}
  - infly/INF-ORM-Llama3.1-70B
  - {BROKEN}
  - {{id: {KILLED}, batch_size: 1}}
  - OpenAssistant/reward-model-deberta-v3-large-v2
  - nvidia/Llama-3.1-Nemotron-70B-Reward-HF
  - {{id: stabilityai/stablelm-2-12b-chat, ref_model: stabilityai/stablelm-2-12b, card: none}}
  - {{id: RLHFlow/pair-preference-model-LLaMA3-8B, kind: comparator, card: none, name: comparator}}
"""
ITEMS = 40


def sweep(folder: Path, variables: dict[str, str], *more: str) -> subprocess.Popen[str]:
    command_line = [
        *(sys.executable, "-m", "rmeval", "sweep", str(folder / "models.yaml"), "-b", "rm-bench"),
        *("--n-items", str(ITEMS), "-o", str(folder / "runs"), "--dtype", "float32", *more),
    ]
    return subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True, env=os.environ | variables)


def keys(folder: Path, model: str) -> Counter[str]:
    """How often each request of a model was observed."""
    found: Counter[str] = Counter()
    for path in (folder / "runs" / "rm-bench" / model.replace("/", "__")).glob("*/journal/*.jsonl"):
        # The last line of a process that was killed may be incomplete.
        found.update(json.loads(line)["key"] for line in path.read_text().splitlines() if line.endswith("}"))
    return found


def kill_in_the_middle(folder: Path, model: str, running: subprocess.Popen[str]) -> None:
    """Kill the process of a model as soon as it has observed anything."""
    while not keys(folder, model):
        assert running.poll() is None, running.communicate()[1]
        time.sleep(0.01)
    (lock,) = (folder / "runs" / "rm-bench" / model.replace("/", "__")).glob("*/lock")
    os.kill(json.loads(lock.read_text())["pid"], signal.SIGKILL)


def rows(file: Path) -> dict[str, dict[str, str]]:
    """The rows of the headlines of a board in CSV, by model."""
    with file.open(newline="") as opened:
        return {row["name"]: row for row in csv.DictReader(opened) if row["table"] == "sweep"}


@pytest.mark.slow
def test_eight_families_of_which_one_is_broken_and_one_is_killed(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(LIST)
    with published_models.serve(tmp_path) as variables:
        weights = tmp_path / "hub" / "models" / BROKEN / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[:100])
        first = sweep(tmp_path, variables, "--board", str(tmp_path / "first.csv"))
        kill_in_the_middle(tmp_path, KILLED, first)
        told = first.communicate()[1]
        assert first.returncode == 1, told
        board = rows(tmp_path / "first.csv")
        assert len(board) == 8
        failed = {name: row["reason"] for name, row in board.items() if row["state"] == "failed"}
        assert set(failed) == {BROKEN, KILLED}, told
        assert "was killed (SIGKILL)" in failed[KILLED]
        assert all(row["value"] for name, row in board.items() if name not in failed)
        before = {name: keys(tmp_path, name) for name in (KILLED, *published_models.FAMILIES)}
        assert 0 < len(before[KILLED]) < len(before["infly/INF-ORM-Llama3.1-70B"])

        weights.write_bytes(whole)
        # The cache has the broken file by its digest.
        for path in (tmp_path / "cache").glob(f"models--{BROKEN.replace('/', '--')}/*/*"):
            path.unlink() if path.is_file() else None
        second = sweep(tmp_path, variables, "--board", str(tmp_path / "second.csv"))
        told = second.communicate()[1]
        assert second.returncode == 0, told
    assert told.count("complete before, nothing to run") == 6
    for name in (BROKEN, KILLED, "infly/INF-ORM-Llama3.1-70B", "stabilityai/stablelm-2-12b-chat"):
        assert set(keys(tmp_path, name).values()) == {1}, name
    board = rows(tmp_path / "second.csv")
    assert {row["state"] for row in board.values()} == {f"partial: {ITEMS} items at random (seed 0)"}
    # The runs are of some items, so that published numbers stand beside them and are not compared.
    assert board["infly/INF-ORM-Llama3.1-70B"]["published"] == "0.709"
    assert board["infly/INF-ORM-Llama3.1-70B"]["verdict"] == "not comparable"
    assert board["OpenAssistant/reward-model-deberta-v3-large-v2"]["verdict"] == "no published number"
