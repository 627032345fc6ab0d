"""The tables of the index, and connections to its file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from rmeval.data.digests import digest
from rmeval.errors import RunError
from rmeval.messages import shortened

__all__ = ["SCHEMA", "index_file", "reader", "storable", "transaction", "writer"]

SCHEMA = 2
"""Version of the tables. An index of another version is made again."""
_APPLICATION = 0x724D6556
"""`rMeV`: marks an SQLite file as an index of rmeval, so that no other file is ever replaced."""
_PATIENCE = 30.0
"""Seconds to wait for another process that writes the same index."""

_TABLES = """
CREATE TABLE benchmark (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, title TEXT NOT NULL, sections TEXT NOT NULL);
CREATE TABLE run (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, folder BLOB NOT NULL UNIQUE, state TEXT NOT NULL,
    benchmark INTEGER REFERENCES benchmark, model TEXT NOT NULL, kind TEXT NOT NULL, variant TEXT NOT NULL,
    running INTEGER NOT NULL, note TEXT NOT NULL, error TEXT NOT NULL, texts TEXT
);
CREATE TABLE part (run INTEGER NOT NULL, cell INTEGER, subset INTEGER, comparisons INTEGER NOT NULL);
CREATE INDEX part_run ON part (run);
CREATE TABLE subset (id INTEGER PRIMARY KEY, benchmark INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (benchmark, name));
CREATE TABLE cell (id INTEGER PRIMARY KEY, benchmark INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (benchmark, name));
CREATE TABLE item (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, benchmark INTEGER NOT NULL, name TEXT NOT NULL,
    subset INTEGER NOT NULL, has_words INTEGER NOT NULL DEFAULT 0, excerpt TEXT NOT NULL DEFAULT ''
);
CREATE INDEX item_name ON item (benchmark, name);
CREATE TABLE scored (
    run INTEGER NOT NULL, item INTEGER NOT NULL, position INTEGER NOT NULL, scores BLOB NOT NULL,
    PRIMARY KEY (run, item)
) WITHOUT ROWID;
CREATE TABLE judged (
    run INTEGER NOT NULL, item INTEGER NOT NULL, number INTEGER NOT NULL, subset INTEGER NOT NULL,
    cell INTEGER NOT NULL, margin REAL, length INTEGER NOT NULL, PRIMARY KEY (run, item, number)
) WITHOUT ROWID;
CREATE INDEX judged_margin ON judged (run, margin, item, number);
CREATE INDEX judged_length ON judged (run, length, item, number);
CREATE INDEX judged_subset ON judged (run, subset, margin, item, number);
CREATE INDEX judged_cell ON judged (run, cell, margin, item, number);
CREATE VIRTUAL TABLE words USING fts5 (prompt, responses, content='', tokenize='unicode61 remove_diacritics 2');
"""
# `run.folder` is a path as the system has it, which may be no text. `part` counts a run's comparisons by cell and
# subset. `scored.scores` is float64 in little-endian order, one for each response. `judged.margin` is NULL without a
# score; `judged.length` is characters of the winner less those of the other response. Rows of `item` and `words` stay
# when a run is removed, so that its texts need not be read again; ids are never given twice.


def storable(text: str) -> str:
    """A text as SQLite can hold it: without NUL, at which its functions stop reading, and without lone surrogates."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def index_file(runs: Path) -> Path:
    """The place of a folder's index in the user's cache.

    Raises:
        RunError: If there is no home folder.
    """
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError as error:
        raise RunError("there is no home folder for the index: give a file with `index`") from error
    return Path(home) / "rmeval" / "viewer" / f"{digest(str(runs.resolve()))[:16]}.sqlite"


def writer(file: Path, is_cache: bool) -> sqlite3.Connection:
    """Open the index for writing; create it if it does not exist, is damaged or has another version.

    Args:
        file: The index.
        is_cache: Whether it lies in the cache, where a file that is no index may be replaced.

    Raises:
        RunError: If it cannot be created, or the file is something else.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            connection = sqlite3.connect(file, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            try:
                is_current = _is_current(connection, file, is_cache)
            except BaseException:
                connection.close()
                raise
            if is_current:
                return connection
            connection.close()
            for ending in ("", "-wal", "-shm"):
                file.with_name(file.name + ending).unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise RunError(f"{file} cannot be written ({error}): give another file with `index`") from error
    raise RunError(f"{file} cannot be created: give another file with `index`")


def _is_current(connection: sqlite3.Connection, file: Path, is_cache: bool) -> bool:
    """Whether the file has today's tables, which are created in an empty one."""
    try:
        # Waits for another process that creates the tables at the same time.
        with transaction(connection):
            marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            if marks == [0, 0] and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                _create(connection)
                marks = [_APPLICATION, SCHEMA]
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        marks = [-1, 0]
    if marks != [_APPLICATION, SCHEMA]:
        if marks[0] != _APPLICATION and not is_cache:
            raise RunError(f"{file} is not an index of rmeval: give another file with `index`")
        return False
    connection.execute("PRAGMA journal_mode = WAL")
    # A crash of the machine may lose the last transactions, which are made again, but damages nothing.
    connection.execute("PRAGMA synchronous = NORMAL")
    return True


def _create(connection: sqlite3.Connection) -> None:
    for statement in _TABLES.strip().split(";\n"):
        connection.execute(statement)
    # Bytes of words that are collected before they are written: fewer parts to merge later, in half of the time.
    connection.execute("INSERT INTO words (words, rank) VALUES ('hashsize', ?)", (1 << 25,))
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write everything in the block, or nothing; wait for another process that writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def reader(file: Path) -> sqlite3.Connection:
    """Open the index for reading only; one thread at a time may use it.

    Raises:
        RunError: If it does not exist or cannot be read.
    """
    try:
        place = f"file:{quote(os.fsencode(file.absolute()))}?mode=ro"
        connection = sqlite3.connect(place, timeout=_PATIENCE, uri=True, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
    except sqlite3.Error as error:
        raise RunError(f"{file} cannot be read ({shortened(str(error))}): start the viewer again") from error
    return connection
