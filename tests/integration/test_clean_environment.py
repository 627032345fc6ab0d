"""A wheel in environments of its own, without torch and with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rmeval
from tests.command import command

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT], check=True)
    (found,) = folder.glob("*.whl")
    return found


def environment(folder: Path, wheel: Path, extra: str = "") -> Path:
    """A new environment with the wheel in it; where its programs are."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    programs = folder / "bin"
    install: list[str | Path] = [programs / "python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*install, "-c", ROOT / "constraints.txt", f"{wheel}{extra}"], check=True)
    return programs


def test_show_needs_no_torch(
    rm_bench_folder: Path, tmp_path: Path, wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(
        capsys, "run", "baseline:longest", "-b", "rm-bench", "--data", rm_bench_folder, "-o", tmp_path / "runs"
    )
    assert done.code == 0, done.err
    programs = environment(tmp_path / "venv", wheel)
    assert subprocess.run([programs / "python", "-c", "import torch"], check=False, capture_output=True).returncode == 1
    shown = subprocess.run([programs / "rmeval", "show", tmp_path / "runs"], check=True, capture_output=True, text=True)
    assert shown.stdout == done.out
    demo = subprocess.run([programs / "rmeval", "demo"], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert (demo.returncode, "pip install 'rmeval[hf]'" in demo.stderr) == (2, True), demo.stderr


def test_the_demo_runs_from_a_wheel(tmp_path: Path, wheel: Path) -> None:
    programs = environment(tmp_path / "venv", wheel, "[hf]")
    # One thread in both, because the number of threads may change the last bits of scores.
    alike: Any = {"cwd": tmp_path, "env": os.environ | {"OMP_NUM_THREADS": "1"}, "capture_output": True, "text": True}
    demo = subprocess.run([programs / "rmeval", "demo", "--size", "80"], check=False, **alike)
    assert demo.returncode == 0, demo.stderr
    here = subprocess.run([sys.executable, "-m", "rmeval", "demo", "--size", "80", "-o", "here"], check=True, **alike)
    *said, following = demo.stdout.splitlines()[1:]
    assert [line for line in said if not line.startswith("run: ")] == [
        line for line in here.stdout.splitlines()[1:-1] if not line.startswith("run: ")
    ]
    assert following == f"Next: {programs / 'rmeval'} run YOUR/MODEL -b rm-bench-synthetic"


def test_the_embedded_model_can_be_trained_again(tmp_path: Path) -> None:
    """A few steps of a smaller one; what comes out scores."""
    small = ("--steps", "3", "--hidden", "32", "--layers", "1", "--budget", "2048")
    script, out = ROOT / "scripts" / "train_tiny.py", tmp_path / "tiny"
    subprocess.run([sys.executable, script, *small, "--out", out], check=True)
    result = rmeval.evaluate(tmp_path / "tiny", "rm-bench-synthetic", out=tmp_path / "runs", size=16)
    assert json.loads((tmp_path / "tiny" / "training.json").read_text())["steps"] == 3
    assert result.record("average").failures == 0


def test_the_documentation_is_built_without_a_warning(tmp_path: Path) -> None:
    arguments: list[str | Path] = ["--fail-on-warning", "--keep-going", "--quiet", ROOT / "docs", tmp_path / "site"]
    built = subprocess.run([sys.executable, "-m", "sphinx", *arguments], check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    for page in ("index", "quickstart", "concepts", "synthetic", "footguns", "faq", "adding-a-model", "api"):
        assert (tmp_path / "site" / f"{page}.html").stat().st_size > 5000
