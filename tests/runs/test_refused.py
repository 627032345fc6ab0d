"""Runs that are refused before anything is scored: a new folder goes, one that existed stays as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.errors import RmevalError, RunError
from rmeval.store.lock import Lock
from tests.checkpoints import make_checkpoint
from tests.command import command

JUDGE = "class Judge:\n    protocol = 'graded@9'\n    def answer(self, questions):\n        return []\n"
SHORT = "class Short:\n    def score(self, conversations):\n        return []\n"
REFUSED: dict[str, dict[str, Any]] = {
    "overlength": {"max_length": 4},
    "head not found": {"head": "nowhere"},
    "too many outputs": {"reduce": "index:7"},
}


def files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("models") / "model")


@pytest.mark.parametrize("why", REFUSED)
def test_a_refused_run_leaves_no_folder(why: str, model: Path, pairs_file: Path, tmp_path: Path) -> None:
    with pytest.raises(RmevalError):
        rmeval.evaluate(str(model), "pairs", pairs_file, out=tmp_path / "a" / "runs", **REFUSED[why])
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("source", [JUDGE, SHORT])
def test_a_refused_scorer_leaves_no_folder(
    source: str, pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scorer.py").write_text(source)
    name = source.partition(":")[0].removeprefix("class ")
    arguments = ["-b", "pairs", "--data", pairs_file, "-o", tmp_path / "runs"]
    done = command(capsys, "run", f"{tmp_path}/scorer.py:{name}", *arguments)
    assert done.code == 2
    assert not (tmp_path / "runs").exists()


def test_folders_that_existed_stay(model: Path, pairs_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    out.mkdir()
    with pytest.raises(RmevalError):
        rmeval.evaluate(str(model), "pairs", pairs_file, out=out, max_length=4)
    assert list(out.iterdir()) == []
    kept = rmeval.evaluate("baseline:longest", "pairs", pairs_file, out=out)
    before = files(out)
    with pytest.raises(RmevalError):
        rmeval.evaluate(str(model), "pairs", pairs_file, out=out, max_length=4)
    assert files(out) == before
    assert kept.path.parent.parent.parent == out
    assert [path.name for path in (out / "pairs").iterdir()] == ["baseline-longest"]


def test_a_run_that_is_refused_when_continued_stays_as_it_was(pairs_file: Path, tmp_path: Path) -> None:
    """More items are refused: the numbers of the earlier ones stay, and so does their selection."""
    model = make_checkpoint(tmp_path / "model")
    lines = pairs_file.read_text().splitlines()
    row = json.loads(lines[-1])
    pairs_file.write_text("".join(f"{line}\n" for line in (*lines[:-1], json.dumps(row | {"prompt": "long " * 400}))))
    options: dict[str, Any] = {"data": pairs_file, "out": tmp_path / "runs"}
    first = rmeval.evaluate(str(model), "pairs", limit=3, **options)
    before = files(first.path)
    with pytest.raises(RmevalError, match="tokens"):
        rmeval.evaluate(str(model), "pairs", **options)
    assert files(first.path) == before
    assert rmeval.open_run(first.path).records == first.records


def test_a_lock_that_is_taken_in_between_keeps_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "pairs"
    with Lock(folder / "lock") as lock:
        assert lock.made_folder
        (folder / "lock").write_text('{"host": "elsewhere", "pid": 7}')  # Taken over with --break-lock.
    assert (folder / "lock").exists()
    with pytest.raises(RunError, match="is being written by process 7 on elsewhere"), Lock(folder / "lock"):
        pass
    assert (folder / "lock").exists()
    (folder / "lock").unlink()
    with Lock(folder / "lock") as lock:
        assert not lock.made_folder
    assert folder.is_dir()
    folder.rmdir()
    with Lock(folder / "lock"):
        pass
    assert not folder.exists()
    assert folder.parent.is_dir(), "it existed before"


def test_an_error_is_an_observation(pairs_file: Path, tmp_path: Path) -> None:
    """Its reason is in the journal, so the folder stays."""
    (tmp_path / "scorer.py").write_text("def broken(conversations):\n    raise ValueError('no')\n")
    with pytest.raises(RunError, match="none of 24 responses got a score"):
        rmeval.evaluate(f"{tmp_path}/scorer.py:broken", "pairs", pairs_file, out=tmp_path / "runs")
    assert list((tmp_path / "runs").glob("*/*/*/journal"))


def test_a_refused_import_leaves_no_folder(
    pairs_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scores.jsonl").write_text('{"item_id": "nowhere", "response": 0, "score": 1.0}\n')
    arguments = ["-b", "pairs", "--data", pairs_file, "-o", tmp_path / "runs"]
    done = command(capsys, "import", tmp_path / "scores.jsonl", *arguments)
    assert done.code == 2
    assert not (tmp_path / "runs").exists()


def test_a_refused_score_leaves_no_partial_folder(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "q", "response": "a long answer of many words"}\n')
    done = command(capsys, "score", model, rows, "-o", tmp_path / "scored.jsonl", "--max-length", 4)
    assert done.code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]
