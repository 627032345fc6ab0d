"""The folder of a build: what is damaged in it is an error, and no advice costs work."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmeval.build import BuildFolder, StageResult
from rmeval.errors import DamagedError, RunError
from tests.build.samples import record


@pytest.fixture
def folder(tmp_path: Path) -> BuildFolder:
    found = BuildFolder(tmp_path)
    found.write("review", StageResult([record(1), record(2)], [], "inputs", {}))
    found.check_name("mine")
    assert found.read("review") is not None
    return found


@pytest.mark.parametrize("name", ["records.jsonl", "stage.json"])
@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b'{"a": [1]}\n', b"[1]\n", b"[" * 100_000])
def test_damaged_files_of_a_stage(folder: BuildFolder, name: str, damage: bytes) -> None:
    (folder.review / name).write_bytes(damage)
    with pytest.raises(DamagedError, match=r"4-review.* is damaged.*: delete (it|its file stage.json), and run"):
        folder.read("review")
    # The folder also contains the reviews.
    (folder.review / "stage.json").unlink()
    assert folder.read("review") is None


def test_a_changed_letter_of_a_text_is_found(folder: BuildFolder) -> None:
    path = folder.review / "records.jsonl"
    text = path.read_text()
    assert "The answer for" in text
    path.write_text(text.replace("The answer for", "The answer fur", 1))
    with pytest.raises(DamagedError, match=r"4-review is damaged: delete its file stage\.json"):
        folder.read("review")


@pytest.mark.parametrize("damage", ['{"a": 1}', '{"name": 5}', "[]", ""])
def test_a_folder_whose_name_is_damaged_belongs_to_nobody(folder: BuildFolder, damage: str) -> None:
    (folder.path / "build.json").write_text(damage)
    with pytest.raises(DamagedError, match=r"build.json is damaged"):
        folder.check_name("mine")


def test_a_folder_of_another_build_is_refused(folder: BuildFolder) -> None:
    folder.check_name("mine")
    with pytest.raises(RunError, match="has the build of mine, and the config that of other: choose another folder"):
        folder.check_name("other")
    assert folder.name() == "mine"


def test_another_model_of_a_role_is_refused(folder: BuildFolder) -> None:
    folder.check_models({"writer": "one"})
    folder.check_models({"writer": "one", "judge": "two"})
    with pytest.raises(
        RunError, match="the judge was two at earlier starts, and now is one: use the first, or another"
    ):
        folder.check_models({"writer": "one", "judge": "one"})
    assert folder.models() == {"writer": "one", "judge": "two"}


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "4-review").touch()
    with pytest.raises(RunError, match=r"4-review"):
        BuildFolder(tmp_path).write("review", StageResult([], [], "inputs", {}))
