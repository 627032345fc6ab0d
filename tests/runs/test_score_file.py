"""`score -o`: what it keeps while it works, whoever else writes there, and however it ends; links in the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rmeval.benchmarks.pairs import Pairs
from rmeval.errors import RunError
from rmeval.models import load_model
from rmeval.runs.plan import plan
from rmeval.runs.runner import run
from rmeval.runs.score_file import output_file, score_file
from rmeval.store.journal import Journal
from rmeval.store.manifest import write_json
from rmeval.types import Observation
from tests.command import command

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps({"prompt": "q", "response": "r" * n}) + "\n" for n in range(1, 5)))
    return file


def score(source: Path, target: Path, name: str = "longest") -> list[float]:
    score_file(load_model(f"baseline:{name}"), source, target)
    return [json.loads(line)["score"] for line in target.read_text().splitlines()]


def test_scores_of_nobody_are_not_taken_up(source: Path, tmp_path: Path) -> None:
    """Of a process that was killed while it removed them, as earlier versions could be, or that was another model's."""
    wanted = score(source, tmp_path / "wanted.jsonl")
    partial = tmp_path / "out.jsonl.partial"
    keys: list[str] = []

    class RequestTable:
        name, kind, protocol = "asked", "plugin", "pointwise@1"

        def identity(self) -> dict[str, Any]:
            return {"model": "asked"}

        def facts(self) -> dict[str, Any]:
            return {}

        def observe(self, requests: Any) -> Any:
            keys.extend(request.key for request in requests)
            yield [Observation(key, values={"score": 7.0}) for key in keys]

    assert [json.loads(line)["score"] for line in _scored(RequestTable(), source, tmp_path)] == [7.0] * 4
    for run_of, identity in ((None, None), ("another", None), ("another", "another")):
        with Journal(partial / "journal", run_of) as journal:
            journal.append([Observation(key, values={"score": 7.0}) for key in keys])
        if identity is not None:
            write_json(partial / "model.json", {"identity": identity})
        with pytest.raises(RunError, match="contains scores of another model or setting"):
            score(source, tmp_path / "out.jsonl")
        (partial / "model.json").unlink(missing_ok=True)
        for segment in (partial / "journal").iterdir():
            segment.unlink()
    assert score(source, tmp_path / "out.jsonl") == wanted
    assert not partial.exists()


def _scored(model: Any, source: Path, tmp_path: Path) -> list[str]:
    score_file(model, source, tmp_path / "asked.jsonl")
    return (tmp_path / "asked.jsonl").read_text().splitlines()


def test_files_of_others_stay(source: Path, tmp_path: Path) -> None:
    partial = tmp_path / "out.jsonl.partial"
    (partial / "journal").mkdir(parents=True)
    (partial / "journal" / "notes.txt").write_text("mine")
    (partial / "notes.txt").write_text("mine")
    (partial / "model.json.4711.tmp").write_text("of a killed process")
    score(source, tmp_path / "out.jsonl")
    assert sorted(path.name for path in partial.rglob("*")) == ["journal", "notes.txt", "notes.txt"]


def test_links_are_not_followed(source: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "0001.jsonl").write_text("precious")
    partial = tmp_path / "out.jsonl.partial"
    partial.symlink_to(precious)
    with pytest.raises(RunError, match="is a link, through which scores are not written"):
        score(source, tmp_path / "out.jsonl")
    partial.unlink()
    partial.mkdir()
    (partial / "journal").symlink_to(precious)
    with pytest.raises(RunError, match=r"scores of another model|is a link"):
        score(source, tmp_path / "out.jsonl")
    (partial / "journal").unlink()
    (partial / "model.json").symlink_to(precious / "0001.jsonl")
    (tmp_path / "out.jsonl.tmp").symlink_to(precious / "0001.jsonl")
    score(source, tmp_path / "out.jsonl")
    assert [path.read_text() for path in precious.iterdir()] == ["precious"]


