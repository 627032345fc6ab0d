"""Writing of rows as JSON Lines, JSON, CSV or parquet, by the ending of the file's name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rmeval.errors import RunError, explain_os_error
from rmeval.files import json_bytes, replacing

__all__ = ["WRITTEN", "RowWriter", "row_writer", "write_rows"]

Rows = Iterable[Mapping[str, Any]]
RowWriter = Callable[[BinaryIO, Rows], None]
"""Writes rows to an open file. Values that are not JSON are written as text."""


def row_writer(path: Path) -> RowWriter:
    """The writer of a file; a name without an ending is JSON Lines.

    Raises:
        RunError: If the ending is unknown.
    """
    if (ending := path.suffix.lower()) not in WRITTEN:
        raise RunError(
            f"{path}: the ending {ending} is not one of a format that rmeval writes: choose "
            f"{', '.join(name for name in WRITTEN if name)} with `out`"
        )
    return WRITTEN[ending]


def write_rows(target: Path, rows: Iterable[Mapping[str, Any]], write: RowWriter) -> None:
    """Write a file of rows, which replaces an existing one when it is complete.

    Raises:
        RunError: If it cannot be written.
    """
    try:
        with replacing(target) as file:
            write(file, rows)
    except OSError as error:
        raise explain_os_error(error, str(target)) from error


def _write_lines(file: BinaryIO, rows: Rows) -> None:
    for fields in rows:
        file.write(json_bytes(fields, default=str) + b"\n")


def _write_json(file: BinaryIO, rows: Rows) -> None:
    before = b"["
    for fields in rows:
        file.write(before + b"\n" + json_bytes(fields, default=str))
        before = b","
    file.write(b"[]\n" if before == b"[" else b"\n]\n")


def _write_csv(file: BinaryIO, rows: Rows) -> None:
    """Lists and objects are written as JSON, null as nothing."""
    columns = _columns(rows)
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    # With other line ends, Python before 3.13 does not quote a carriage return within a cell.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(zip(*([_cell(value) for value in column] for column in columns.values()), strict=True))
    text.detach()


def _write_parquet(file: BinaryIO, rows: Rows) -> None:
    """A column whose values have no common type is written as JSON."""
    pq.write_table(pa.table({name: _array(values) for name, values in _columns(rows).items()}), file)


WRITTEN: Mapping[str, RowWriter] = {
    ".jsonl": _write_lines,
    ".json": _write_json,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    "": _write_lines,
}
"""The writer of each ending."""


def _columns(rows: Rows) -> dict[str, list[Any]]:
    """All columns in order of first appearance; a value that a row lacks is None."""
    found: dict[str, list[Any]] = {}
    for number, fields in enumerate(rows):
        for name in (name for name in fields if name not in found):
            found[name] = [None] * number
        for name, column in found.items():
            column.append(fields.get(name))
    return found


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return _json(value)


def _json(value: Any) -> str:
    return json_bytes(value, default=str).decode()


def _array(values: list[Any]) -> Any:
    plain = json.loads(_json(values))
    try:
        found = pa.array(plain)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        found = None
    if found is None or _has_empty(plain):
        return pa.array([None if value is None else _json(value) for value in plain])
    return found


def _has_empty(value: Any) -> bool:
    """Whether a value has an object without fields, which parquet cannot hold."""
    if isinstance(value, dict):
        return not value or any(map(_has_empty, value.values()))
    return isinstance(value, list) and any(map(_has_empty, value))
