from __future__ import annotations

import logging
import resource
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmeval.errors import RunError
from rmeval.store.journal import Journal
from rmeval.store.journal import read_journal as read_batches
from rmeval.types import Observation


def read_journal(folder: Path) -> dict[str, Observation]:
    return {one.key: one for batch in read_batches(folder) for one in batch}


floats = st.floats(allow_nan=False, allow_infinity=False)
observations = st.builds(
    Observation,
    key=st.text(min_size=1),
    status=st.sampled_from(["ok", "error", "overlength", "no_verdict"]),
    values=st.dictionaries(st.text(), floats | st.lists(floats, min_size=1).map(tuple)),
    choice=st.none() | st.integers(-1, 3),
    usage=st.dictionaries(st.text(), st.integers(0)),
    input_truncated=st.booleans(),
    error=st.none() | st.text(min_size=1),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.lists(observations, min_size=1, max_size=4), max_size=4))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, batches: list[list[Observation]]) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with Journal(folder) as journal:
        for batch in batches:
            journal.append(batch)
    assert read_journal(folder) == {one.key: one for batch in batches for one in batch}


def some(start: int, count: int) -> list[Observation]:
    return [Observation(f"k{n}", values={"score": n / 7}) for n in range(start, start + count)]


def test_cut_anywhere_only_whole_batches_remain(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However many of a segment's bytes reached the disk, what is read is a whole number of its batches."""
    with Journal(tmp_path / "whole") as journal:
        for start, count in ((0, 2), (2, 3), (5, 1)):
            journal.append(some(start, count))
    data = (tmp_path / "whole" / "0001.jsonl").read_bytes()
    cut = tmp_path / "cut"
    cut.mkdir()
    for length in range(len(data) + 1):
        (cut / "0001.jsonl").write_bytes(data[:length])
        with caplog.at_level(logging.WARNING, "rmeval"):
            found = read_journal(cut)
        assert len(found) in (0, 2, 5, 6)
        assert list(found) == [f"k{n}" for n in range(len(found))]
        whole = data[:length].count(b"\n")
        assert len(found) == max(n for n in (0, 2, 5, 6) if n <= whole)
    assert "ends in an unfinished batch" in caplog.text


def test_a_new_process_writes_a_new_segment(tmp_path: Path) -> None:
    for number in range(3):
        with Journal(tmp_path) as journal:
            journal.append([Observation("k", values={"score": float(number)})])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001.jsonl", "0002.jsonl", "0003.jsonl"]
    assert read_journal(tmp_path)["k"].values == {"score": 2.0}


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(some(0, 1))
        journal.append(some(1, 1))
    file = tmp_path / "0001.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text(lines[0].replace('"score":0.0', '"score":1.0') + lines[1])
    with pytest.raises(RunError, match=r"0001.jsonl line 1 is damaged"):
        read_journal(tmp_path)


def test_lines_are_json(tmp_path: Path) -> None:
    import json

    with Journal(tmp_path) as journal:
        journal.append([Observation("k", values={"score": 0.5}, usage={"tokens": 3})])
    line = json.loads((tmp_path / "0001.jsonl").read_text())
    assert line.pop("crc")
    assert line == {"key": "k", "status": "ok", "values": {"score": 0.5}, "usage": {"tokens": 3}, "left": 0}


def test_no_journal_yet(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "none") == {}


@pytest.mark.parametrize("room", [0, 1, 40, 90])
def test_a_disk_that_takes_a_part_of_a_batch(tmp_path: Path, room: int) -> None:
    """The write that fills the disk may be cut short; the journal stays whole, also when there is room again."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(tmp_path) as journal:
        journal.append(some(0, 2))
        size = (tmp_path / "0001.jsonl").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, before[1]))
        try:
            with pytest.raises(RunError, match="there is no space left"):
                journal.append(some(2, 2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert len(read_journal(tmp_path)) == 2
        journal.append(some(4, 1))
    assert list(read_journal(tmp_path)) == ["k0", "k1", "k4"]


def test_a_line_holds_what_differs_from_the_defaults(tmp_path: Path) -> None:
    """Byte for byte, since journals of other times and versions are read beside one another."""
    seen = Observation("0" * 32, "ok", {"score": 1e-07, "é": 1e16}, 0, {}, "\ud800", None, True)
    again = Observation("1" * 32, "error", error="x", usage={"tokens": 3})
    with Journal(tmp_path, "0123") as journal:
        journal.append([seen, again])
    first, second, end = (tmp_path / "0001.jsonl").read_bytes().split(b"\n")
    assert first.rpartition(b',"crc"')[0] == (
        b'{"key":"00000000000000000000000000000000","status":"ok","values":{"score":1e-07,"\xc3\xa9":1e+16},"choice":0,'
        b'"error":"\\ud800","input_truncated":true,"run":"0123","left":1'
    )
    assert second.rpartition(b',"crc"')[0] == (
        b'{"key":"11111111111111111111111111111111","status":"error","usage":{"tokens":3},"error":"x","left":0'
    )
    assert end == b""
    for value in (float("nan"), float("inf")):
        with Journal(tmp_path) as journal, pytest.raises(ValueError, match="not JSON compliant"):
            journal.append([Observation("0" * 32, "ok", {"score": value})])
