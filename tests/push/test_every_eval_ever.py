"""Files of every-eval-ever; its own schema and validator check them in tests/integration/test_trackers.py."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rmeval.errors import RmevalError
from rmeval.push import SharedRun, every_eval_ever_files, runs_to_share, write_files
from rmeval.results import open_run

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture
def run(scored: Path) -> SharedRun:
    return runs_to_share(scored)[0]


def log_of(run: SharedRun, **options: Any) -> dict[str, Any]:
    (content,) = every_eval_ever_files([run], **options).values()
    found = json.loads(content)
    assert isinstance(found, dict)
    return found


def test_a_file_has_the_numbers_of_the_run(scored: Path, run: SharedRun) -> None:
    log = log_of(run, evaluator="The lab", relationship="third_party")
    assert log["schema_version"] == "0.3.0"
    assert log["evaluation_id"].startswith(f"rm-bench.{scored.name}/unknown_Overlap/")
    source = log["source_metadata"]
    assert (source["source_organization_name"], source["evaluator_relationship"]) == ("The lab", "third_party")
    found = {(one["evaluation_name"], one["metric_config"]["metric_name"]): one for one in log["evaluation_results"]}
    assert len(found) == len(log["evaluation_results"])
    result, one = open_run(scored), found["rm-bench.chat", "hard"]
    record = result.record("hard", "chat")
    assert record.ci is not None
    assert one["score_details"]["score"] == record.value
    interval = one["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"], interval["confidence_level"]) == (*record.ci, 0.95)
    assert json.loads(one["score_details"]["details"]["null_baselines"]) == dict(record.null)
    assert one["source_data"]["hf_repo"] == "THU-KEG/RM-Bench"
    assert one["metric_config"]["metric_id"] == "rm-bench.hard"


def test_bounds_contain_every_score(run: SharedRun) -> None:
    for one in log_of(run)["evaluation_results"]:
        bounds, score = one["metric_config"], one["score_details"]["score"]
        assert bounds["min_score"] <= score <= bounds["max_score"]
        assert bounds["min_score"] == (-1 if "gap" in bounds["metric_name"] else 0)


def test_all_details_are_text(run: SharedRun) -> None:
    def details(value: Any, name: str = "") -> list[Any]:
        if isinstance(value, dict):
            own = list(value.values()) if name in ("details", "additional_details") else []
            return own + [each for key, one in value.items() for each in details(one, key)]
        return [each for one in value for each in details(one)] if isinstance(value, list) else []

    found = details(log_of(run))
    assert found
    assert all(isinstance(one, str) for one in found)


def test_a_model_of_the_hub_is_named_with_its_owner(run: SharedRun) -> None:
    identity = {**run.manifest["identity"], "model": "hub:owner/model@0123456789", "engine": "hf"}
    own = replace(run, manifest={**run.manifest, "identity": identity})
    ((path, content),) = every_eval_ever_files([own]).items()
    assert re.fullmatch(rf"data/rm-bench/owner/model/{UUID4}\.json", path)
    info = json.loads(content)["model_info"]
    assert (info["id"], info["developer"], info["inference_engine"]["name"]) == ("owner/model", "owner", "hf")
    assert info["additional_details"]["model_availability"] == "open_weights"
    assert info["additional_details"]["model_revision"] == "0123456789"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/../b", "CON", "nul.txt", "data", "a:b*c?", "x\x00\x1b", " .", "", "\\\\host\\x"]
)
def test_a_path_stays_in_the_folder_on_every_system(run: SharedRun, name: str) -> None:
    manifest = {**run.manifest, "model": {"name": name, "kind": "plugin"}}
    (path,) = every_eval_ever_files([replace(run, manifest=manifest)])
    parts = path.split("/")
    assert len(parts) == 5
    for part in parts[1:4]:
        assert not re.search(r'[<>:"\\|?*\x00-\x1f]', part)
        assert part not in ("", ".", "..", "data")
        assert part.partition(".")[0].upper() not in ("CON", "NUL")


def test_the_same_run_again_writes_nothing(run: SharedRun, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    files = every_eval_ever_files([run])
    assert write_files(files, out).done == "1 of 1 files written"
    (file,) = out.rglob("*.json")
    stamp = file.stat().st_ino
    assert write_files(every_eval_ever_files([run]), out).done.startswith("no change")
    assert [(one, one.stat().st_ino) for one in out.rglob("*.json")] == [(file, stamp)]
    assert write_files(every_eval_ever_files([run], evaluator="me"), out).done == "1 of 1 files written"
    assert list(out.rglob("*.json")) == [file]


def test_a_file_in_place_of_the_folder(run: SharedRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RmevalError, match="is a file: give a folder"):
        write_files(every_eval_ever_files([run]), tmp_path / "file")
    (tmp_path / "data").write_text("")
    with pytest.raises(RmevalError, match="cannot be written"):
        write_files(every_eval_ever_files([run]), tmp_path)


def test_a_run_without_sessions_has_a_file(run: SharedRun) -> None:
    log = log_of(replace(run, manifest={**run.manifest, "sessions": []}))
    assert log["evaluation_timestamp"] == "0"
    begun = log_of(replace(run, manifest={**run.manifest, "sessions": [{"begun": "2026-01-02T03:04:05Z"}]}))
    assert begun["evaluation_timestamp"] == "1767323045"
