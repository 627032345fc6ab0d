from __future__ import annotations

import json
import platform
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rmeval import evaluate
from rmeval.errors import RunError
from rmeval.push import runs_to_share
from rmeval.push.run_files import public_manifest, run_files
from rmeval.results import open_run
from rmeval.results.judging import Failed, Judging
from rmeval.store.manifest import read_manifest
from tests.push.conftest import SCORER


@pytest.fixture
def private(tmp_path: Path, pairs_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with texts, by a scorer and on data that lie in a folder of this machine."""
    monkeypatch.setattr(platform, "node", lambda: "host-of-a-user")
    mine = tmp_path / "home" / "scorer.py"
    mine.parent.mkdir()
    shutil.copy(SCORER, mine)
    return evaluate(f"{mine}:Overlap", "pairs", data=str(pairs_file), out=tmp_path / "runs", store_text=True).path


def test_files_have_no_text_folder_or_host(private: Path, tmp_path: Path, pairs_file: Path) -> None:
    manifest = (private / "run.json").read_text()
    assert str(pairs_file) in manifest
    (run,) = runs_to_share(private)
    files = run_files(run)
    assert sorted(files) == ["metrics.json", "run.json", "scores.parquet"]
    texts = [one["prompt"] for one in map(json.loads, pairs_file.read_text().splitlines())]
    for content in files.values():
        for secret in (str(tmp_path), json.loads(manifest)["sessions"][0]["host"], *texts):
            assert secret.encode() not in content
    assert json.loads(files["run.json"])["benchmark"]["data"] == pairs_file.name


def test_a_copy_of_the_files_shows_the_same_numbers(scored: Path, tmp_path: Path) -> None:
    (run,) = runs_to_share(scored)
    for name, content in run_files(run).items():
        (tmp_path / name).write_bytes(content)
    assert open_run(tmp_path).records == open_run(scored).records
    assert read_manifest(tmp_path)["identity"] == read_manifest(scored)["identity"]


def test_entries_of_servers_and_rendered_texts_are_left_out(scored: Path) -> None:
    manifest = dict(read_manifest(scored))
    manifest["sessions"] = [
        {
            "begun": "2026-01-01T00:00:00Z",
            "host": "h",
            "server": {"address": "http://10.0.0.5:8000"},
            "first_rendered": "Tell me about my illness",
            "template_example": "x",
            "rmeval": "0.1.0",
        }
    ]
    manifest["notes"] = ["the first error: http://10.0.0.5:8000 said no", "a note"]
    manifest["selection"] = {"items": {"file": "/home/me/items.csv", "count": 2}}
    public = public_manifest(manifest)
    assert public["sessions"] == [{"begun": "2026-01-01T00:00:00Z", "rmeval": "0.1.0"}]
    assert public["notes"] == ["a note"]
    assert public["selection"]["items"] == {"file": "items.csv", "count": 2}


def test_runs_that_are_not_finished_or_publishable_are_refused(
    scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rmeval.push.run_files as module

    found = open_run(scored)
    for result, reason in (
        (replace(found, manifest={**found.manifest, "status": "running"}), "is not complete"),
        (replace(found, records=()), "has no numbers"),
        (replace(found, judging=Judging((), (Failed("no_verdict", 1, 2, {}),), ())), "is not publishable"),
    ):
        monkeypatch.setattr(module, "open_run", lambda *_, result=result: result)
        with pytest.raises(RunError, match=reason):
            runs_to_share(scored)
    monkeypatch.undo()
    with pytest.raises(RunError, match="there is no run"):
        runs_to_share(tmp_path)


def test_a_run_that_is_named_twice_is_shared_once(scored: Path) -> None:
    assert len(runs_to_share([scored, scored.parent, scored.parents[2]])) == 1


def test_names_of_folders_are_safe(scored: Path) -> None:
    (run,) = runs_to_share(scored)
    for name, part in (("../../etc", "etc"), ("a/b c\x1b", "a-b-c-"), ("...", "model"), ("x" * 300, "x" * 96)):
        model = {"name": name, "kind": "plugin"}
        assert replace(run, manifest={**run.manifest, "model": model}).name == f"rm-bench/{part}/{run.id}"
