from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rmeval.errors import RunError
from rmeval.store.liveness import lives, this_process
from rmeval.store.lock import Lock, holder


def held(path: Path, pid: int, host: str | None = None) -> None:
    own = {"host": host or socket.gethostname(), "space": this_process()["space"], "pid": pid, "token": "theirs"}
    path.write_text(json.dumps(own | {"time": "2026-01-01T00:00:00Z"}))


def test_a_living_process_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        held(path, other.pid)
        with pytest.raises(RunError, match=rf"is being written by process {other.pid} on .*`break_lock`"), Lock(path):
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


def planted(path: Path, **changes: object) -> dict[str, object]:
    """A lock of a process that does not live, but for what is changed."""
    record = this_process() | {"pid": DEAD, "start": 1, "token": "ab" * 16, "time": "2026-01-01T00:00:00Z"} | changes
    path.write_text(json.dumps(record))
    return record


DEAD = 99_999_999


@pytest.mark.parametrize("pid", [0, -1, 10**30, 2**31, "1", True, None, 1.0, [], {}])
def test_numbers_that_no_process_has(pid: object, tmp_path: Path) -> None:
    """Nothing is known of them, and no signal is sent."""
    planted(tmp_path / "lock", pid=pid)
    with pytest.raises(RunError, match=r"is being written by process .*`break_lock`"), Lock(tmp_path / "lock"):
        pass
    with Lock(tmp_path / "lock", break_lock=True):
        pass
    assert list(tmp_path.iterdir()) == []


def test_who_is_dead(tmp_path: Path) -> None:
    here = this_process()
    me = {"pid": os.getpid(), "start": here["start"]}
    assert lives(here | me) is True
    assert lives(here | me | {"start": 1}) is False  # Another process had the number before.
    assert lives(here | {"pid": DEAD}) is False
    assert lives(here | {"pid": DEAD, "host": "renamed"}) is False
    assert lives(here | {"pid": DEAD, "space": "pid:[1]"}) is None
    # A machine of the same name, and this one before it was restarted.
    assert lives(here | me | {"boot": "another", "machine": "another"}) is None
    assert lives(here | me | {"boot": "another", "machine": ""}) is None
    restarted = lives(here | me | {"boot": "another"})
    assert restarted is (False if here["space"] == "pid:[4026531836]" and here["machine"] else None)
    # As earlier versions wrote it.
    old = {name: here[name] for name in ("host", "space", "pid")}
    assert lives(old) is True
    assert lives(old | {"pid": DEAD}) is False
    assert lives(old | {"host": "elsewhere"}) is None
    zombie = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)
    assert zombie.stdin is not None
    while Path(f"/proc/{zombie.pid}/stat").read_text().split()[2] != "Z":
        time.sleep(0.01)
    assert lives(here | {"pid": zombie.pid, "start": None}) is False
    zombie.communicate()


