"""The example on DPO policies and classifiers in miniature: the whole study, continued, and with a base and pairs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.checkpoints import make_checkpoint, make_tokenizer
from tests.samples import pair_rows

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--steps", "2", "--batch", "4", "--items", "16", "--held-out", "12")
METHODS = ("classifier", "DPO with reference", "DPO without reference, average", "DPO without reference, sum")


def study(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("trl")
    words = [sys.executable, "-m", "examples.dpo_vs_classifier.run", *map(str, arguments)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def records(folder: Path) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text()) for file in (folder / "records").glob("*.json")}


def test_the_study_runs_and_continues(tmp_path: Path) -> None:
    out = tmp_path / "study"
    own = ("-o", out, "--size", "32x1", "--base-steps", "2", *SMALL)
    done = study(*own, "--seeds", "2")
    assert done.returncode == 0, done.stderr
    found = records(out)
    assert {f"{kind}-{seed}" for kind in ("classifier", "dpo") for seed in range(2)} <= found.keys()
    assert found["dpo-0"]["pairs"] == found["classifier-0"]["pairs"] == 8
    assert found["dpo-0"]["distinct_pairs"] == found["classifier-0"]["distinct_pairs"]
    text = (out / "report.md").read_text()
    for name in METHODS:
        assert re.search(rf"{name} \| 2 \| \d", text), name
    assert "MDE (80% power)" in text
    assert "trl 1." in text
    assert all((out / f"levels-{theme}.png").stat().st_size > 10_000 for theme in ("light", "dark"))

    # A lost seed is trained again, and the others are kept.
    (out / "records" / "dpo-1.json").unlink()
    (out / "records" / "dpo-1-pairs.json").unlink()
    again = study(*own, "--seeds", "2")
    assert again.returncode == 0, again.stderr
    after = records(out)
    assert {name for name in found if after[name] != found[name]} <= {"dpo-1", "dpo-1-pairs"}
    assert "train_runtime" in again.stdout
    assert again.stdout.count("train_runtime") == 1

    other = study(*own, "--seeds", "2", "--beta", "0.5")
    assert (other.returncode, "another beta" in other.stderr) == (1, True)


@pytest.mark.parametrize("lora", [0, 4])
def test_a_base_and_pairs_of_ones_own(tmp_path: Path, lora: int) -> None:
    tokenizer = make_tokenizer(model_max_length=2048)
    make_checkpoint(tmp_path / "base", "causal", tokenizer=tokenizer, max_position_embeddings=2048)
    data = tmp_path / "prefs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in pair_rows(40)))
    out = tmp_path / "study"
    options = ("--lora", str(lora), "--micro-batch", "2", "--gradient-checkpointing")
    own = ("-o", out, "--base", tmp_path / "base", "--data", data, *SMALL, *options, "--seeds", "1")
    done = study(*own)
    assert done.returncode == 0, done.stderr
    assert (out / "dpo-0" / "adapter_config.json").exists() == bool(lora)
    text = (out / "report.md").read_text()
    for name in METHODS:
        assert re.search(rf"{name} \| 1 \| \d", text), name
    run = json.loads((Path(records(out)["dpo-0-pairs"]["run"]) / "run.json").read_text())
    assert run["identity"]["reference"]
    short = study(*own[:-2], "--seeds", "1", "-o", tmp_path / "short", "--max-length", "3")
    assert (short.returncode, "raise --max-length" in short.stderr) == (1, True)
