"""Run folders whose files are damaged, replaced or unexpected: no other number, no traceback."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rmeval
from rmeval.errors import DamagedError, RunError
from rmeval.store.journal import Journal, read_journal
from rmeval.store.manifest import read_json, read_manifest, run_id, write_json
from rmeval.store.run import read_run
from tests.samples import pair_rows

FILES = ("run.json", "items.parquet", "scores.parquet", "metrics.json", "journal/0001.jsonl")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two runs on the same items."""
    base = tmp_path_factory.mktemp("damage")
    rows = [
        {"id": f"i{n}", "prompt": f"q{n}", "chosen": "a" * (2 + n % 5), "rejected": "b" * (1 + n % 3)} for n in range(9)
    ]
    (base / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    longest, shortest = (
        rmeval.evaluate(f"baseline:{name}", "pairs", base / "pairs.jsonl", out=base / "runs").path
        for name in ("longest", "shortest")
    )
    return longest, shortest


@pytest.fixture
def folder(runs: tuple[Path, Path], tmp_path: Path) -> Path:
    return shutil.copytree(runs[0], tmp_path / "run")


def numbers(folder: Path, other: Path) -> list[Any] | None:
    """What show, analyze and compare say; None for each that refuses."""
    found: list[Any] = []
    calls: list[Callable[[], Any]] = [
        lambda: [record.to_dict() for record in rmeval.open_run(folder).records],
        lambda: {name: value for name, value in rmeval.analyze(folder).to_dict().items() if name != "path"},
        lambda: [
            (entry.name, [record.to_dict() for record in entry.records.values()])
            for entry in rmeval.compare([folder, other])[0].entries
        ],
    ]
    for call in calls:
        try:
            found.append(call())
        except RunError:
            found.append(None)
    return found


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.slow
def test_flipped_bits_change_no_number(file: str, alone: bool, folder: Path, runs: tuple[Path, Path]) -> None:
    if alone:
        for derived in {"metrics.json", "scores.parquet"} - {file}:
            (folder / derived).unlink()
    sound = numbers(folder, runs[1])
    data = (folder / file).read_bytes()
    chance = random.Random(5)
    for _ in range(10):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        (folder / file).write_bytes(bytes(damaged))
        for found, wanted in zip(numbers(folder, runs[1]) or [], sound or [], strict=True):
            assert found in (None, wanted)


@pytest.mark.parametrize("file", FILES)
def test_files_of_another_run_are_noticed(
    file: str, folder: Path, runs: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    sound = numbers(folder, runs[1]) or []
    shutil.copy(runs[1] / file, folder / file)
    for found, wanted in zip(numbers(folder, runs[1]) or [], sound, strict=True):
        assert found in (None, wanted)
    if file == "metrics.json":
        assert "computing the numbers again from the journal" in caplog.text
    for derived in ("metrics.json", "scores.parquet"):
        (folder / derived).unlink()
    if file not in ("metrics.json", "scores.parquet"):
        with pytest.raises(RunError, match="belongs to"):
            rmeval.open_run(folder)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("what", ["missing", "folder", "pipe", "loop", "empty", "cut"])
def test_what_lies_in_a_files_place(what: str, file: str, folder: Path, runs: tuple[Path, Path]) -> None:
    sound = numbers(folder, runs[1]) or []
    path = folder / file
    data = path.read_bytes()
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "loop":
        path.symlink_to(path.name)
    elif what != "missing":
        path.write_bytes(data[: len(data) // 2 if what == "cut" else 0])
    for found, wanted in zip(numbers(folder, runs[1]) or [], sound, strict=True):
        assert found in (None, wanted)
    if file in ("metrics.json", "scores.parquet"):
        assert numbers(folder, runs[1]) == sound


def test_numbers_that_do_not_match_their_checksum_are_computed_anew(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sound = rmeval.open_run(folder).records
    file = folder / "metrics.json"
    file.write_text(
        file.read_text().replace('"value": 0.', '"value": 0.1', 1).replace('"value": 1.0', '"value": 0.5', 1)
    )
    assert rmeval.open_run(folder).records == sound
    assert "metrics.json is damaged (its checksum does not match its contents)" in caplog.text
    stored = json.loads(file.read_text())
    changes: list[dict[str, Any]] = [
        {"records": [5]},
        {"records": {}},
        {"notes": [[]]},
        {"same_tokens": "x"},
        {"schema": None},
    ]
    for change in changes:
        file.write_text(json.dumps(stored | {"sha256": None} | change))
        assert rmeval.open_run(folder).records == sound
    file.write_text("[" * 100_000)
    assert rmeval.open_run(folder).records == sound


WRONG: list[tuple[str, Any]] = [
    ("status", "done"),
    ("protocol", ["pointwise@1"]),
    ("identity", []),
    ("model", {"name": 5, "kind": "x"}),
    ("benchmark", "pairs"),
    ("benchmark", {"id": "pairs", "spec": "pairs", "data": 5}),
    ("benchmark", {"id": "pairs", "spec": "pairs", "data": None, "options": [1]}),
    ("notes", [5]),
    ("sessions", [5]),
    ("sessions", [{"double_bos": "2"}]),
    ("sessions", [{"torch": []}]),
    ("selection", {"subsets": [5]}),
    ("schema", "1"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_types_in_a_manifest_are_named(name: str, value: Any, folder: Path) -> None:
    manifest = read_json(folder / "run.json")
    (folder / "run.json").write_text(json.dumps(manifest | {name: value}))
    with pytest.raises(DamagedError, match=rf"run\.json is damaged \(check .*{name}.*restore it from a copy"):
        read_manifest(folder)


def test_options_that_no_benchmark_takes(folder: Path) -> None:
    manifest = read_json(folder / "run.json")
    manifest["benchmark"]["options"] = {"data": "x"}
    (folder / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=r"run\.json is damaged \(benchmark\.options"):
        read_run(folder)


LINES: list[Callable[[dict[str, Any]], Any]] = [
    lambda line: line.update(unknown=1),
    lambda line: line.pop("left"),
    lambda line: line.update(left=-1),
    lambda line: line.update(left=7),
    lambda line: line.update(left="0"),
    lambda line: line.update(values={"score": "1"}),
    lambda line: line.update(values={"score": float("nan")}),
    lambda line: line.update(values=[1]),
    lambda line: line.update(values={}),
    lambda line: line.update(key="ab"),
    lambda line: line.update(key=5),
    lambda line: line.update(status="fine"),
    lambda line: line.update(usage={"tokens": 10**30}),
    lambda line: line.update(sequence="xyz"),
]


@pytest.mark.parametrize("change", LINES)
def test_journal_lines_of_another_program(change: Callable[[dict[str, Any]], Any], folder: Path) -> None:
    """Their checksums are right, and their fields are not."""
    file = folder / "journal" / "0001.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    line = json.loads(lines[2])
    del line["crc"]
    change(line)
    body = json.dumps(line).encode()[:-1]
    lines[2] = b'%s,"crc":"%08x"}\n' % (body, zlib.crc32(body))
    file.write_bytes(b"".join(lines))
    with pytest.raises(RunError, match=r"is damaged|is not an observation of a request|lacks"):
        read_run(folder)


def test_folders_of_earlier_versions_are_read(folder: Path, runs: tuple[Path, Path]) -> None:
    """Without checksums and names of runs; with earlier names of fields, and names of items that are no UTF-8."""
    import pyarrow.parquet as pq

    sound = numbers(folder, runs[1])
    for name in ("run.json", "metrics.json"):
        value = {key: inner for key, inner in read_json(folder / name).items() if key != "run"}
        text = json.dumps(value, ensure_ascii=False).replace('"rule": "', '"policy": "')
        if name == "run.json":
            text = text.replace('"notes": [', '"notes": ["caf\udce9"')
        (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    for name in ("items.parquet", "scores.parquet"):
        table = pq.read_table(folder / name).replace_schema_metadata(None)
        names = ["contests" if column == "comparisons" else column for column in table.column_names]
        pq.write_table(table.rename_columns(names), folder / name)
    file = folder / "journal" / "0001.jsonl"
    first, rest = file.read_bytes().split(b"\n", 1)
    line = json.loads(first)
    del line["crc"], line["run"]
    body = json.dumps(line, separators=(",", ":")).encode()[:-1]
    file.write_bytes(b'%s,"crc":"%08x"}\n%s' % (body, zlib.crc32(body), rest))
    found = numbers(folder, runs[1]) or []
    assert found[0] == (sound or [])[0]
    assert found[2] == (sound or [])[2]
    assert "caf\udce9" in found[1]["notes"]


def test_numbers_of_the_same_run_at_another_time(tmp_path: Path) -> None:
    """A copy may hold the numbers of fewer items, or of labels that were corrected since; the run is the same."""
    rows = [{"id": f"i{n}", "prompt": f"q{n}", "chosen": "a" * (2 + n % 5), "rejected": "bbb"} for n in range(9)]
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    few = rmeval.evaluate("baseline:longest", "pairs", data, out=tmp_path / "runs", limit=4)
    old = [(few.path / "metrics.json").read_bytes()]
    every = rmeval.evaluate("baseline:longest", "pairs", data, out=tmp_path / "runs")
    assert every.path == few.path
    old.append((few.path / "metrics.json").read_bytes())
    turned = [row | {"chosen": row["rejected"], "rejected": row["chosen"]} for row in rows]
    data.write_text("".join(json.dumps(row) + "\n" for row in turned))
    right = rmeval.evaluate("baseline:longest", "pairs", data, out=tmp_path / "runs")
    assert right.path == few.path and right.value("accuracy") != every.value("accuracy")
    for numbers_of_then in old:
        (right.path / "metrics.json").write_bytes(numbers_of_then)
        assert rmeval.open_run(right.path).records == right.records


def test_numbers_from_before_more_answers_came(folder: Path, runs: tuple[Path, Path]) -> None:
    """A copy may hold numbers and scores from before errors were asked again; show, analyze and compare see the new."""
    before = numbers(folder, runs[1])
    run = run_id(read_manifest(folder)["identity"])
    seen = [one for batch in read_journal(folder / "journal") for one in batch]
    with Journal(folder / "journal", run) as journal:
        journal.append([replace(one, values={"score": -float(place)}) for place, one in enumerate(seen)])
    found = numbers(folder, runs[1])
    for name in ("scores.parquet", "metrics.json"):
        (folder / name).unlink()
    assert found == numbers(folder, runs[1]) != before


def test_numbers_without_their_journal(folder: Path, runs: tuple[Path, Path]) -> None:
    """Who passes on a run folder may leave the journal out; nothing speaks against the numbers then."""
    sound = numbers(folder, runs[1]) or []
    shutil.rmtree(folder / "journal")
    found = numbers(folder, runs[1]) or []
    assert (found[0], found[2]) == (sound[0], sound[2])


def test_the_run_is_named_as_its_folder(runs: tuple[Path, Path]) -> None:
    for run in runs:
        manifest = read_manifest(run)
        assert run_id(manifest["identity"]) == run.name
        assert read_json(run / "metrics.json")["run"] == run.name
        assert f'"run":"{run.name}"' in (run / "journal" / "0001.jsonl").read_text().splitlines()[0]


def test_the_checksum_is_of_what_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"b": [1.5, float("nan")], "name": "\udce9 \ud83d", "tuple": (1,)})
    assert read_json(file) == {"b": [1.5, None], "name": "\udce9 \ud83d", "tuple": [1]}
    file.write_text(json.dumps(json.loads(file.read_bytes()), sort_keys=True, indent=4))
    assert read_json(file)["name"] == "\udce9 \ud83d"
    file.write_text(file.read_text().replace("1.5", "1.25"))
    with pytest.raises(DamagedError, match="checksum"):
        read_json(file)


@contextmanager
def somebody() -> Iterator[None]:
    """Root may read everything: for a moment, this is another user."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_must_not_be_read_is_a_permission(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        run = shutil.copytree(folder, Path(name) / "runs" / "run")
        for closed in (run / "metrics.json", run / "run.json", run / "journal" / "0001.jsonl", run, run.parent):
            if closed.parent.name == "journal":
                (run / "metrics.json").unlink()
            mode = closed.stat().st_mode
            closed.chmod(0)
            for place in (run, run.parent):
                with somebody(), pytest.raises((RunError, PermissionError), match="Permission denied"):
                    rmeval.open_run(place)
            closed.chmod(mode)


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    base = tmp_path / os.fsdecode(b"caf\xe9")
    base.mkdir()
    data = base / os.fsdecode(b"p\xe9.jsonl")
    data.write_text("".join(json.dumps(row) + "\n" for row in pair_rows(6)))
    for model in ("baseline:longest", "baseline:shortest"):
        result = rmeval.evaluate(model, "pairs", data, out=base / "runs", store_text=True)
        assert rmeval.open_run(result.path).records == result.records
        (result.path / "metrics.json").unlink()
        assert rmeval.open_run(result.path).records == result.records
    assert len(rmeval.compare([base / "runs"])[0].entries) == 2


def test_entries_that_earlier_manifests_lack(folder: Path) -> None:
    manifest = read_json(folder / "run.json")
    for name in ("options", "source", "revision"):
        del manifest["benchmark"][name]
    del manifest["gold"]
    (folder / "run.json").write_text(json.dumps(manifest))
    assert read_manifest(folder)["benchmark"]["id"] == "pairs"
    del manifest["benchmark"]["spec"]
    (folder / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedError, match=r"check benchmark\.spec\)"):
        read_manifest(folder)


def test_a_protocol_that_is_not_known_is_no_damage(folder: Path) -> None:
    manifest = read_json(folder / "run.json")
    (folder / "run.json").write_text(json.dumps(manifest | {"protocol": "rating@9"}))
    with pytest.raises(RunError, match=r"with the protocol 'rating@9', which is not installed: install a newer rmeval"):
        read_run(folder)
