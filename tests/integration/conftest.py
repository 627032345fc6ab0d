"""Fixtures of the tests that need servers, and a list of what was skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import launched
from tests.integration.environments import home, locked
from tests.integration.servers import transformers_server, vllm_server

__all__ = ["transformers_server", "vllm_server"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window. A module's tests share it: playwright's event loop must not outlive them."""
    with launched() as found:
        yield found


@pytest.fixture(scope="session")
def real_models(shared: Path) -> Path:
    """The folder with `smollm2`, a language model of 135M parameters, and `smollm2-rm`, it with a trained head."""
    # Two processes run the tests.
    with locked(home() / "smollm2.lock"):
        if not (home() / "smollm2-rm" / "tokenizer.json").exists():
            maker = shared / "fixtures" / "make_real_rm.py"
            offline = os.environ | {"HF_HUB_OFFLINE": "1"}
            subprocess.run([sys.executable, str(maker), str(home())], check=True, env=offline)
    return home()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was skipped, also where nothing was."""
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.write_line(f"skipped: {len(skipped) or 'nothing'}")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"  {report.nodeid}: {reason}")
