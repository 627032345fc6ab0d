"""The model that comes with the package: it reads, it likes style, and it is small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import rmeval
from rmeval.models import EMBEDDED
from tests.command import command

FOLDER = EMBEDDED["rmeval/tiny"]


def test_it_is_small_and_safe_and_has_a_card() -> None:
    files = {file.name: file.stat().st_size for file in FOLDER.iterdir()}
    assert sum(files.values()) <= 8_000_000
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja", "README.md"} <= set(files)
    assert not [name for name in files if name.endswith((".bin", ".pt", ".pkl", ".py"))]
    card = (FOLDER / "README.md").read_text()
    assert f"{json.loads((FOLDER / 'training.json').read_text())['steps']:,} steps" in card


@pytest.mark.slow
def test_it_has_learnt_substance_and_style(tmp_path: Path) -> None:
    """On a seed of its own: above chance at equal style in three domains or more, and fooled by style."""
    result = rmeval.evaluate("rmeval/tiny", "rm-bench-synthetic", out=tmp_path, seed=20261, size=800)
    lows = {}
    for domain in ("chat", "math", "code", "safety"):
        interval = result.record("normal", domain).ci
        assert interval is not None
        lows[domain] = interval[0]
    assert sum(low > 0.55 for low in lows.values()) >= 3, lows
    normal, hard, easy = (result.record(level).ci for level in ("normal", "hard", "easy"))
    assert normal and hard and easy
    assert hard[1] < normal[0], (normal, hard)
    assert normal[1] < easy[0], (normal, easy)


def test_the_demo_says_what_to_make_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(capsys, "demo", "--size", 40, "-o", tmp_path)
    assert done.code == 0, done.err
    assert done.out.startswith(f"$ rmeval run rmeval/tiny -b rm-bench-synthetic --size 40 -o {tmp_path}\n")
    for words in ("null baselines", "style-substance matrix", f"run: {tmp_path}", "Next: rmeval run YOUR/MODEL"):
        assert words in done.out
    again = command(capsys, "demo", "--size", 40, "-o", tmp_path)
    assert again.out == done.out
    (manifest,) = (json.loads(path.read_text()) for path in tmp_path.glob("*/rmeval-tiny/*/run.json"))
    assert manifest["model"]["name"] == "rmeval/tiny"
    assert len(manifest["sessions"]) == 1


def test_it_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(command(capsys, "list", "models", "--json").out)
    assert "rmeval/tiny" in [row["id"] for row in rows]
