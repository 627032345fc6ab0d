"""Files that scores depend on, and whether they still are what their digest was taken of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rmeval import ModelError
from rmeval.cache import Sources, checked, files_digest


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "sub").mkdir()
    found = [tmp_path / "a", tmp_path / "b"]
    for number, file in enumerate(found):
        file.write_text(str(number))
    return found


def sources(files: list[Path]) -> Sources:
    folder = files[0].parent
    return Sources(folder, lambda: [path for path in folder.rglob("*") if path.is_file()])


def test_the_digest_of_a_plain_folder_is_that_of_its_files(files: list[Path]) -> None:
    assert sources(files).digest == files_digest(files)


def test_files_of_one_name_in_two_folders(files: list[Path]) -> None:
    folder = files[0].parent
    (folder / "sub" / "a").write_text("x")
    first = sources(files).digest
    files[0].write_text("x")
    (folder / "sub" / "a").write_text("0")
    assert sources(files).digest != first


def test_a_file_in_another_folder_is_another_file(files: list[Path]) -> None:
    folder = files[0].parent
    first = sources(files).digest
    files[0].rename(folder / "sub" / "a")
    inner = sources(files).digest
    assert inner != first
    (folder / "sub").rename(folder / "other")
    assert sources(files).digest not in (first, inner)


def change(how: str, files: list[Path]) -> None:
    file = files[0]
    if how == "overwritten":
        file.write_text("99")
    elif how == "replaced":
        (file.parent / "sub" / "new").write_text("9")
        (file.parent / "sub" / "new").replace(file)
    elif how == "removed":
        file.unlink()
    else:
        (file.parent / "c").write_text("9")


@pytest.mark.parametrize("how", ["overwritten", "replaced", "removed", "added"])
def test_a_change_is_noticed_before_anything_is_handed_out(files: list[Path], how: str) -> None:
    found = sources(files)
    batches = checked([1, 2], [found])
    assert next(batches) == 1
    change(how, files)
    with pytest.raises(ModelError, match="changed after rmeval computed their digest"):
        next(batches)


def test_files_that_were_only_touched(files: list[Path]) -> None:
    found = sources(files)
    os.utime(files[0])
    files[1].write_text("1")
    found.check()
    change("overwritten", files)
    with pytest.raises(ModelError):
        found.check()
