"""What docs/style-bias.md shows for TRL works with files that `balance.py` writes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from examples.style_bias.balance import balance
from examples.style_bias.preferences import make_pairs
from examples.style_bias.training import BASE

import rmeval

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "style-bias.md"


@pytest.mark.filterwarnings("ignore")
def test_the_documented_training_with_trl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trl")
    pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = [{"prompt": one.prompt, "chosen": one.chosen, "rejected": one.rejected} for one in make_pairs(0, 48, 0.8)]
    (tmp_path / "prefs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, method in (("balanced", "match"), ("weighted", "weigh"), ("offset", "covariate")):
        balance("prefs.jsonl", tmp_path / f"{name}.jsonl", method)
    shutil.copytree(BASE, tmp_path / "my-checkpoint")
    training, drawing = re.findall(r"^```\{code-block\} python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)

    for name in ("offset", "balanced"):
        text = training.replace("offset.jsonl", f"{name}.jsonl").replace("max_steps=20", "max_steps=2, use_cpu=True")
        text = text.replace('"cured"', repr(name))
        space: dict[str, object] = {}
        exec(compile(text, str(PAGE), "exec"), space)
        trainer = space["trainer"]
        prepared = trainer.train_dataset  # type: ignore[attr-defined]
        assert ("margin" in prepared.column_names) == (name == "offset")
        if name == "offset":
            batch = trainer.data_collator([prepared[k] for k in range(4)])  # type: ignore[attr-defined]
            assert np.allclose(batch["margin"], prepared["margin"][:4])
        found = rmeval.evaluate(str(tmp_path / name), "rm-bench-synthetic", size=16, out=tmp_path / "runs")
        assert 0 <= found.value("normal", "code") <= 1

    space = {}
    exec(compile(drawing, str(PAGE), "exec"), space)
    drawn = space["data"]
    assert set(drawn.column_names) == {"prompt", "chosen", "rejected"}  # type: ignore[attr-defined]


def test_the_numbers_of_a_training_in_miniature(tmp_path: Path) -> None:
    """`watch.py`, stopped and continued, with a table and figures."""
    pytest.importorskip("trl")
    words = [sys.executable, "-m", "examples.style_bias.watch", "-o", str(tmp_path / "watched")]
    words += ["--steps", "2", "--switch", "1", "--every", "1", "--size", "32"]
    for seeds in (1, 2):
        done = subprocess.run([*words, "--seeds", str(seeds)], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        points = [json.loads(line) for line in (tmp_path / "watched" / "points.jsonl").read_text().splitlines()]
        assert [(one["seed"], one["step"]) for one in points] == [(k, step) for k in range(seeds) for step in range(3)]
    assert all(0 <= one[level] <= 1 for one in points for level in ("easy", "normal", "hard"))
    assert "| step | Easy | Normal | Hard |" in done.stdout
    mean = 100 * sum(one["hard"] for one in points if one["step"] == 2) / 2
    assert f"| {mean:.1f} |" in done.stdout.splitlines()[-1]
    assert all(
        (tmp_path / "watched" / f"during-training-{name}.png").stat().st_size > 9000 for name in ("light", "dark")
    )
