"""The attacks of `scripts/attack.py`, with a twentieth of the full number of tries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from scripts.attack import ATTACKS  # noqa: E402


@pytest.mark.parametrize("name", ATTACKS)
def test_it_holds(name: str) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "attack.py"), "--only", name, "--scale", "0.05"]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "| 0 |" in done.stdout
