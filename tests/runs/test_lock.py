from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rmeval.errors import RunError
from rmeval.runs.liveness import this_process
from rmeval.runs.lock import Lock


def held(path: Path, pid: int, host: str | None = None) -> None:
    own = {"host": host or socket.gethostname(), "space": this_process()["space"], "pid": pid, "token": "theirs"}
    path.write_text(json.dumps(own | {"time": "2026-01-01T00:00:00Z"}))


def test_a_living_process_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        held(path, other.pid)
        with pytest.raises(RunError, match=rf"is being written by process {other.pid} on .*--break-lock"), Lock(path):
            pass
        assert path.exists()
        with Lock(path, break_lock=True):
            assert json.loads(path.read_text())["pid"] == os.getpid()
    finally:
        other.communicate(b"\n")
    held(path, other.pid)
    with Lock(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_another_host_cannot_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held(path, 1, "elsewhere")
    with pytest.raises(RunError, match="by process 1 on elsewhere since 2026-01-01"), Lock(path):
        pass


def test_it_is_released_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Lock(tmp_path / "lock"):
        _ = 1 / 0
    assert not (tmp_path / "lock").exists()


def test_one_process_holds_it_once(tmp_path: Path) -> None:
    with Lock(tmp_path / "lock"):
        with pytest.raises(RunError, match=f"by process {os.getpid()}"), Lock(tmp_path / "lock"):
            pass
        assert (tmp_path / "lock").exists()


def test_a_dead_namesake_does_not_hold_it(tmp_path: Path) -> None:
    held(tmp_path / "lock", os.getpid())
    with Lock(tmp_path / "lock"):
        pass


def test_another_container_cannot_be_seen(tmp_path: Path) -> None:
    other = {"host": socket.gethostname(), "space": "pid:[1]", "pid": 99_999_999, "time": "x", "token": "theirs"}
    (tmp_path / "lock").write_text(json.dumps(other))
    with pytest.raises(RunError, match="by process 99999999"), Lock(tmp_path / "lock"):
        pass


def test_a_broken_lock_is_not_taken_from_its_new_owner(tmp_path: Path) -> None:
    """Who lost the lock to --break-lock leaves the new one alone when it goes."""
    path = tmp_path / "lock"
    with Lock(path):
        held(path, 1, "elsewhere")
    assert json.loads(path.read_text())["token"] == "theirs"
