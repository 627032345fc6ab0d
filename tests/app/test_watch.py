"""New runs while pages are open, and a thread that ends."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

import rmeval
from rmeval.app.index import Index, IndexBuilder, ItemQuery, Source
from rmeval.app.watch import Watch
from tests.app.viewing import planted_rows, planted_score, viewing, write_run


def test_a_run_that_lands_is_on_the_next_page(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    own = write_run(runs, planted_rows(40), "planted", planted_score)
    with viewing(runs, tmp_path / "index.sqlite") as served:
        assert "second" not in served.get("/").text
        write_run(runs, planted_rows(40), "second", lambda text: float(len(text)))
        served.viewer.watch._looked_at = 0.0
        assert "second" in served.get("/").text
        shutil.rmtree(own)
        served.viewer.watch._looked_at = 0.0
        page = served.get("/")
        assert "planted" not in page.text
        assert served.get("/model?name=planted").status == 400


def test_texts_are_added_in_the_background(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    write_run(runs, planted_rows(1100), "planted", planted_score)
    with IndexBuilder(tmp_path / "index.sqlite", Source(runs)) as builder, Watch(builder) as watch:
        index = Index(builder.file)
        watch.look(60)
        run = index.runs()[0]
        assert index.tally(ItemQuery(run.key)).total == 1100
        while watch.is_busy:
            watch.look(1)
        assert index.searchable(run.key) == (1100, 1100)
        index.close()


def test_pages_say_that_runs_are_still_being_read(tmp_path: Path) -> None:
    """Another process writes the index, so that this one has to wait."""
    runs = tmp_path / "runs"
    write_run(runs, planted_rows(40), "planted", planted_score)
    with viewing(runs, tmp_path / "index.sqlite") as served:
        assert "Runs are being read" not in served.get("/").text
        write_run(runs, planted_rows(40), "second", planted_score)
        with closing(sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            served.viewer.watch._looked_at = 0.0
            page = served.get("/")
            assert ("Runs are being read" in page.text, "second" in page.text) == (True, False)
            connection.execute("ROLLBACK")
        served.viewer.watch.look(30)
        page = served.get("/")
        assert ("Runs are being read" in page.text, "second" in page.text) == (False, True)


def test_the_thread_ends_while_it_works(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    write_run(runs, planted_rows(1200), "planted", planted_score)
    before = threading.active_count()
    with IndexBuilder(tmp_path / "index.sqlite", Source(runs)) as builder, Watch(builder):
        pass
    assert threading.active_count() == before


def test_an_index_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    write_run(runs, planted_rows(40), "planted", planted_score)
    with viewing(runs, tmp_path / "index.sqlite") as served:
        with closing(sqlite3.connect(tmp_path / "index.sqlite")) as connection:
            connection.execute("DROP TABLE judged")
        write_run(runs, planted_rows(40), "second", planted_score)
        served.viewer.watch._looked_at = 0.0
        page = served.get("/")
        assert "The runs cannot be read again: " in page.text
        assert "no such table: judged" in page.text
        assert "planted" in page.text
        page = served.get("/items")
        assert (page.status, "start the viewer again" in page.problem) == (400, True)


def test_a_full_disk_is_said_so_until_there_is_room(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    write_run(runs, planted_rows(1100), "planted", planted_score)
    with IndexBuilder(tmp_path / "index.sqlite", Source(runs)) as builder:
        builder.update()
        _limit(builder, builder._connection.execute("PRAGMA page_count").fetchone()[0])
        with Watch(builder) as watch, closing(Index(builder.file)) as index:
            _until_idle(watch)
            assert "index.sqlite cannot be written (database or disk is full)" in watch.problem
            assert index.searchable(index.runs()[0].key) == (0, 1100)
            _limit(builder, 100_000)
            watch._looked_at = 0.0
            _until_idle(watch)
            assert watch.problem == ""
            assert index.searchable(index.runs()[0].key) == (1100, 1100)


def _limit(builder: IndexBuilder, pages: int) -> None:
    builder._connection.execute(f"PRAGMA max_page_count = {pages}")


def _until_idle(watch: Watch) -> None:
    watch.look(60)
    while watch.is_busy:
        watch.look(1)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_fails_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(ended: object) -> None:
        raise MemoryError

    with IndexBuilder(tmp_path / "index.sqlite", Source(tmp_path)) as builder:
        monkeypatch.setattr(builder, "update", fails)
        with Watch(builder) as watch:
            watch.look(60)
            assert watch.problem == "reading them has ended with an error, which the terminal shows"
            assert not watch.is_busy


def test_a_folder_that_is_gone_has_no_runs(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    rmeval.evaluate("baseline:longest", "pairs", planted_rows(20), out=runs)
    with viewing(runs, tmp_path / "index.sqlite") as served:
        shutil.rmtree(runs)
        served.viewer.watch._looked_at = 0.0
        page = served.get("/")
        assert page.status == 200
