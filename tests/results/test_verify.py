"""Bundles and their verification, against accidents and against submitters who recompute every checksum."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.results.bundle import BUNDLE, bundle_run, opened_bundle
from rmeval.results.checks import State
from rmeval.results.verify import verify_run
from rmeval.store.journal import read_journal
from rmeval.types import Observation
from tests.command import command
from tests.forger import Fields, Forger, Rows, failing

SIZE = 24


@pytest.fixture
def forger(bundle: Path, tmp_path: Path) -> Forger:
    return Forger(bundle, tmp_path)


def test_a_bundle_of_a_run_holds(bundle: Path, random_run: Path) -> None:
    found = verify_run(bundle)
    assert found.holds
    assert {check.name: check.state for check in found.checks if check.state is not State.HOLDS} == {
        "model": State.UNKNOWN
    }
    assert (found.model, found.benchmark, found.run) == ("baseline:random", "rm-bench-synthetic", random_run.name)
    assert found.result is not None
    assert found.result.records == rmeval.open_run(random_run).records
    of_folder = verify_run(random_run)
    assert of_folder.holds
    assert "scores" in {check.name for check in of_folder.checks}


def test_the_forger_alone_changes_nothing_that_counts(forger: Forger) -> None:
    assert verify_run(forger.submit()).holds


# A change without new checksums.


@pytest.mark.parametrize("name", ["run.json", "items.parquet", "metrics.json", "journal/0001.jsonl", BUNDLE])
def test_a_changed_byte_is_found(bundle: Path, tmp_path: Path, name: str) -> None:
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(bundle) as source, zipfile.ZipFile(forged, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename == name:
                place = len(data) // 2 if name != BUNDLE else data.index(b'"items.parquet": "') + 20
                data = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            target.writestr(entry.filename, data)
    assert not verify_run(forged).holds


@pytest.mark.parametrize("name", ["run.json", "items.parquet", "metrics.json", "scores.parquet", "journal/0001.jsonl"])
def test_a_changed_byte_of_a_run_folder_is_found(random_run: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(random_run, tmp_path / random_run.name)
    file = tmp_path / random_run.name / name
    data = file.read_bytes()
    place = len(data) // 2
    file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    assert not verify_run(tmp_path / random_run.name).holds


# The same with all checksums, digests and numbers computed again.


def test_a_changed_score(forger: Forger, bundle: Path) -> None:
    """Numbers that were not computed again; a score that was invented with its numbers cannot be found here."""
    with zipfile.ZipFile(bundle) as archive:
        stated = json.loads(archive.read("metrics.json"))
    first = next(iter(read_journal(forger.folder / "journal")))[0].key

    def better(seen: Observation) -> Observation:
        return replace(seen, values={"score": 99.0}) if seen.key == first else seen

    forger.journal(better)

    def keep(fields: Fields) -> None:
        fields["records"] = stated["records"]

    assert "numbers" in failing(verify_run(forger.submit(keep)))


def test_a_changed_score_of_a_null_baseline(tmp_path: Path) -> None:
    run = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=tmp_path, size=SIZE).path
    bundle_run(run, tmp_path / "b.zip")
    forger = Forger(tmp_path / "b.zip", tmp_path)
    forger.journal(lambda seen: replace(seen, values={"score": -float(str(seen.values["score"]))}))
    assert failing(verify_run(forger.submit())) == {"model"}


def exchange_gold(rows: Rows) -> Rows:
    for response in rows[0]["responses"]:
        response["gold"] = 1.0 - response["gold"]
    for one in rows[0]["comparisons"]:
        one["gold"] = 1 - one["gold"]
    return rows


def test_a_changed_gold(forger: Forger) -> None:
    forger.items(exchange_gold)
    assert failing(verify_run(forger.submit())) == {"gold"}


def test_a_removed_item(forger: Forger) -> None:
    forger.items(lambda rows: rows[1:])
    assert failing(verify_run(forger.submit())) == {"items", "benchmark"}


def test_a_removed_item_with_a_new_identity(forger: Forger) -> None:
    forger.items(lambda rows: rows[1:], contents=True)
    assert failing(verify_run(forger.submit())) == {"benchmark"}


def test_a_removed_item_that_is_declared_as_a_selection(forger: Forger) -> None:
    forger.items(lambda rows: rows[1:])

    def select(manifest: Any) -> None:
        manifest["selection"]["limit"] = SIZE - 1

    forger.manifest(select)
    found = verify_run(forger.submit())
    assert not found.complete
    states = {check.name: check for check in found.checks}
    assert states["items"].state is State.UNKNOWN
    assert "the first 23 items" in states["items"].detail
    assert states["benchmark"].state is State.HOLDS


def test_an_item_in_another_problem(forger: Forger) -> None:
    def moved(rows: Rows) -> Rows:
        rows[0]["cluster"] = "a problem of its own"
        return rows

    forger.items(moved)
    assert failing(verify_run(forger.submit())) == {"benchmark"}


def test_lengths_that_weaken_a_null_baseline(forger: Forger) -> None:
    def shorter(rows: Rows) -> Rows:
        for response in rows[0]["responses"]:
            response["characters"] = 1
        return rows

    forger.items(shorter)
    assert failing(verify_run(forger.submit())) == {"benchmark"}


def test_swapped_models(forger: Forger, bundle: Path, tmp_path: Path) -> None:
    """The name of another model; with its identity too, the run is another one, whose journal does not belong to it."""
    forger.manifest(lambda manifest: manifest["model"].update(name="baseline:longest"))
    assert failing(verify_run(forger.submit())) == {"model"}
    other = Forger(bundle, tmp_path / "other")
    other.manifest(lambda manifest: manifest["identity"].update(model="hub:one/weak@0123456789ab"))
    other.manifest(lambda manifest: manifest["model"].update(name="two/strong", kind="classifier"))
    found = verify_run(other.submit())
    assert failing(found) == {"model"}
    assert any("the identity is that of one/weak" in check.detail for check in found.checks)


def test_swapped_journals(bundle: Path, tmp_path: Path) -> None:
    """The scores of another run of the same items, moved under this run's identity as they are."""
    other = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=tmp_path / "runs", size=SIZE).path
    with opened_bundle(bundle) as opened:
        shutil.copytree(opened.folder, tmp_path / opened.folder.name)
        folder = tmp_path / opened.folder.name
    shutil.copy(other / "journal" / "0001.jsonl", folder / "journal" / "0001.jsonl")
    found = verify_run(folder)
    assert failing(found) == {"files"}
    assert "belongs to another run" in found.checks[0].detail


