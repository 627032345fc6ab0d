"""A run and its bundle, which tests of bundles and of their verification share."""

from __future__ import annotations

from pathlib import Path

import pytest

import rmeval
from rmeval.results.bundle import bundle_run


@pytest.fixture(scope="session")
def random_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on newly generated items, with its texts, whose scores nothing but its journal determines."""
    out = tmp_path_factory.mktemp("runs")
    return rmeval.evaluate("baseline:random", "rm-bench-synthetic", out=out, size=24, store_text=True).path


@pytest.fixture(scope="session")
def bundle(random_run: Path) -> Path:
    file = random_run.parent / "run.rmeval.zip"
    bundle_run(random_run, file)
    return file
