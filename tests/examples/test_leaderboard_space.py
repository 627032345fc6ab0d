"""examples/leaderboard_space: it serves a board, builds it again when a bundle lands, and ends with its builder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import rmeval
from rmeval.results import bundle_run

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "examples" / "leaderboard_space" / "app.py"


def page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}") as answer:
        return str(answer.read().decode())


def wait_for(port: int, text: str, process: subprocess.Popen[bytes]) -> str:
    """The first page, as soon as it contains a text."""
    while process.poll() is None:
        try:
            if text in (found := page(port, "")):
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("the example has ended")


def builders(folder: Path) -> list[str]:
    """The processes that build a site in a folder."""
    found = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if "leaderboard build" in line and str(folder) in line]


@pytest.mark.slow
def test_a_bundle_that_lands_appears(tmp_path: Path) -> None:
    runs = [
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=tmp_path / "runs", size=24).path
        for name in ("longest", "markdown")
    ]
    bundle_run(runs[0], tmp_path / "bundles" / "a.rmeval.zip")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {"BUNDLES": str(tmp_path / "bundles"), "SITE": str(tmp_path / "site"), "PORT": str(port)}
    source = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(APP)]
    with subprocess.Popen(command, env={**os.environ, **places, "PYTHONPATH": source}) as process:
        try:
            first = wait_for(port, 'href="runs/rm-bench-synthetic--baseline-longest', process)
            assert 'href="runs/rm-bench-synthetic--baseline-markdown' not in first
            bundle_run(runs[1], tmp_path / "bundles" / "b.rmeval.zip")
            wait_for(port, 'href="runs/rm-bench-synthetic--baseline-markdown', process)
            with pytest.raises(urllib.error.HTTPError, match="404"):
                page(port, "runs/")
        finally:
            process.terminate()
    assert not builders(tmp_path)