@pytest.mark.parametrize(
    "name", ["items.tmp", "scores.tmp", "run.json", "items.parquet", "scores.parquet", "metrics.json", "journal"]
)
def test_links_in_a_run_folder_are_not_followed(name: str, pairs_file: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    file = precious / "0001.jsonl"
    planned, model = plan(Pairs(str(pairs_file))), load_model("baseline:longest")
    folder = run(model, planned, tmp_path / "runs").path
    content = (folder / "run.json").read_text()
    file.write_text(content)
    if name == "journal":
        (folder / name).rename(tmp_path / "moved")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(precious if name == "journal" else file)
    try:
        run(model, planned, tmp_path / "runs")
    except RunError as error:
        assert name in ("journal", "run.json"), error
    assert [path.read_text() for path in precious.iterdir()] == [content]


def test_what_killed_processes_left_is_removed(pairs_file: Path, tmp_path: Path) -> None:
    planned, model = plan(Pairs(str(pairs_file))), load_model("baseline:longest")
    folder = run(model, planned, tmp_path / "runs").path
    sound = sorted(path.name for path in folder.iterdir())
    left = ["items.tmp", "scores.tmp", "run.json.17.tmp", "metrics.json.4711.tmp", ".run.json.0123456789abcdef.tmp"]
    others = [
        "items.tmp.bak",
        "my.tmp",
        "run.json.tmp",
        "run.json.x.tmp",
        ".run.json.tmp",
        ".mine.0123456789abcdef.tmp",
    ]
    for name in (*left, *others):
        (folder / name).write_text("x")
    run(model, planned, tmp_path / "runs")
    assert sorted(path.name for path in folder.iterdir()) == sorted([*sound, *others])


def test_a_loop_of_links_is_no_output(source: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    for target in (tmp_path / "one", tmp_path / "one" / "out.jsonl"):
        with pytest.raises(RunError, match="is a broken link"):
            output_file(target)
        for arguments in (("score", "baseline:longest", source), ("items", "rm-bench-synthetic")):
            done = command(capsys, *arguments, "-o", target)
            assert (done.code, "is a broken link" in done.err) == (2, True), done.err
    (tmp_path / "new").symlink_to("target")
    score(source, tmp_path / "new")
    assert (tmp_path / "target").is_file()


@pytest.mark.parametrize("target", ["/dev/null", "FOLDER"])
def test_items_replace_no_device_and_no_folder(target: str, tmp_path: Path, capsys: Capture) -> None:
    done = command(capsys, "items", "rm-bench-synthetic", "-o", target.replace("FOLDER", str(tmp_path)))
    assert (done.code, "is not a file: give the path" in done.err) == (2, True), done.err
    assert Path("/dev/null").is_char_device()


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.argv = ["rmeval", *sys.argv[1:]]
from rmeval.cli import main
main()
"""


def test_a_full_disk_leaves_the_items_that_were_there(tmp_path: Path) -> None:
    target = tmp_path / "items.jsonl"
    target.write_text("earlier")
    arguments = ["items", "rm-bench-synthetic", "--size", "80", "-o", str(target), "--overwrite"]
    done = subprocess.run([sys.executable, "-c", FULL, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, "there is no space left to write" in done.stderr) == (2, True), done.stderr
    assert target.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [target]


RACER = """
import os, random, sys
from pathlib import Path
from rmeval.errors import RunError
from rmeval.models import load_model
from rmeval.runs.score_file import score_file
source, target, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
done = 0
while done < 12:
    try:
        score_file(load_model("baseline:" + chance.choice(["longest", "shortest"])), source, target)
        done += 1
    except RunError as error:
        assert "is being written by" in str(error) or "another model" in str(error), error
"""


def test_two_models_on_one_target_are_never_mixed(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    wanted = [score(source, tmp_path / f"{name}.jsonl", name) for name in ("longest", "shortest")]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(source), str(target), str(seed)], stderr=subprocess.PIPE, text=True
        )
        for seed in range(3)
    ]
    while any(one.poll() is None for one in racers):
        if target.exists():
            assert [json.loads(line)["score"] for line in target.read_text().splitlines()] in wanted
    for one in racers:
        _, errors = one.communicate()
        assert (one.returncode, errors) == (0, "")
    assert not (tmp_path / "out.jsonl.partial").exists()
