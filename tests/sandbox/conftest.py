"""Sandboxes: with bubblewrap, and as processes with limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.sandbox import Limits, Sandbox
from rmeval.sandbox.isolation import open_bubblewrap

LIMITS = Limits(wall=5.0, cpu=3.0, memory=256 << 20, output=100_000)


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    found = open_bubblewrap()
    if isinstance(found, str):
        pytest.skip(f"a sandbox cannot be tested: {found}")
    return Sandbox(LIMITS, require=True)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sandbox:
    """A sandbox where bubblewrap is not installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    found = Sandbox(LIMITS)
    assert found.isolation == "process"
    return found