def test_a_changed_formula_version(forger: Forger) -> None:
    def newer(fields: Fields) -> None:
        for record in fields["records"]:
            record["formula"] = "rm-bench/accuracy@2"

    found = verify_run(forger.submit(newer))
    assert failing(found) == {"versions", "numbers"}


def test_a_changed_rule(forger: Forger) -> None:
    def other(fields: Fields) -> None:
        for record in fields["records"]:
            record["rule"] = "half-ties@1"

    assert failing(verify_run(forger.submit(other))) == {"versions", "numbers"}


def change_value(fields: Fields) -> None:
    fields["records"][0]["value"] += 1e-9


def change_null(fields: Fields) -> None:
    fields["records"][0]["null"]["longest"] -= 0.01


def drop_record(fields: Fields) -> None:
    del fields["records"][0]


def repeat_record(fields: Fields) -> None:
    fields["records"].append(dict(fields["records"][0], value=1.0))


def narrow(fields: Fields) -> None:
    record = next(one for one in fields["records"] if one["ci"])
    record["ci"] = [record["value"] - 0.001, record["value"] + 0.001]


def hide_note(fields: Fields) -> None:
    fields["notes"] = ["all is well"]


def no_numbers(fields: Fields) -> None:
    fields["records"] = "none"


@pytest.mark.parametrize(
    "change", [change_value, change_null, drop_record, repeat_record, narrow, hide_note, no_numbers]
)
def test_an_edited_metrics_file(forger: Forger, change: Callable[[Fields], None]) -> None:
    assert failing(verify_run(forger.submit(change))) == {"numbers"}


def test_another_name_of_the_run(forger: Forger) -> None:
    file = forger.submit()
    forger.file = file

    def rename(archive: Fields) -> None:
        archive["model"]["name"] = "two/strong"

    _edit_description(file, rename)
    assert failing(verify_run(file)) == {"identity"}


def _edit_description(file: Path, change: Callable[[Fields], None]) -> None:
    with zipfile.ZipFile(file) as source:
        held = {entry.filename: source.read(entry) for entry in source.infolist()}
    fields = json.loads(held[BUNDLE])
    change(fields)
    held[BUNDLE] = json.dumps(fields).encode()
    with zipfile.ZipFile(file, "w") as target:
        for name, data in held.items():
            target.writestr(name, data)


def test_other_problems_in_a_selection_of_all_items(forger: Forger) -> None:
    """A declared selection excuses lacking items, and nothing else."""
    forger.manifest(lambda manifest: manifest["selection"].update(limit=SIZE))

    def alone(rows: Rows) -> Rows:
        return [{**row, "cluster": row["id"]} for row in rows]

    forger.items(alone)
    assert failing(verify_run(forger.submit())) == {"benchmark"}


def test_labels_and_lengths_of_a_selection(forger: Forger) -> None:
    """The items of a selection are compared with the same items of the benchmark, where that is available."""
    forger.manifest(lambda manifest: manifest["selection"].update(limit=SIZE - 1))
    forger.items(lambda rows: rows[1:])
    honest = {check.name: check for check in verify_run(forger.submit()).checks}
    assert honest["benchmark"].state is honest["gold"].state is State.HOLDS
    assert honest["items"].state is State.UNKNOWN
    forger.items(exchange_gold)
    assert failing(verify_run(forger.submit())) == {"gold"}


