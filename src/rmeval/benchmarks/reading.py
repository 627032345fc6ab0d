"""Reading tables from files: JSON Lines, JSON, CSV and parquet, with errors that say where."""

from __future__ import annotations

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rmeval.errors import DataError

__all__ = ["SUFFIXES", "Placed", "iterate_fields", "kind_of", "read_json"]

_BATCH = 1 << 12
_LFS = b"version https://git-lfs"
SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".csv", ".parquet")
Placed = tuple[dict[str, Any], str]
"""The fields of a row, and where it stands."""


def iterate_fields(path: Path, nested: bool = False) -> Iterator[Placed]:
    """Reads a table from JSONL (also gzipped), JSON (a list of objects), CSV or parquet, by the file's ending.

    Args:
        path: The file.
        nested: Whether JSON may also be an object; each list of objects in it holds rows then.

    Raises:
        DataError: If the file is missing, empty, broken (with the line) or of an unknown kind.
    """
    if not path.is_file():
        raise DataError(f"there is no file {path}: check the path")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: it must hold at least one row")
    try:
        with path.open("rb") as file:
            if file.read(len(_LFS)) == _LFS:
                raise DataError(f"{path} is a Git LFS pointer, not the data: run 'git lfs pull' where it was cloned")
        row, suffix = None, _suffix(path)
        for row in _json(path, nested) if suffix == ".json" else _READERS[suffix](path):
            yield row
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}): convert it") from error
    except csv.Error as error:
        raise DataError(f"{path} is broken CSV ({error}): check its quotes and line ends") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} is cut short: download it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}): check it and its permissions") from error
    if row is None:
        raise DataError(f"{path} holds no rows: it must hold at least one")


def read_json(path: Path) -> Any:
    """Reads one JSON document.

    Raises:
        DataError: If it is broken, with the line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}): convert it") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path} line {error.lineno}: broken JSON ({error.msg}): mend the file") from error
    except RecursionError as error:
        raise DataError(f"{path} is nested too deeply: check that it is the data file") from error
    except ValueError as error:
        raise DataError(f"{path} cannot be read as JSON ({error}): mend the file") from error


def _suffix(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return suffix
    raise DataError(f"{path} is of a kind that cannot be read: use one of {', '.join(SUFFIXES)}")


def kind_of(value: object) -> str:
    """What kind of value it is, in the words of JSON."""
    return _KINDS.get(type(value), type(value).__name__)


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


def _object(value: Any, where: str) -> Placed:
    if not isinstance(value, dict):
        raise DataError(f"{where}: a row must be a JSON object, not {kind_of(value)}: check that it is the data file")
    try:
        # JSON can spell half of a surrogate pair, which is no character and cannot be tokenised or stored.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: there is half of a surrogate pair in its text: replace it") from error
    return value, where


def _json(path: Path, nested: bool = False) -> Iterator[Placed]:
    document = read_json(path)
    if nested and isinstance(document, dict):
        for name, values in document.items():
            if isinstance(values, list) and any(isinstance(value, dict) for value in values):
                for number, value in enumerate(values):
                    yield _object(value, f"{path} {name} entry {number}")
        return
    if not isinstance(document, list):
        raise DataError(f"{path} must hold a list of objects, not {kind_of(document)}: check that it is the data file")
    for number, value in enumerate(document):
        yield _object(value, f"{path} entry {number}")


def _jsonl(path: Path) -> Iterator[Placed]:
    with (
        gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as file
    ):
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            where = f"{path} line {number}"
            try:
                yield _object(json.loads(line), where)
            except json.JSONDecodeError as error:
                raise DataError(
                    f"{where}: broken JSON ({error.msg} at column {error.colno}): mend or remove the line"
                ) from error
            except (RecursionError, ValueError) as error:
                raise DataError(f"{where}: JSON that cannot be read ({error}): mend or remove the line") from error


def _csv(path: Path) -> Iterator[Placed]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        csv.field_size_limit(sys.maxsize)
        reader = csv.DictReader(file, strict=True)
        names = list(reader.fieldnames or ())
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise DataError(f"{path} line 1: two columns have the name {twice!r}: rename one")
        for fields in reader:
            where = f"{path} line {reader.line_num}"
            if None in fields or None in fields.values():
                raise DataError(f"{where}: this row has not as many fields as the header: check its quotes and commas")
            yield fields, where


def _parquet(path: Path) -> Iterator[Placed]:
    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(_BATCH):
                for fields in batch.to_pylist():
                    yield fields, f"{path} row {number}"
                    number += 1
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is no parquet file ({str(error).splitlines()[0]}): download it again") from error


_READERS = {".jsonl": _jsonl, ".jsonl.gz": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}
