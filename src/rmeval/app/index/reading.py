"""The index as pages read it."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any

import numpy as np

from rmeval.app.index.entries import IndexedItem, IndexedRun, ModelScores, Page, Tally
from rmeval.app.index.lookup import Lookup
from rmeval.app.index.query import ItemQuery, Key
from rmeval.app.index.schema import reader
from rmeval.errors import RunError

__all__ = ["MOST_ROWS", "Index"]

MOST_ROWS = 500
"""Maximum number of rows on a page."""
_TALLIES = 256
"""Counts that are kept."""


class Index:
    """Queries of the index, from any number of threads; nothing is written.

    Attributes:
        file: The index.
    """

    def __init__(self, file: Path) -> None:
        """Store the place; connections are opened when they are needed.

        Args:
            file: A file that `IndexBuilder` made.
        """
        self.file = file
        self._free: LifoQueue[sqlite3.Connection] = LifoQueue()
        # Each page of a list states the same counts.
        self._tallies: OrderedDict[tuple[ItemQuery, tuple[Any, ...]], Tally] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections that are not in use."""
        while True:
            try:
                self._free.get_nowait().close()
            except Empty:
                return

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._free.get_nowait()
        except Empty:
            connection = reader(self.file)
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()
            raise RunError(f"{self.file} cannot be read ({error}): start the viewer again") from error
        except BaseException:
            self._free.put(connection)
            raise
        self._free.put(connection)

    def runs(self, benchmark: str | None = None) -> tuple[IndexedRun, ...]:
        """The runs, or those of a benchmark, by benchmark and model."""
        return self._runs("WHERE ? IS NULL OR b.name = ?", benchmark, benchmark)

    def run(self, key: str) -> IndexedRun | None:
        """The run with a key; None if there is none."""
        return next(iter(self._runs("WHERE r.key = ?", key)), None)

    def _runs(self, where: str, *values: object) -> tuple[IndexedRun, ...]:
        question = (
            "SELECT r.key, r.folder, r.state, coalesce(b.name, ''), coalesce(b.title, ''), r.model, r.kind, r.variant, "
            f"r.running, r.note, r.error, r.texts FROM run r LEFT JOIN benchmark b ON b.id = r.benchmark {where} "
            "ORDER BY b.name IS NULL, b.name, r.model, r.folder"
        )
        with self._connection() as connection:
            rows = connection.execute(question, values).fetchall()
        return tuple(map(_run_of, rows))

    def comparisons(
        self, query: ItemQuery, after: Key | None = None, before: Key | None = None, limit: int = 50
    ) -> Page:
        """Return some comparisons of a run in the order of a query.

        Args:
            query: The filter and the order.
            after: Return the first ones after this place.
            before: Return the last ones before this place.
            limit: Maximum number of rows.

        Raises:
            DataError: If a run, subset, cell or item does not exist.
            RunError: If the index cannot be read.
        """
        limit = max(1, min(limit, MOST_ROWS))
        with self._connection() as connection:
            asked = Lookup.of(connection, query)
            key, backward = (before, True) if before is not None else (after, False)
            rows = asked.rows(key, backward, limit + 1)
        more, shown = len(rows) > limit, rows[:limit]
        if backward:
            shown.reverse()
        first, last = (shown[0].key(query), shown[-1].key(query)) if shown else (None, None)
        has_previous, has_next = (more, True) if backward else (key is not None, more)
        return Page(tuple(shown), first if has_previous else None, last if has_next else None)

    def tally(self, query: ItemQuery) -> Tally:
        """Count the comparisons of a query by outcome.

        Raises:
            DataError: If a run, subset or cell does not exist.
            RunError: If the index cannot be read.
        """
        with self._connection() as connection:
            known = "SELECT key, state, texts FROM run WHERE key IN (?, ?) ORDER BY key"
            states = tuple(connection.execute(known, (query.run, query.other)).fetchall())
            own = replace(query, sort="item"), states
            with self._lock:
                if (found := self._tallies.get(own)) is not None:
                    return found
            found = Lookup.of(connection, query).tally()
        # Words of further items may be found while texts are read.
        if not query.text or all(texts is not None for _, _, texts in states):
            with self._lock:
                self._tallies[own] = found
                while len(self._tallies) > _TALLIES:
                    self._tallies.popitem(last=False)
        return found

    def left_out(self, run: str, other: str) -> tuple[int, int]:
        """Of a run's comparisons, how many another run does not have, and of how many a run has no score."""
        question = (
            "SELECT total(o.run IS NULL), total(o.run IS NOT NULL AND (j.margin IS NULL OR o.margin IS NULL)) "
            "FROM judged j LEFT JOIN judged o ON o.run = (SELECT id FROM run WHERE key = ?) AND o.item = j.item "
            "AND o.number = j.number WHERE j.run = (SELECT id FROM run WHERE key = ?)"
        )
        with self._connection() as connection:
            apart, unscored = connection.execute(question, (other, run)).fetchone()
        return int(apart), int(unscored)

    def subsets(self, run: str) -> dict[str, int]:
        """The subsets of a run with their numbers of comparisons."""
        return self._counts(run, "subset")

    def cells(self, run: str) -> dict[str, int]:
        """The tags of a run's comparisons with their numbers of comparisons."""
        return self._counts(run, "cell")

    def sections(self, benchmark: str) -> dict[str, list[str]]:
        """The benchmark's names for groups of subsets, usable wherever a subset is."""
        with self._connection() as connection:
            found = connection.execute("SELECT sections FROM benchmark WHERE name = ?", (benchmark,)).fetchone()
        sections: dict[str, list[str]] = json.loads(found[0]) if found else {}
        return sections

    def _counts(self, run: str, table: str) -> dict[str, int]:
        question = (
            f"SELECT n.name, sum(p.comparisons) FROM part p JOIN {table} n ON n.id = p.{table} "
            "WHERE p.run = (SELECT id FROM run WHERE key = ?) GROUP BY n.id ORDER BY n.id"
        )
        with self._connection() as connection:
            return dict(connection.execute(question, (run,)).fetchall())

    def item(self, key: str) -> IndexedItem | None:
        """The item with a key; None if there is none."""
        question = (
            "SELECT i.key, b.name, i.name, s.name FROM item i JOIN benchmark b ON b.id = i.benchmark "
            "JOIN subset s ON s.id = i.subset WHERE i.key = ?"
        )
        with self._connection() as connection:
            found = connection.execute(question, (key,)).fetchone()
        return None if found is None else IndexedItem(*found)

    def scores(self, item: str) -> tuple[ModelScores, ...]:
        """What each run says of an item, in the order of `runs`."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT r.key, s.position, s.scores FROM run r JOIN scored s ON s.run = r.id "
                "WHERE s.item = (SELECT id FROM item WHERE key = ?)",
                (item,),
            ).fetchall()
            margins: dict[str, dict[int, float | None]] = {}
            for run, number, margin in connection.execute(
                "SELECT r.key, j.number, j.margin FROM run r JOIN judged j ON j.run = r.id "
                "WHERE j.item = (SELECT id FROM item WHERE key = ?)",
                (item,),
            ):
                margins.setdefault(run, {})[number] = margin
        known = {run: (position, np.frombuffer(scores, "<f8")) for run, position, scores in rows}
        return tuple(
            ModelScores(run, *known[run.key], margins.get(run.key, {})) for run in self.runs() if run.key in known
        )

    def searchable(self, run: str) -> tuple[int, int]:
        """Of how many of a run's items the texts can be searched, and the number of its items."""
        with self._connection() as connection:
            row = connection.execute("SELECT id, texts FROM run WHERE key = ?", (run,)).fetchone()
            own, texts = row or (0, "")
            (total,) = connection.execute("SELECT count(*) FROM scored WHERE run = ?", (own,)).fetchone()
            if texts == "":
                return total, total  # All of its texts were read: no need to look at each item.
            (found,) = connection.execute(
                "SELECT total(has_words) FROM scored s JOIN item i ON i.id = s.item WHERE s.run = ?", (own,)
            ).fetchone()
        return int(found), total


def _run_of(row: tuple[Any, ...]) -> IndexedRun:
    key, folder, state, benchmark, title, model, kind, variant, running, note, error, texts = row
    own = Path(os.fsdecode(folder)), state, benchmark, title, model, kind, variant
    return IndexedRun(key, *own, bool(running), note, error, texts)
