"""Sums of files, and the memory of them."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import pytest

from rmeval.cache import files_digest
from tests.command import process

LONG_AGO = 1_000_000_000


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rmeval" / "sha256.json"


def weights(path: Path, changed: bytes = b"") -> Path:
    """A file whose middle says what it is, with the size and the time that all of them have."""
    path.write_bytes(b"a" * 150_000 + (changed or b"a") + b"a" * 150_000)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def wait_until_old(path: Path) -> None:
    while time.time_ns() - path.stat().st_ctime_ns <= 2_100_000_000:
        time.sleep(0.05)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that has not changed for so long that its sum is remembered."""
    file = weights(tmp_path_factory.mktemp("old") / "model.safetensors")
    wait_until_old(file)
    return file


def test_other_weights_of_equal_size_and_time(tmp_path: Path, memory: Path) -> None:
    file = weights(tmp_path / "model.safetensors")
    first = files_digest([file])
    assert not memory.exists()  # It may change again within what its times can tell.
    wait_until_old(file)
    assert files_digest([file]) == first
    assert len(json.loads(memory.read_text())) == 1
    known = memory.read_bytes()
    assert files_digest([file]) == first
    assert memory.read_bytes() == known
    weights(tmp_path / "other", b"b").replace(file)
    assert files_digest([file]) != first
    weights(file)
    assert files_digest([file]) == first
    with file.open("r+b") as there:
        there.seek(150_000)
        there.write(b"b")
    os.utime(file, (LONG_AGO, LONG_AGO))
    assert files_digest([file]) != first


def test_a_memory_that_is_wrong_about_the_ends(old: Path, memory: Path) -> None:
    """File systems may give times and inodes again; what a file begins and ends with is read each time."""
    first = files_digest([old])
    (key,) = json.loads(memory.read_text())
    memory.write_text(json.dumps({key: f"{'0' * 64} {'1' * 64}"}))
    assert files_digest([old]) == first
    assert json.loads(memory.read_text())[key] != f"{'0' * 64} {'1' * 64}"


@pytest.mark.parametrize("text", ["[]", "null", "5", '"x"', "{", "", "[" * 100_000, "\xff"])
def test_a_damaged_memory_is_dropped(text: str, tmp_path: Path, memory: Path) -> None:
    file = weights(tmp_path / "model.safetensors")
    first = files_digest([file])
    memory.parent.mkdir(parents=True)
    memory.write_text(text, encoding="latin-1")
    assert files_digest([file]) == first


def test_damaged_entries_are_dropped(old: Path, memory: Path) -> None:
    first = files_digest([old])
    (key,) = json.loads(memory.read_text())
    values: tuple[object, ...] = (5, None, [], {}, "x", "0" * 64, f"{'0' * 64} {'1' * 63}", f"{'0' * 64} {'1' * 64}\n")
    for value in values:
        memory.write_text(json.dumps({key: value}))
        assert files_digest([old]) == first


def test_the_memory_stays_small(old: Path, memory: Path) -> None:
    memory.parent.mkdir(parents=True)
    memory.write_text(json.dumps({f"old {n}": f"{'0' * 64} {'1' * 64}" for n in range(5000)}))
    files_digest([old])
    known = list(json.loads(memory.read_text()))
    assert len(known) == 4096
    assert known[-1].startswith(str(old))
    assert known[-2] == "old 4999"


def test_without_a_place_for_the_memory(tmp_path: Path, memory: Path) -> None:
    memory.parent.parent.mkdir()
    memory.parent.write_text("in the way")
    assert files_digest([weights(tmp_path / "w")]) == files_digest([weights(tmp_path / "w")])


def test_without_a_home() -> None:
    """A user without HOME, and where the tests are root's, without an entry among the users."""
    code = (
        "import os, pathlib, sys\n"
        "from rmeval.cache import files_digest\n"
        "del os.environ['HOME'], os.environ['XDG_CACHE_HOME']\n"
        "if not os.getuid(): os.setuid(54321)\n"
        "print(files_digest([pathlib.Path(sys.argv[1])]))"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = weights(Path(folder) / "w")
        done = process("-c", code, file, HOME="/nowhere")
        assert done.stdout.strip() == files_digest([file]), done.stderr