@pytest.mark.parametrize("chosen", [{"cells": ["hard"]}, {"n_items": 20, "seed": 3}, {"subsets": ["chat"]}])
def test_an_honest_selection_holds(tmp_path: Path, chosen: dict[str, Any]) -> None:
    run = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=tmp_path, size=64, **chosen).path
    found = verify_run(run)
    assert found.holds, found.checks
    assert found.complete == ("cells" in chosen)


def test_honest_cells_of_a_benchmark_with_digests(shared: Path, tmp_path: Path) -> None:
    data = str(shared / "data" / "rm-bench")
    run = rmeval.evaluate("baseline:longest", "rm-bench", data, out=tmp_path, cells=["hard"]).path
    states = {check.name: check.state for check in verify_run(run).checks}
    assert (states["benchmark"], states["gold"]) == (State.HOLDS, State.UNKNOWN)
    assert verify_run(run, data=data).complete


def test_a_card_of_ones_own_under_a_known_id(forger: Forger) -> None:
    counts = {"chat": 6, "math": 6, "code": 6, "safety-response": 3, "safety-refuse": 3}
    words = dict.fromkeys(("title", "measures", "licence", "items"), "x")

    def own(manifest: Any) -> None:
        card = {"version": 1, "id": "rm-bench-synthetic", "counts": counts, **words}
        manifest["benchmark"].update(spec="built", data="x", options={"card": card})

    forger.manifest(own)
    assert failing(verify_run(forger.submit())) == {"benchmark"}


def test_two_scores_of_a_request(forger: Forger) -> None:
    (batch, *_) = read_journal(forger.folder / "journal")
    first = batch[0]
    other = replace(first, values={"score": 9.0})
    failed = replace(first, status="error", values={}, error="the server was busy")
    forger.add_to_journal([failed, first])
    assert verify_run(forger.submit()).holds, "an error is scored again"
    forger.add_to_journal([other])
    assert failing(verify_run(forger.submit())) == {"journal"}


@pytest.mark.parametrize("fact", ["items", "gold", "contents", "revision"])
def test_facts_of_a_bundle_that_do_not_follow_from_its_files(forger: Forger, fact: str) -> None:
    file = forger.submit()
    _edit_description(file, lambda fields: fields["benchmark"].update({fact: "another"}))
    assert failing(verify_run(file)) == {"identity"}


@pytest.mark.parametrize("name", ["protocol", "formulas", "rules", "value"])
def test_words_of_a_bundle_that_do_not_follow_from_its_files(forger: Forger, name: str) -> None:
    file = forger.submit()
    _edit_description(file, lambda fields: fields.update({name: []}))
    assert "identity" in failing(verify_run(file))


def test_numbers_of_another_version(forger: Forger) -> None:
    """What cannot be computed again is said to be unchecked; another version excuses no number."""

    def older(fields: Fields) -> None:
        fields.update(notes=["all is well"], intervals=0)

    file = forger.submit(older)
    assert failing(verify_run(file)) == {"numbers", "intervals"}, "this version writes other notes and intervals"
    _edit_description(file, lambda fields: fields.update(rmeval="0.0.1"))
    found = verify_run(file)
    assert found.holds
    assert {check.name for check in found.checks if check.state is State.UNKNOWN} == {"model", "notes", "intervals"}


def test_a_model_without_a_commit(forger: Forger) -> None:
    forger.manifest(lambda manifest: manifest["identity"].update(model="hub:two/strong"))
    forger.manifest(lambda manifest: manifest["model"].update(name="two/strong", kind="classifier"))
    checks = {check.name: check for check in verify_run(forger.submit()).checks}
    assert checks["model"].state is State.UNKNOWN


@pytest.mark.parametrize("named", ["benchmark", "protocol"])
def test_code_that_a_bundle_names_does_not_run(forger: Forger, tmp_path: Path, named: str) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    spec = f"{tmp_path / 'evil.py'}:Evil"
    forger.submit()

    def name_code(manifest: Any) -> None:
        (manifest["benchmark"] if named == "benchmark" else manifest).update({"spec": spec, "protocol": spec})

    forger.manifest(name_code)
    found = verify_run(forger.folder)
    assert failing(found) == {"files"}
    assert f"if you trust that file, give `{named}`" in found.checks[0].detail
    assert not (tmp_path / "ran").exists()


def test_the_command_line(bundle: Path, random_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(capsys, "bundle", random_run.parent, "-o", tmp_path / "out").code == 0
    (made,) = (tmp_path / "out").iterdir()
    assert made.read_bytes() == bundle.read_bytes()
    again = command(capsys, "bundle", random_run, "-o", tmp_path / "out")
    assert again.code == 2
    assert "replace it with --overwrite" in again.err
    found = command(capsys, "verify", tmp_path / "out")
    assert found.code == 0
    assert "verified, except for what is not checked" in found.out
    assert command(capsys, "verify", tmp_path / "nothing.zip").code == 2
    (tmp_path / "out" / "bad.rmeval.zip").write_bytes(b"")
    bad = command(capsys, "verify", tmp_path / "out", "--json")
    assert bad.code == 1
    assert [one["holds"] for one in json.loads(bad.out)] == [False, True]
