"""`rmeval errors`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import command
from tests.results.test_wrong import OTHERS, SCORES, imported

Capture = pytest.CaptureFixture[str]


def test_the_command(tmp_path: Path, capsys: Capture) -> None:
    run = imported(tmp_path, "mine", SCORES)
    done = command(capsys, "errors", run, "--n", 2)
    assert done.code == 0, done.err
    assert "misjudged: 4 of 5 comparisons (3 losses, 1 tie); 2 shown, worst margin first" in done.out
    assert [line.split()[1] for line in done.out.splitlines() if "outcome" in line] == ["f", "a"]
    assert "f {+is+} in the {+north+}" in done.out
    assert "f [-was-] in the [-south-]" in done.out
    assert "! 1 comparison without a score" in done.out
    tie = command(capsys, "errors", run, "--subset", "consonant")
    assert [line.split()[1:4] for line in tie.out.splitlines() if "outcome" in line][-1] == ["b", "outcome", "tie"]


def test_another_run(tmp_path: Path, capsys: Capture) -> None:
    run, other = imported(tmp_path, "mine", SCORES), imported(tmp_path, "theirs", OTHERS)
    done = command(capsys, "errors", run, "--other", other)
    assert done.code == 0, done.err
    lines = [line for line in done.out.splitlines() if "wrong:" in line or "outcome" in line]
    assert [line.split()[1] if "outcome" in line else line.partition(":")[0] for line in lines] == [
        "theirs right, mine wrong", "f", "a", "b", "mine right, theirs wrong", "c",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["table", "md", "latex", "csv", "json"])
def test_a_file_holds_what_is_printed(form: str, tmp_path: Path, capsys: Capture) -> None:
    run = imported(tmp_path, "mine", SCORES)
    printed = command(capsys, "errors", run, "--format", form)
    written = command(capsys, "errors", run, "--format", form, "-o", tmp_path / "out")
    assert (printed.code, written.code, written.out) == (0, 0, ""), written.err
    assert (tmp_path / "out").read_text() == printed.out
    if form == "json":
        assert [row["item"] for row in json.loads(printed.out)[0]["rows"]] == list("fadb")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--subset", "x"), "there is no subset 'x': choose from vowel, consonant"),
        (("--cell", "x"), "there is no cell 'x': choose from chosen/rejected"),
        (("--n", "0"), "--n must be at least 1, not 0"),
        (("--variant", "x"), "has no score 'x'"),
        (("--other", "nowhere"), "is not a run folder"),
        (("--data", "nowhere.jsonl"), "(there is no file nowhere.jsonl: check the path): give their place with --data"),
    ],
)
def test_wrong_options_are_one_sentence(
    options: tuple[str, ...], sentence: str, tmp_path: Path, capsys: Capture
) -> None:
    done = command(capsys, "errors", imported(tmp_path, "mine", SCORES), *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done
    assert sentence in done.err


def test_data_that_have_moved_name_the_options(tmp_path: Path, capsys: Capture) -> None:
    run = imported(tmp_path, "mine", SCORES)
    moved = (tmp_path / "pairs.jsonl").rename(tmp_path / "moved.jsonl")
    done = command(capsys, "errors", run)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "give their place with --data, or give the command of the run again with --store-text" in done.err
    assert command(capsys, "errors", run, "--data", moved).code == 0
