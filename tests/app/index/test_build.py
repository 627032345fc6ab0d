"""The index follows its run folders: new, changed, copied, damaged and removed runs, and interrupted updates."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import rmeval
from rmeval.app.index import Index, IndexBuilder, ItemQuery, Source, index_file
from rmeval.app.index.build import Update
from rmeval.errors import RunError
from tests.app.index.runs import import_run, write_pairs
from tests.app.viewing import key_of, write_run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "pairs.jsonl", 30)


@contextmanager
def reading(builder: IndexBuilder) -> Iterator[Index]:
    index = Index(builder.file)
    yield index
    index.close()


def builder_of(folder: Path, file: str = "index.sqlite", is_cache: bool = True) -> IndexBuilder:
    return IndexBuilder(folder / file, Source(folder / "runs"), is_cache)


def test_runs_that_come_change_and_go(data: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first = import_run(data, runs, "first", 1)
    with builder_of(tmp_path) as builder, reading(builder) as index:
        assert [builder.update(), builder.update()] == [Update(1, 0), Update(0, 0)]
        second = import_run(data, runs, "second", 2)
        assert builder.update() == Update(1, 0)
        assert [run.model for run in index.runs()] == ["first", "second"]
        apart = ItemQuery(key_of(index, "second"), other=key_of(index, "first"))
        before, disagreeing = index.tally(ItemQuery(key_of(index, "first"))), index.tally(apart)
        shutil.rmtree(first)
        import_run(data, runs, "first", 3)
        assert builder.update().read == 1
        assert index.tally(ItemQuery(key_of(index, "first"))) != before
        assert index.tally(replace(apart, other=key_of(index, "first"))) != disagreeing
        shutil.rmtree(second)
        assert builder.update() == Update(0, 1)
        assert [run.model for run in index.runs()] == ["first"]
        assert len(index.scores(index.comparisons(ItemQuery(key_of(index, "first")), limit=1).rows[0].item)) == 1


def test_a_copy_of_a_run_is_a_run_of_its_own(data: Path, tmp_path: Path) -> None:
    own = import_run(data, tmp_path / "runs", "first", 1)
    shutil.copytree(own, tmp_path / "runs" / "backup")
    with builder_of(tmp_path) as builder, reading(builder) as index:
        assert builder.update().read == 2
        keys = [run.key for run in index.runs()]
        assert len(set(keys)) == 2
        assert own.name in keys
        assert index.tally(ItemQuery(keys[0])) == index.tally(ItemQuery(keys[1]))
        assert sum(builder.add_texts()) == 30


def test_a_damaged_run_says_why_and_leaves_the_others(data: Path, tmp_path: Path) -> None:
    own = import_run(data, tmp_path / "runs", "first", 1)
    import_run(data, tmp_path / "runs", "second", 2)
    (own / "items.parquet").write_bytes(b"PAR1 nothing PAR1")
    (tmp_path / "runs" / "odd").mkdir()
    (tmp_path / "runs" / "odd" / "run.json").write_text("[")
    with builder_of(tmp_path) as builder, reading(builder) as index:
        assert builder.update().read == 3
        errors = {run.model: run.error for run in index.runs() if run.error}
        assert set(errors) == {"first", "odd"}
        assert "items.parquet is damaged" in errors["first"]
        assert index.runs("pairs")[0].model == "second"
        assert builder.update().read == 0


def test_an_update_that_is_ended_goes_on_later(data: Path, tmp_path: Path) -> None:
    for number in range(3):
        import_run(data, tmp_path / "runs", f"model {number}", number)
    with builder_of(tmp_path) as builder, reading(builder) as index:
        answers = iter([False, True])
        assert builder.update(lambda: next(answers)).read == 1
        assert len(index.runs()) == 1
        assert builder.update().read == 2


def test_a_run_of_a_benchmark_that_is_not_installed_leaves_the_others(data: Path, tmp_path: Path) -> None:
    own = import_run(data, tmp_path / "runs", "first", 1) / "run.json"
    import_run(data, tmp_path / "runs", "second", 2)
    fields = json.loads(own.read_text())
    del fields["sha256"]
    fields["benchmark"] |= {"spec": "other-package", "id": "other-package"}
    own.write_text(json.dumps(fields))
    with builder_of(tmp_path) as builder, reading(builder) as index:
        assert builder.update().read == 2
        assert {run.model: bool(run.error) for run in index.runs()} == {"first": True, "second": False}


def test_a_folder_and_a_name_that_are_no_text(data: Path, tmp_path: Path) -> None:
    own = import_run(data, tmp_path / "runs", "first", 1)
    fields = json.loads((own / "run.json").read_text())
    del fields["sha256"]
    fields["model"]["name"] = "odd \ud800\0 name"
    (own / "run.json").write_text(json.dumps(fields))
    odd = Path(os.fsdecode(b"latin-\xe9"))
    try:
        (tmp_path / "runs" / odd).mkdir()
    except OSError:
        pytest.skip("this file system has only names that are text")
    own.rename(tmp_path / "runs" / odd / "run")
    with builder_of(tmp_path) as builder, reading(builder) as index:
        assert builder.update().read == 1
        (run,) = index.runs()
        assert (run.model, run.error) == ("odd ?  name", "")
        assert run.folder.is_dir()
        assert sum(builder.add_texts()) == 30
        assert builder.update() == Update(0, 0)


def test_viewers_in_other_folders_share_an_index(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_run(data, tmp_path / "runs", "first", 1)
    monkeypatch.chdir(tmp_path)
    with IndexBuilder(tmp_path / "index.sqlite", Source(Path("runs"))) as builder:
        assert builder.update() == Update(1, 0)
    monkeypatch.chdir(tmp_path / "runs")
    with IndexBuilder(tmp_path / "index.sqlite", Source(Path())) as builder:
        assert builder.update() == Update(0, 0)


def test_a_run_that_needs_code_is_read_once_that_is_given(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("from rmeval.benchmarks.pairs import Pairs\nclass Own(Pairs):\n    pass\n")
    rmeval.evaluate("baseline:longest", f"{file}:Own", data, out=tmp_path / "runs")
    with builder_of(tmp_path) as builder, reading(builder) as index:
        builder.update()
        assert "if you trust that file, give `benchmark`" in index.runs()[0].error
    with IndexBuilder(builder.file, Source(tmp_path / "runs", {}, f"{file}:Own")) as builder, reading(builder) as index:
        assert builder.update().read == 1
        assert index.runs()[0].error == ""


def test_a_run_that_is_being_written_is_read_again_only_now_and_then(data: Path, tmp_path: Path) -> None:
    own = import_run(data, tmp_path / "runs", "first", 1)
    manifest = own / "run.json"
    text = manifest.read_text().replace('"complete"', '"running"')
    manifest.write_text(
        "".join(line for line in text.splitlines(True) if '"sha256"' not in line).replace(",\n}", "\n}")
    )
    with builder_of(tmp_path) as builder, reading(builder) as index:
        assert builder.update().read == 1
        assert index.runs()[0].running
        os.utime(manifest)
        assert builder.update().read == 0
    with builder_of(tmp_path) as builder:
        assert builder.update().read == 1


def test_items_are_shared_only_if_their_texts_and_gold_are_the_same(tmp_path: Path) -> None:
    rows = [{"id": "a", "prompt": "p", "chosen": "one", "rejected": "two"}]
    turned = [{"id": "a", "prompt": "p", "chosen": "two", "rejected": "one"}]
    for number, own in enumerate((rows, rows, turned)):
        write_run(tmp_path / "runs", own, f"model {number}", lambda text: float(len(text) + (text == "two")))
    with builder_of(tmp_path) as builder, reading(builder) as index:
        builder.update()
        found = {index.comparisons(ItemQuery(run.key)).rows[0].item for run in index.runs()}
        assert len(found) == 2
        assert sorted(len(index.scores(item)) for item in found) == [1, 2]


def test_another_version_is_made_again_and_another_file_is_kept(data: Path, tmp_path: Path) -> None:
    import_run(data, tmp_path / "runs", "first", 1)
    with builder_of(tmp_path) as builder:
        builder.update()
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("DROP TABLE judged")
    with builder_of(tmp_path, is_cache=False) as builder, reading(builder) as index:
        assert builder.update().read == 1
        assert index.tally(ItemQuery(index.runs()[0].key)).total == 30
    with closing(sqlite3.connect(tmp_path / "mine.sqlite")) as connection:
        connection.execute("CREATE TABLE mine (x)")
    (tmp_path / "text.txt").write_text("not a database, " * 100)
    for name in ("mine.sqlite", "text.txt"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(RunError, match=f"{name} is not an index of rmeval: give another file with `index`"):
            builder_of(tmp_path, name, is_cache=False)
        assert (tmp_path / name).read_bytes() == before
    with builder_of(tmp_path, "text.txt") as builder:
        assert builder.update().read == 1
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match="cannot be written"):
        builder_of(tmp_path, "folder", is_cache=False)


def test_texts_that_are_missing_are_no_error(data: Path, tmp_path: Path) -> None:
    import_run(data, tmp_path / "runs", "first", 1, store_text=False)
    moved = data.rename(tmp_path / "moved.jsonl")
    with builder_of(tmp_path) as builder, reading(builder) as index:
        builder.update()
        assert list(builder.add_texts()) == []
        run = index.runs()[0]
        assert "give their place with `data`" in (run.texts or "")
        assert index.searchable(run.key) == (0, 30)
        assert index.comparisons(ItemQuery(run.key)).rows[0].excerpt == ""
    source = Source(tmp_path / "runs", {"pairs": str(moved)})
    with IndexBuilder(tmp_path / "index.sqlite", source) as builder, reading(builder) as index:
        assert list(builder.add_texts()) == [30]
        run = index.runs()[0]
        assert (run.texts, index.searchable(run.key)) == ("", (30, 30))
        assert list(builder.add_texts()) == []


def test_an_interrupted_search_index_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmeval.app.index.words._CHUNK", 512)
    import_run(write_pairs(tmp_path / "many.jsonl", 1300), tmp_path / "runs", "first", 1)
    with builder_of(tmp_path) as builder:
        builder.update()
        assert next(builder.add_texts()) == 512
    with builder_of(tmp_path) as builder, reading(builder) as index:
        key = index.runs()[0].key
        assert index.searchable(key) == (512, 1300)
        assert index.tally(ItemQuery(key, text="question")).total == 512
        assert list(builder.add_texts()) == [512, 276]
        assert index.tally(ItemQuery(key, text="question")).total == 1300


def update_often(folder: Path) -> None:
    """Read all runs again and again, as if each had changed."""
    with builder_of(folder) as builder:
        while True:
            builder.update()
            list(builder.add_texts())
            builder._connection.execute("UPDATE run SET state = ''")


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_or_doubled(data: Path, tmp_path: Path) -> None:
    for seed, name in enumerate(("first", "second")):
        import_run(data, tmp_path / "runs", name, seed)
    with builder_of(tmp_path) as builder, reading(builder) as index:
        builder.update()
        before = {run.key: index.tally(ItemQuery(run.key)) for run in index.runs()}
    context = multiprocessing.get_context("spawn")
    for pause in (0.02, 0.05, 0.11, 0.23):
        worker = context.Process(target=update_often, args=(tmp_path,))
        worker.start()
        with closing(sqlite3.connect(tmp_path / "index.sqlite")) as connection:
            while connection.execute("SELECT count(*) FROM run WHERE state = ''").fetchone()[0] == 0:
                assert worker.is_alive()
        time.sleep(pause)
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
        with builder_of(tmp_path) as builder, reading(builder) as index:
            builder.update()
            list(builder.add_texts())
            assert {run.key: index.tally(ItemQuery(run.key)) for run in index.runs()} == before
            assert index.tally(ItemQuery(key_of(index, "first"), text="question")).total == 30
        with closing(sqlite3.connect(tmp_path / "index.sqlite")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_two_writers_of_one_index(data: Path, tmp_path: Path) -> None:
    for seed in range(4):
        import_run(data, tmp_path / "runs", f"model {seed}", seed)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with builder_of(tmp_path) as builder:
                builder.update()
                list(builder.add_texts())
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with builder_of(tmp_path) as builder, reading(builder) as index:
        assert builder.update() == Update(0, 0)
        assert len(index.runs()) == 4
        assert {index.tally(ItemQuery(run.key)).total for run in index.runs()} == {30}
        assert index.tally(ItemQuery(index.runs()[0].key, text="question")).total == 30


def test_the_index_lies_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "runs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    file = index_file(tmp_path / "runs")
    assert file == index_file(tmp_path / "link")
    assert file.parent == tmp_path / "cache" / "rmeval" / "viewer"
    assert file != index_file(tmp_path)
