"""A wheel in an environment of its own, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import command

ROOT = Path(__file__).resolve().parents[2]


def test_show_needs_no_torch(rm_bench_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = command(
        capsys, "run", "baseline:longest", "-b", "rm-bench", "--data", rm_bench_folder, "-o", tmp_path / "runs"
    )
    assert done.code == 0, done.err
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", ROOT], check=True)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    install: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel]
    subprocess.run(install, check=True)
    assert subprocess.run([python, "-c", "import torch"], check=False, capture_output=True).returncode == 1
    shown = subprocess.run(
        [tmp_path / "venv" / "bin" / "rmeval", "show", tmp_path / "runs"], check=True, capture_output=True, text=True
    )
    assert shown.stdout == done.out
