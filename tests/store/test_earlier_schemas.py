"""Run folders that earlier versions wrote: `folders/schema-N` holds one or more that version N's own code made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import rmeval
from rmeval.data.observations import STATUSES
from rmeval.results.result import derive
from rmeval.store.journal import read_journal
from rmeval.store.manifest import SCHEMA
from rmeval.store.run import read_run, read_scored

FOLDERS = Path(__file__).parent / "folders"


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A run of one folder of schema 1: failures of three kinds, inputs that were cut, and lists in the journal."""
    shutil.copytree(FOLDERS / "schema-1" / "mixed", tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    return folder


def test_there_is_a_folder_of_every_schema() -> None:
    assert {f"schema-{number}" for number in range(1, SCHEMA)} <= {path.name for path in FOLDERS.iterdir()}


@pytest.mark.parametrize("name", ["mixed", "Longer"])
def test_the_numbers_are_those_that_were_written(name: str, tmp_path: Path) -> None:
    shutil.copytree(FOLDERS / "schema-1" / name, tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    stored = json.loads((folder / "metrics.json").read_text())
    # The folder's intervals are those of an earlier version, so that all numbers are computed again.
    shown = rmeval.open_run(folder)
    assert shown.records == derive(folder).records
    values = {(r.variant, r.metric, r.scope): r.to_dict()["value"] for r in shown.records}
    assert len(stored["records"]) > 2
    for one in stored["records"]:
        assert values[one["variant"], one["metric"], one["scope"]] == one["value"]
    assert len(stored["notes"]) <= len(shown.notes)  # Their wording may change.


def test_an_input_that_was_cut_is_a_flag_and_no_status(mixed: Path) -> None:
    lines = [json.loads(line) for path in (mixed / "journal").iterdir() for line in path.read_text().splitlines()]
    cut = {line["key"] for line in lines if line["status"] == "truncated"}
    seen = {one.key: one for batch in read_journal(mixed / "journal") for one in batch}
    assert len(cut) == 4
    assert {key for key, one in seen.items() if one.input_truncated} == cut
    assert all(seen[key].status == "ok" and seen[key].values for key in cut)
    for run in (read_run(mixed), read_scored(mixed)):
        truncated = run.observations.input_truncated
        assert truncated is not None
        assert truncated.sum() == 4
        status = [STATUSES[code] for code in run.observations.status]
        assert sorted(set(status)) == ["error", "ok", "overlength", "unparsed"]
        assert np.isfinite(run.observations.values["score"][truncated]).all()


def test_a_run_of_an_earlier_schema_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests have the keys that they had: nothing is asked again but what failed."""
    monkeypatch.chdir(tmp_path)
    asked = []

    class Mixed:
        name, kind, protocol = "mixed", "testing", "pointwise@1"

        def identity(self):  # type: ignore[no-untyped-def]
            return {"model": "mixed@1"}

        def facts(self):  # type: ignore[no-untyped-def]
            return {}

        def observe(self, requests):  # type: ignore[no-untyped-def]
            for request in requests:
                asked.append(request.key)
                yield [rmeval.Observation(request.key, values={"score": 1.0, "margin": -1.0, "steps": (1.0,)})]

    shutil.copytree(FOLDERS / "schema-1" / "mixed", tmp_path / "runs" / "pairs" / "mixed")
    (folder,) = (tmp_path / "runs" / "pairs" / "mixed").iterdir()
    errors = [one.key for batch in read_journal(folder / "journal") for one in batch if one.status == "error"]
    places = ("Aro", "Bel", "Cor", "Dun", "Eri", "Fay")
    rows = [
        {
            "prompt": f"What is the capital of land {n}?",
            "chosen": f"It is {places[n % 6]}." + " Truly." * (n % 3),
            "rejected": f"It may be {places[(n + 5) % 6]} or not.",
            "subset": "even" if n % 2 == 0 else "odd",
        }
        for n in range(12)
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = rmeval.evaluate(Mixed(), "pairs", "pairs.jsonl", out=tmp_path / "runs")
    assert result.path.name == folder.name
    assert asked == errors
    assert result.manifest["schema"] == SCHEMA
