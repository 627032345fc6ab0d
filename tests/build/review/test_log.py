"""The journal of a reviewer: after any cut, what was answered is there, and nothing else."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmeval.build.review.log import Review, ReviewLog, read_reviews, review_state, reviewer_names
from rmeval.errors import DamagedError, DataError, RunError

ONE = Review("math/1", "chosen", "correct", "a" * 32, "a comment\nof two lines ☃ \ud800")
TWO = Review("math/1", "rejected", "unsure", "b" * 32, mode="verify")
THREE = Review("math/2", "styles", "incorrect", "c" * 32, adjudicates=True)


def test_reviews_are_read_as_they_were_written(tmp_path: Path) -> None:
    with ReviewLog(tmp_path, "anna") as log:
        log.append([ONE])
        log.append([TWO, THREE])
        assert log.undo(3) == THREE
        assert log.undo(3) is None
    with ReviewLog(tmp_path, "anna") as log:
        assert log.reviews == (ONE, TWO)
        log.append([THREE])
    assert read_reviews(tmp_path, "anna") == [ONE, TWO, THREE]
    assert reviewer_names(tmp_path) == ["anna"]
    assert read_reviews(tmp_path, "bert") == []


def test_any_cut_leaves_complete_reviews(tmp_path: Path) -> None:
    with ReviewLog(tmp_path, "anna") as log:
        for one in (ONE, TWO, THREE):
            log.append([one])
    segment = tmp_path / "reviewers" / "anna" / "0001.jsonl"
    whole, counts = segment.read_bytes(), []
    for size in [*range(0, len(whole), 3), len(whole)]:
        segment.write_bytes(whole[:size])
        found = read_reviews(tmp_path, "anna")
        assert found == [ONE, TWO, THREE][: len(found)]
        counts.append(len(found))
    assert sorted(set(counts)) == [0, 1, 2, 3]
    assert counts == sorted(counts)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_found(tmp_path_factory: pytest.TempPathFactory, place: int, byte: int) -> None:
    folder = tmp_path_factory.mktemp("log")
    with ReviewLog(folder, "anna") as log:
        log.append([ONE, TWO, THREE])
    segment = folder / "reviewers" / "anna" / "0001.jsonl"
    data = bytearray(segment.read_bytes())
    changed = data[place % len(data)] != byte
    data[place % len(data)] = byte
    segment.write_bytes(data)
    try:
        found = read_reviews(folder, "anna")
    except DamagedError as error:
        assert "is damaged: restore it from a copy" in str(error)
        return
    # Without its line end, the last line is one that was cut.
    assert found == ([ONE, TWO] if changed else [ONE, TWO, THREE])


def test_the_state_changes_with_each_line(tmp_path: Path) -> None:
    states = [review_state(tmp_path)]
    with ReviewLog(tmp_path, "anna") as log:
        log.append([ONE])
        states.append(review_state(tmp_path))
        log.undo(1)
        states.append(review_state(tmp_path))
    assert len({str(state) for state in states}) == 3


def test_a_second_process_and_wrong_names_are_refused(tmp_path: Path) -> None:
    with ReviewLog(tmp_path, "anna"), pytest.raises(RunError), ReviewLog(tmp_path, "anna"):
        pass
    for name in ("", "Anna", "../x", "a/b", "a" * 41, ".hidden"):
        with pytest.raises(DataError, match="`reviewer` is"):
            ReviewLog(tmp_path, name)


def test_a_full_disk_stores_nothing_and_loses_nothing(tmp_path: Path) -> None:
    with ReviewLog(tmp_path, "anna") as log:
        log.append([ONE])
        size = (tmp_path / "reviewers" / "anna" / "0001.jsonl").stat().st_size
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, before[1]))
        try:
            with pytest.raises(RunError):
                log.append([TWO])
            with pytest.raises(RunError):
                log.append([replace(TWO, comment="x" * 500)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert log.reviews == (ONE,)
        log.append([THREE])
    assert read_reviews(tmp_path, "anna") == [ONE, THREE]