@pytest.mark.parametrize("contents", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff", b"{}"])
def test_a_damaged_lock_is_somebodys(contents: bytes, tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(contents)
    with pytest.raises(RunError, match=r"is being written by process \? on \?"), Lock(tmp_path / "lock"):
        pass
    with Lock(tmp_path / "lock", break_lock=True):
        assert holder(tmp_path / "lock") is not None
    assert list(tmp_path.iterdir()) == []


def test_what_a_lock_says_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    planted(tmp_path / "inner" / "lock", token="../../victim", pid=DEAD)
    with Lock(tmp_path / "inner" / "lock"):
        assert [path.name for path in tmp_path.iterdir()] == ["inner"]


@pytest.mark.parametrize("what", ["folder", "pipe", "link"])
def test_no_lock_at_all(what: str, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "precious")
    for force in (False, True):
        with pytest.raises(RunError, match="is not a readable file"), Lock(path, break_lock=force):
            pass
    assert [one.name for one in tmp_path.iterdir()] == ["lock"]


def test_the_claim_of_a_process_that_died_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    planted(path)
    lock = Lock(path)
    claim = lock._claim(path, path.read_bytes())
    planted(claim, token="cd" * 16)
    planted(lock._claim(claim, claim.read_bytes()), token="ef" * 16)
    with lock:
        assert json.loads(path.read_text())["pid"] == os.getpid()
        assert list(tmp_path.iterdir()) == [path]
    # That of one that lives says who is about to write.
    planted(path)
    own = this_process()
    planted(claim.with_name(lock._claim(path, path.read_bytes()).name), pid=os.getppid(), start=None)
    with pytest.raises(RunError, match="is being written by"), Lock(path):
        pass
    assert own["pid"] == os.getpid()


def test_leftovers_of_killed_processes_are_removed(tmp_path: Path) -> None:
    dead = {"host": socket.gethostname(), "space": this_process()["space"], "pid": DEAD, "token": "x"}
    for name in ("ab" * 16, f"{'ab' * 16}.old", f"{'cd' * 16}.taken"):
        (tmp_path / f"lock.{name}").write_text(json.dumps(dead))
    (tmp_path / f"lock.{'ef' * 16}").write_text("")  # Killed before it wrote.
    others = ["lock.txt", "lock.0123", f"lock.{'ab' * 16}.bak", f"locks.{'ab' * 16}"]
    for name in others:
        (tmp_path / name).write_text(json.dumps(dead))
    living = tmp_path / f"lock.{'01' * 16}.taken"
    living.write_text(json.dumps(this_process() | {"pid": os.getppid(), "start": None}))
    with Lock(tmp_path / "lock"):
        pass
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([*others, living.name])


CONTENDER = """
import json, os, random, sys, time
from pathlib import Path
from rmeval.errors import RunError
from rmeval.store.liveness import lives, this_process
from rmeval.store.lock import Lock, holder
folder, seed, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chance, inside = random.Random(seed), folder / "inside"
while rounds:
    try:
        with Lock(folder / "lock"):
            rounds -= 1
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # Fails where two are inside.
            time.sleep(chance.random() * 0.001)
            inside.unlink()
            if rounds % 2:  # Leaves the lock of a process that is no more.
                record = this_process() | {"pid": 99_999_999, "token": os.urandom(16).hex()}
                (folder / f"plant{seed}").write_text(json.dumps(record))
                os.replace(folder / f"plant{seed}", folder / "lock")
    except RunError as error:
        assert "is being written by" in str(error), error
"""


def test_of_many_who_take_dead_locks_one_holds_it(tmp_path: Path) -> None:
    contenders = [
        subprocess.Popen(
            [sys.executable, "-c", CONTENDER, str(tmp_path), str(seed), "60"], stderr=subprocess.PIPE, text=True
        )
        for seed in range(4)
    ]
    for one in contenders:
        _, errors = one.communicate(timeout=120)
        assert (one.returncode, errors) == (0, "")
    with Lock(tmp_path / "lock"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "lock"
    with Lock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
        with pytest.raises(RunError, match=f"by process {os.getpid()}"), Lock(path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_belongs_to_the_process_that_broke_its_lock(tmp_path: Path) -> None:
    """The first one must not remove the files that the second one has written by then."""
    first = Lock(tmp_path / "run" / "lock")
    with first:
        assert first.made_folder
        with Lock(tmp_path / "run" / "lock", break_lock=True):
            assert not first.made_folder


@pytest.mark.parametrize("kind", [FileExistsError, FileNotFoundError])
def test_a_folder_that_another_process_removes_meanwhile(
    kind: type[OSError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`mkdir` finds the folder (or its parent), and another process's lock removes it before the next step."""
    mkdir, lost = Path.mkdir, [3]

    def unlucky(self: Path, *args: object, **kwargs: object) -> None:
        if lost[0]:
            lost[0] -= 1
            raise kind(errno.EEXIST, "removed meanwhile")
        mkdir(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", unlucky)
    with Lock(tmp_path / "outer" / "run" / "lock") as lock:
        assert lock.made_folder
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["file", "link"])
def test_a_parent_that_is_no_folder(what: str, tmp_path: Path) -> None:
    parent = tmp_path / "run"
    if what == "file":
        parent.write_text("mine")
    else:
        parent.symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunError, match="cannot be written"), Lock(parent / "lock"):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["run"]
