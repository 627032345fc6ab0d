"""Bundles: what is in them, and what is refused when one is opened."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import rmeval
from rmeval.errors import RunError
from rmeval.results.bundle import bundle_name, bundle_run, bundles_in, opened_bundle
from rmeval.results.bundled_items import refuse_large_items
from rmeval.results.checks import State
from rmeval.results.verify import verify_run
from rmeval.store.items import reading_items
from rmeval.store.journal import Journal
from rmeval.store.manifest import read_manifest, write_json
from rmeval.types import Observation
from tests.command import command
from tests.forger import Forger, failing
from tests.samples import pair_rows


def test_the_same_run_gives_the_same_bytes(bundle: Path, random_run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    bundle_run(random_run, again)
    assert again.read_bytes() == bundle.read_bytes()


def test_a_bundle_has_no_texts_hosts_and_paths(bundle: Path, random_run: Path) -> None:
    with reading_items(random_run / "items.parquet") as table:
        row = table.read().to_pylist()[0]
    prompt, response = row["prompt"][0]["content"].encode(), row["responses"][0]["text"].encode()
    host = read_manifest(random_run)["sessions"][0]["host"].encode()
    with opened_bundle(bundle) as opened:
        with reading_items(opened.folder / "items.parquet") as table:
            bare = table.read().to_pylist()[0]
        assert bare["prompt"] is None
        assert {one["text"] for one in bare["responses"]} == {None}
        held = b"".join(path.read_bytes() for path in sorted(opened.folder.rglob("*")) if path.is_file())
    assert prompt not in held
    assert response not in held
    assert b'"host"' not in held
    assert str(random_run.parent).encode() not in held
    assert host not in held or len(host) < 4


def test_paths_of_data_and_error_messages_stay_out(tmp_path: Path) -> None:
    data = tmp_path / "private place" / "pairs.jsonl"
    data.parent.mkdir()
    data.write_text("".join(json.dumps(row) + "\n" for row in pair_rows(12)))
    run = rmeval.evaluate("baseline:longest", "pairs", str(data), out=tmp_path / "runs").path
    with Journal(run / "journal", run.name) as journal:
        journal.append([Observation("0" * 32, "error", error="GET http://10.0.0.7 of a private text")])
    bundle_run(run, tmp_path / "b.zip")
    with opened_bundle(tmp_path / "b.zip") as opened:
        held = b"".join(path.read_bytes() for path in opened.folder.rglob("*") if path.is_file())
        assert read_manifest(opened.folder)["benchmark"]["data"] == "pairs.jsonl"
    assert b"private" not in held
    found = verify_run(tmp_path / "b.zip")
    assert found.holds
    assert [check.name for check in found.checks if check.state is State.UNKNOWN] == ["benchmark", "gold"]
    assert verify_run(tmp_path / "b.zip", data=str(data)).complete
    changed = pair_rows(12)
    changed[3]["chosen"], changed[3]["rejected"] = changed[3]["rejected"], changed[3]["chosen"]
    data.write_text("".join(json.dumps(row) + "\n" for row in changed))
    assert failing(verify_run(tmp_path / "b.zip", data=str(data))) == {"gold"}


def test_an_unfinished_run_has_no_bundle(random_run: Path, tmp_path: Path) -> None:
    shutil.copytree(random_run, tmp_path / "run")
    manifest = read_manifest(tmp_path / "run")
    manifest["status"] = "running"
    write_json(tmp_path / "run" / "run.json", manifest)
    with pytest.raises(RunError, match="is unfinished: run its command again"):
        bundle_run(tmp_path / "run", tmp_path / "b.zip")


# Files that are no bundles, or dangerous ones.


def entries(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as source:
        return {entry.filename: source.read(entry) for entry in source.infolist()}


def hostile(bundle: Path) -> Iterator[tuple[str, list[tuple[zipfile.ZipInfo, bytes]], str]]:
    own = [(zipfile.ZipInfo(name), data) for name, data in entries(bundle).items()]
    for name in ("../evil", "/etc/evil", "journal/0002.jsonl", "C:\\evil", "code.py"):
        yield name, [*own, (zipfile.ZipInfo(name), b"x")], "not part of a bundle"
    link = zipfile.ZipInfo("run.json")
    link.external_attr = 0o120777 << 16
    yield "link", [(link if info.filename == "run.json" else info, data) for info, data in own], "link"
    yield "twice", [*own, (zipfile.ZipInfo("run.json"), b"{}")], "twice"
    yield "missing", own[1:], "lacks bundle.json"
    yield "json", [(own[0][0], b"[" * 100_000), *own[1:]], "cannot be read"
    yield "empty", [(own[0][0], b"{}"), *own[1:]], "cannot be read"


@pytest.mark.parametrize("number", range(10))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_file_is_refused_in_a_sentence(bundle: Path, tmp_path: Path, number: int) -> None:
    name, held, why = list(hostile(bundle))[number]
    file = tmp_path / "hostile.zip"
    with zipfile.ZipFile(file, "w") as target:
        for info, data in held:
            target.writestr(info, data)
    found = verify_run(file)
    assert failing(found) == {"files"}, name
    assert why in found.checks[0].detail
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hostile.zip"]


def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMEVAL_MAX_BUNDLE_BYTES", "2000000")
    file = tmp_path / "bomb.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in entries(bundle).items():
            target.writestr(name, b"\0" * 30_000_000 if name == "items.parquet" else data)
    assert file.stat().st_size < 200_000
    assert "more than 2,000,000 bytes when unpacked" in verify_run(file).checks[0].detail


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip file" * 100])
def test_what_is_no_zip_file(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x.zip"
    file.write_bytes(data)
    assert "is not a bundle or is damaged" in verify_run(file).checks[0].detail


def test_a_long_text_that_many_rows_share_is_refused(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parquet states a text once, however many rows have it."""
    forger = Forger(bundle, tmp_path)
    forger.items(lambda rows: [{**row, "group": "x" * 100_000} for row in rows])
    file = forger.folder / "items.parquet"
    assert file.stat().st_size < 100_000
    refuse_large_items(file)
    monkeypatch.setenv("RMEVAL_MAX_BUNDLE_BYTES", "2000000")
    with pytest.raises(RunError, match="would take more than 2,000,000 bytes"):
        refuse_large_items(file)


def test_bundles_of_a_folder_may_have_any_name(bundle: Path, random_run: Path, tmp_path: Path) -> None:
    for name in ("mine.zip", "theirs.rmeval.zip"):
        (tmp_path / name).write_bytes(bundle.read_bytes())
    (tmp_path / "notes.txt").write_text("not one")
    assert [path.name for path in bundles_in(tmp_path)] == ["mine.zip", "theirs.rmeval.zip"]


def test_nothing_is_written_if_one_file_exists(
    bundle: Path, random_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", out=tmp_path / "runs", size=16).path
    there = tmp_path / "out" / bundle_name(read_manifest(random_run))
    there.parent.mkdir()
    there.write_bytes(b"")
    found = command(capsys, "bundle", other, random_run, "-o", there.parent)
    assert (found.code, f"{there} exists" in found.err, [*there.parent.iterdir()]) == (2, True, [there])
