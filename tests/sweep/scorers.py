"""Scorers of sweeps: one that works, one that fails, and two that are stopped in the middle of their work.

A file `spared` beside this one lets the latter two go on.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BATCHES = 3
"""Batches before something happens."""


class Steady:
    """Prefers long responses."""

    def __init__(self) -> None:
        self.batches = 0

    def score(self, conversations: list[Any]) -> list[float]:
        self.batches += 1
        if self.batches > BATCHES and not (HERE / "spared").exists():
            self.happen()
        return [float(len(one[-1]["content"])) for one in conversations]

    def happen(self) -> None:
        """Nothing."""


class Killed(Steady):
    """A model that the system kills, as it does when memory runs out."""

    def happen(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class Waiting(Steady):
    """A model that takes long, and writes the number of its process."""

    def happen(self) -> None:
        draft = HERE / "draft"
        draft.write_text(str(os.getpid()))
        draft.rename(HERE / "waiting")
        time.sleep(600)


class Broken:
    """A model that cannot score."""

    def score(self, conversations: list[Any]) -> list[float]:
        raise ValueError("no scores today")
