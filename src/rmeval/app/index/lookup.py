"""A query of comparisons with the names in it looked up, and the rows that it finds."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.app.index.entries import ComparisonRow, Tally
from rmeval.app.index.query import Condition, ItemQuery, Key, Segment, segments_of, subsets_of, words_condition
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.results.cells import cells_named

__all__ = ["Lookup"]


@dataclass(frozen=True)
class Lookup:
    """A query with the names in it looked up."""

    connection: sqlite3.Connection
    segments: tuple[Segment, ...]
    other: int | None

    @classmethod
    def of(cls, connection: sqlite3.Connection, query: ItemQuery) -> Lookup:
        """Look up the names in a query.

        Raises:
            DataError: If a run, subset or cell does not exist.
        """
        run, benchmark, sections = _run(connection, query.run)
        condition = Condition().plus("j.run = ?", run)
        if query.subsets:
            ids = sorted(
                set(subsets_of(json.loads(sections), _present(connection, "subset", benchmark), query.subsets))
            )
            condition = _among(condition, "subset", ids)
        if query.cells:
            cells = _present(connection, "cell", benchmark)
            condition = _among(condition, "cell", sorted(cells[name] for name in cells_named(list(cells), query.cells)))
        other = None
        if query.other is not None:
            other, own, _ = _run(connection, query.other)
            if own != benchmark:
                raise DataError("the two runs are of different benchmarks: choose two of one benchmark")
            condition = condition.plus("(j.margin > 0) != (o.margin > 0)")
        return cls(connection, segments_of(query, words_condition(condition, query.text)), other)

    @property
    def _tables(self) -> str:
        joined = f" JOIN judged o ON o.run = {self.other} AND o.item = j.item AND o.number = j.number"
        return f"judged j{joined if self.other is not None else ''}"

    def tally(self) -> Tally:
        """Count the comparisons by outcome."""
        counts = np.zeros(4)
        for segment in self.segments:
            own = segment.condition
            counts += self.connection.execute(
                "SELECT total(j.margin > 0), total(j.margin < 0), total(j.margin = 0), total(j.margin IS NULL) "
                f"FROM {self._tables} WHERE {own.text}",
                own.values,
            ).fetchone()
        return Tally(*map(int, counts))

    def rows(self, key: Key | None, backward: bool, limit: int) -> list[ComparisonRow]:
        """The rows after a place, or those before it with the nearest first."""
        found: list[ComparisonRow] = []
        segments = self.segments[::-1] if backward else self.segments
        # The place of another order is none in this one.
        if not any(key is not None and segment.holds(key) for segment in segments):
            key = None
        for segment in segments:
            if key is not None and not segment.holds(key):
                continue
            found += self._rows(segment, key, backward, limit - len(found))
            key = None  # The next segment is read from its beginning.
            if len(found) == limit:
                break
        return found

    def _rows(self, segment: Segment, key: Key | None, backward: bool, limit: int) -> list[ComparisonRow]:
        condition, down = segment.condition, segment.descending != backward
        columns = segment.columns
        if key is not None:
            values = (*(() if segment.column is None else (key.value,)), self._item(key), key.number)
            places = ", ".join("?" * len(values))
            condition = condition.plus(f"({', '.join(columns)}) {'<' if down else '>'} ({places})", *values)
        order = ", ".join(f"{column} {'DESC' if down else 'ASC'}" for column in columns)
        other = "NULL" if self.other is None else "o.margin"
        rows = self.connection.execute(
            "SELECT i.key, i.name, i.excerpt, q.number, s.name, c.name, q.margin, q.length, q.other FROM (SELECT "
            f"j.item, j.number, j.subset, j.cell, j.margin, j.length, {other} AS other "
            f"FROM {self._tables} WHERE {condition.text} ORDER BY {order} LIMIT {limit}) q "
            "JOIN item i ON i.id = q.item JOIN subset s ON s.id = q.subset JOIN cell c ON c.id = q.cell "
            f"ORDER BY {order.replace('j.', 'q.')}",
            condition.values,
        )
        return [ComparisonRow(*own) for own in rows]

    def _item(self, key: Key) -> int:
        found = self.connection.execute("SELECT id FROM item WHERE key = ?", (key.item,)).fetchone()
        if found is None:
            raise DataError(f"there is no item {quoted(key.item)}: start at the first page")
        return int(found[0])


def _run(connection: sqlite3.Connection, key: str) -> tuple[int, int, str]:
    question = "SELECT r.id, b.id, b.sections FROM run r JOIN benchmark b ON b.id = r.benchmark WHERE r.key = ?"
    found: tuple[int, int, str] | None = connection.execute(question, (key,)).fetchone()
    if found is None:
        raise DataError(f"there is no run {quoted(key)}: choose one of the list")
    return found


def _present(connection: sqlite3.Connection, table: str, benchmark: int) -> dict[str, int]:
    return dict(connection.execute(f"SELECT name, id FROM {table} WHERE benchmark = ? ORDER BY id", (benchmark,)))


def _among(condition: Condition, column: str, ids: Sequence[int]) -> Condition:
    return condition.plus(f"j.{column} IN ({', '.join('?' * len(ids))})", *ids)
