"""`rmeval view` as a process: its address, its end, its token, and what it refuses."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.app.viewing import planted_rows, planted_score, write_run
from tests.command import command, process
from tests.test_imports import WITHOUT


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_run(tmp_path / "runs", planted_rows(20), "planted", planted_score)
    return tmp_path / "runs"


@contextmanager
def viewed(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in its own process, and the address that it prints."""
    command = [sys.executable, "-m", "rmeval", "view", "--no-browser", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as own:
        assert own.stdout is not None
        line = own.stdout.readline()
        found = re.search(r"http://\S+", line)
        try:
            assert found, line + own.stdout.read()
            yield own, found[0]
        finally:
            own.kill()


def read_page(address: str, opener: urllib.request.OpenerDirector | None = None) -> str:
    """The first page once it has all runs: on a busy machine, reading them takes longer than a page waits."""
    for _ in range(60):
        with (opener or urllib.request.build_opener()).open(address) as response:
            text: str = response.read().decode()
        if "Runs are being read" not in text:
            break
    return text


def test_it_answers_until_it_is_interrupted(runs: Path, tmp_path: Path) -> None:
    before = sorted(path for path in runs.rglob("*"))
    with viewed(runs, "--index", tmp_path / "mine.sqlite") as (own, address):
        assert "planted" in read_page(address)
        own.send_signal(signal.SIGINT)
        assert own.stdout is not None
        assert own.stdout.read().strip() == "ended"
        assert own.wait(30) == 0
    assert sorted(path for path in runs.rglob("*")) == before
    assert {path.name for path in tmp_path.glob("mine.sqlite*")} == {"mine.sqlite"}


def test_a_token_is_needed_where_it_is_asked_for(runs: Path) -> None:
    with viewed(runs, "--token") as (_, address):
        place, _, token = address.partition("?token=")
        assert len(token) > 30
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(place)
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        assert "planted" in read_page(address, opener)


def test_what_it_cannot_show(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text("text")
    for arguments, message in (
        ((tmp_path / "nothing",), "nothing is not a folder: give a folder of runs"),
        ((tmp_path / "text.txt",), "text.txt is not a folder"),
        ((runs, "--index", tmp_path / "text.txt"), "is not an index of rmeval: give another file with --index"),
        ((runs, "--host", "203.0.113.1"), "cannot be listened on"),
        ((runs, "--data", "x", "--data", "y"), "--data is given twice for all benchmarks"),
        ((runs, "--data", "pairs=x", "--data", "Pairs=y"), "--data is given twice for pairs"),
        ((runs, "--token-scores", tmp_path / "text.txt"), "text.txt"),
        ((runs, "--run-model", "./nothing"), "nothing"),
    ):
        done = command(capsys, "view", *arguments)
        assert (done.code, message in done.err, "Traceback" in done.err) == (2, True, False), done.err
    assert (tmp_path / "text.txt").read_text() == "text"


def test_without_its_packages_it_names_the_extra(runs: Path) -> None:
    for package in ("starlette", "nh3"):
        done = process("-c", WITHOUT.format(extras=(package,), arguments=["view", str(runs)]))
        message = f"the viewer needs the package {package}: pip install 'rmeval[app]'"
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr


def test_it_needs_no_torch(runs: Path) -> None:
    """The leaderboard, items and comparisons are shown where only the extra `app` is installed."""
    from tests.test_imports import EXTRAS

    code = WITHOUT.format(extras=EXTRAS, arguments=["view", str(runs), "--no-browser"])
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as own:
        assert own.stdout is not None
        address = re.findall(r"http://\S+", own.stdout.readline())[0]
        try:
            for path in ("", "items", "compare", "model?name=planted"):
                with urllib.request.urlopen(address + path) as response:
                    assert response.status == 200
        finally:
            own.terminate()
