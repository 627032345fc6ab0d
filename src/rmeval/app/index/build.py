"""The only writer of the index: reads run folders that are new or changed."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from rmeval.app.index.columns import RunColumns
from rmeval.app.index.rows import add_run, add_unread, remove_run
from rmeval.app.index.schema import storable, transaction, writer
from rmeval.app.index.words import add_words, items_without_words
from rmeval.data.digests import digest
from rmeval.errors import RmevalError, RunError
from rmeval.files import stamp
from rmeval.store.manifest import Manifest, find_runs, read_manifest
from rmeval.store.run import StoredRun, read_scored

__all__ = ["IndexBuilder", "Source", "Update"]

_FILES = ("run.json", "items.parquet", "scores.parquet")
_OFTEN = 10.0
"""Seconds before a run that is being written is read again."""


@dataclass(frozen=True, slots=True)
class Source:
    """What the index is made from.

    Attributes:
        runs: The folder of runs.
        data: Where to read texts that the runs do not store, by benchmark; under "" for all others.
        benchmark: The `file.py:Class` of runs made with one; code that a run folder names never runs without it.
        protocol: Likewise the `file.py:Class` of the runs' protocol.
    """

    runs: Path
    data: Mapping[str, str] = field(default_factory=dict)
    benchmark: str | None = None
    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """What an update did.

    Attributes:
        read: Number of runs that were read.
        removed: Number of runs that do not exist any more.
    """

    read: int
    removed: int


class IndexBuilder:
    """Keeps the index equal to the run folders; a context manager that closes the file.

    Each run is one transaction, so that an interrupted update goes on where it stopped, and readers see whole runs.

    Attributes:
        file: The index.
        source: What it is made from.
    """

    def __init__(self, file: Path, source: Source, is_cache: bool = True) -> None:
        """Open the file, and create it if needed.

        Args:
            file: The index.
            source: What it is made from.
            is_cache: Whether the file lies in the cache, so that it may be replaced whatever it contains.

        Raises:
            RunError: If it cannot be written, or is no index.
        """
        self.file, self.source = file, source
        self._connection = writer(file, is_cache)
        self._read_at: dict[Path, float] = {}
        self._last: StoredRun | None = None
        try:
            # Data that could not be read before may be there now, and so may the benchmark of a run.
            self._connection.execute("UPDATE run SET texts = NULL WHERE texts != ''")
            self._connection.execute("UPDATE run SET state = '' WHERE error != ''")
        except sqlite3.Error as error:
            self._connection.close()
            raise self._unwritable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def update(self, is_ended: Callable[[], bool] = lambda: False) -> Update:
        """Read the runs that are new or changed, and drop those that do not exist any more.

        Args:
            is_ended: Whether to stop before the next run; the next update goes on there.

        Raises:
            RunError: If the folder or the index cannot be read.
        """
        try:
            return self._update(is_ended)
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: sqlite3.Error) -> RunError:
        return RunError(f"{self.file} cannot be written ({error}): delete it, or give another `index`")

    def _update(self, is_ended: Callable[[], bool]) -> Update:
        # Whole paths: another viewer of the same runs may have another current folder.
        found = {folder: _state(folder) for folder in find_runs(self.source.runs.resolve())}
        rows = self._connection.execute("SELECT folder, state, running FROM run").fetchall()
        known = {Path(os.fsdecode(row[0])): row[1:] for row in rows}
        gone = [folder for folder in known if folder not in found]
        if gone:
            with transaction(self._connection):
                for folder in gone:
                    remove_run(self._connection, folder)
        read = 0
        for folder, state in found.items():
            if is_ended():
                break
            before, running = known.get(folder, ("", 0))
            recent = time.monotonic() - self._read_at.get(folder, -_OFTEN) < _OFTEN
            if state != before and not (running and recent):
                self._add(folder, state)
                self._read_at[folder] = time.monotonic()
                read += 1
        self._last = None
        if read or gone:
            self._connection.execute("PRAGMA analysis_limit = 400")
            self._connection.execute("ANALYZE")
        return Update(read, len(gone))

    def add_texts(self) -> Iterator[int]:
        """Make the texts of items searchable, as far as runs store them or their data can be read.

        Yields:
            The number of items that were added since the last value.

        Raises:
            RunError: If the index cannot be written.
        """
        try:
            yield from self._add_texts()
        except sqlite3.Error as error:
            raise self._unwritable(error) from error

    def _add_texts(self) -> Iterator[int]:
        order = "SELECT id, folder FROM run WHERE texts IS NULL AND error = '' ORDER BY id"
        for run, folder in self._connection.execute(order).fetchall():
            note = ""
            try:
                if missing := items_without_words(self._connection, run):
                    yield from add_words(
                        self._connection, self._stored(Path(os.fsdecode(folder))), missing, self.source.data
                    )
            except RmevalError as error:
                note = str(error)
            self._connection.execute("UPDATE run SET texts = ? WHERE id = ?", (storable(note), run))

    def _stored(self, folder: Path) -> StoredRun:
        return read_scored(folder, self.source.benchmark, self.source.protocol, self._last)

    def _add(self, folder: Path, state: str) -> None:
        """Replace what the index has of a run; of a run that cannot be read, it has the reason."""
        manifest: Manifest | None = None
        try:
            manifest = read_manifest(folder)
            run = self._stored(folder)
            columns = RunColumns.of(run)
        except RmevalError as error:
            with transaction(self._connection):
                remove_run(self._connection, folder)
                add_unread(self._connection, folder, state, manifest, str(error))
            return
        with transaction(self._connection):
            remove_run(self._connection, folder)
            add_run(self._connection, run, state, columns)
        self._last = run


def _state(folder: Path) -> str:
    """A digest of the state of a run's files, which reads none of them."""
    state = [stamp(folder / name) for name in _FILES]
    # Each batch of a run that is being written changes the size of a journal's segment.
    with suppress(OSError), os.scandir(folder / "journal") as entries:
        state += sorted((entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries)
    return digest(state)
