from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from tests.checkpoints import make_checkpoint
from tests.samples import pair_rows, rm_bench_rows

SHARED = Path(__file__).resolve().parents[2] / "shared"

# A busy machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def listed_slow() -> list[str]:
    """The tests that `slow.txt` lists, as file::function."""
    lines = (Path(__file__).parent / "slow.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that `slow.txt` lists."""
    slow = set(listed_slow())
    for item in items:
        if item.nodeid.partition("[")[0] in slow:
            item.add_marker("slow")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests never touch the user's cache of fingerprints."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real benchmark data and reference results, which lie beside the project and not in it."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there: real benchmark data and reference results cannot be compared with")
    return SHARED


@pytest.fixture(scope="session")
def fixtures(shared: Path) -> Any:
    def read(name: str) -> Any:
        return json.loads((shared / "fixtures" / name).read_text())

    return read


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny classifier with random weights, saved as any checkpoint is."""
    return make_checkpoint(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def rm_bench_folder(tmp_path: Path) -> Path:
    """RM-Bench's layout with a few made-up items of each domain."""
    folder = tmp_path / "rm-bench"
    folder.mkdir()
    for domain in ("chat", "math", "code", "safety-refuse", "safety-response"):
        (folder / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, 4)))
    return folder


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in pair_rows(12)))
    return file


def pytest_addoption(parser: pytest.Parser) -> None:
    """tests/report/test_golden.py says what the option is for."""
    parser.addoption("--rewrite-golden", action="store_true", help="write the files that output is compared with")


ALLOWED_SKIPS = (
    "there is a GPU here",
    "there is no toolchain here for",
    "real benchmark data and reference results cannot be compared with",
)
_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped.append(f"{report.nodeid}: {report.longrepr[2]}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI, a test that was skipped for want of something that could have been installed has failed."""
    wrong = [skip for skip in _skipped if not any(reason in skip for reason in ALLOWED_SKIPS)]
    if os.environ.get("CI") and wrong and not hasattr(session.config, "workerinput"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        reporter.write_line("skipped in CI: " + "; ".join(wrong))
