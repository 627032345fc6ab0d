"""Rows of a run in the index: inserted and removed within one transaction of the caller."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from rmeval.app.index.columns import RunColumns, item_keys
from rmeval.app.index.schema import storable
from rmeval.benchmarks import Benchmark
from rmeval.data.digests import digest
from rmeval.store.manifest import Manifest, run_id
from rmeval.store.run import StoredRun
from rmeval.types import IntArray

__all__ = ["add_run", "add_unread", "remove_run"]

_RUN = "INSERT INTO run (key, folder, state, benchmark, model, kind, variant, running, note, error) VALUES ({})"
_CHUNK = 1 << 14


def remove_run(connection: sqlite3.Connection, folder: Path) -> None:
    """Remove a run; its items and words stay."""
    own = connection.execute("SELECT id FROM run WHERE folder = ?", (os.fsencode(folder),)).fetchone()
    if own is not None:
        for statement in ("judged WHERE run", "scored WHERE run", "part WHERE run", "run WHERE id"):
            connection.execute(f"DELETE FROM {statement} = ?", own)


def add_unread(connection: sqlite3.Connection, folder: Path, state: str, manifest: Manifest | None, error: str) -> None:
    """Insert a run that cannot be read, with the reason."""
    if manifest is None:
        values: list[object] = [None, folder.name, "", "", False, "", error]
    else:
        model = manifest["model"]
        values = [None, model["name"], model["kind"], "", manifest["status"] == "running", "", error]
    _insert(connection, [_key(connection, folder, manifest), os.fsencode(folder), state, *values])


def add_run(connection: sqlite3.Connection, run: StoredRun, state: str, columns: RunColumns) -> None:
    """Insert a run with its items, scores and margins."""
    benchmark = _benchmark(connection, run.benchmark)
    model, running = run.manifest["model"], run.manifest["status"] == "running"
    values = [benchmark, model["name"], model["kind"], columns.evidence.variant, running, run.note or "", ""]
    own = _insert(connection, [_key(connection, run.folder, run.manifest), os.fsencode(run.folder), state, *values])
    subsets = _codes(connection, "subset", benchmark, run.items.table.subsets)
    items = _items(connection, benchmark, run, subsets)
    scored = zip(items.tolist(), range(len(items)), columns.scores(), strict=True)
    _many(connection, f"INSERT INTO scored VALUES ({own}, ?, ?, ?)", scored)
    cells = dict(zip(columns.margins.tags, _codes(connection, "cell", benchmark, columns.margins.tags), strict=True))
    subset = np.array(subsets, np.int64)[run.items.table.subset].tolist()
    places = items.tolist()
    judged = (
        (places[position], number, subset[position], cells[tag], margin, length)
        for position, number, tag, margin, length in columns.judged()
    )
    _many(connection, f"INSERT INTO judged VALUES ({own}, ?, ?, ?, ?, ?, ?)", judged)
    counted = "SELECT run, cell, subset, count(*) FROM judged WHERE run = ? GROUP BY cell, subset"
    connection.execute(f"INSERT INTO part {counted}", (own,))


def _key(connection: sqlite3.Connection, folder: Path, manifest: Manifest | None) -> str:
    """The name of a run in addresses: that of its identity, or one of its own for copies of a folder."""
    own = digest(str(folder))[:12] if manifest is None else run_id(manifest["identity"])
    taken = connection.execute("SELECT 1 FROM run WHERE key = ?", (own,)).fetchone() is not None
    return digest([own, str(folder)])[:12] if taken else own


def _insert(connection: sqlite3.Connection, values: Sequence[object]) -> int:
    # Names of models and messages may contain what a manifest's JSON can encode, and SQLite cannot.
    stored = [storable(value) if isinstance(value, str) else value for value in values]
    return connection.execute(_RUN.format(", ".join("?" * len(stored))), stored).lastrowid or 0


def _benchmark(connection: sqlite3.Connection, benchmark: Benchmark) -> int:
    """The id of a benchmark, whose title and sections are those of its current card."""
    card = benchmark.card
    sections = json.dumps({name: list(parts) for name, parts in card.sections.items()})
    upsert = "INSERT INTO benchmark (name, title, sections) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
    connection.execute(
        f"{upsert} title = excluded.title, sections = excluded.sections", (card.id, card.title, sections)
    )
    return _id(connection, "SELECT id FROM benchmark WHERE name = ?", card.id)


def _id(connection: sqlite3.Connection, question: str, *values: object) -> int:
    (found,) = connection.execute(question, values).fetchone()
    return int(found)


def _codes(connection: sqlite3.Connection, table: str, benchmark: int, names: Iterable[str]) -> list[int]:
    """The ids of some subsets or cells."""
    found = []
    for name in names:
        connection.execute(f"INSERT OR IGNORE INTO {table} (benchmark, name) VALUES (?, ?)", (benchmark, name))
        found.append(_id(connection, f"SELECT id FROM {table} WHERE benchmark = ? AND name = ?", benchmark, name))
    return found


def _items(connection: sqlite3.Connection, benchmark: int, run: StoredRun, subsets: Sequence[int]) -> IntArray:
    """The ids of a run's items; an item that other runs have too is the same row."""
    keys = list(item_keys(run.benchmark.card.id, run.items))
    table = run.items.table
    rows = zip(keys, table.ids, table.subset.tolist(), strict=True)
    _many(
        connection,
        f"INSERT OR IGNORE INTO item (key, benchmark, name, subset) VALUES (?, {benchmark}, ?, ?)",
        ((key, name, subsets[subset]) for key, name, subset in rows),
    )
    found = np.empty(len(keys), np.int64)
    for place, key in enumerate(keys):
        (found[place],) = connection.execute("SELECT id FROM item WHERE key = ?", (key,)).fetchone()
    return found


def _many(connection: sqlite3.Connection, statement: str, rows: Iterable[Sequence[object]]) -> None:
    taken = iter(rows)
    while part := list(islice(taken, _CHUNK)):
        connection.executemany(statement, part)
