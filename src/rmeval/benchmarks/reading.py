"""Reading tables from files: JSON Lines, JSON, CSV and parquet, with errors that say where."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from rmeval.errors import DataError

__all__ = ["SUFFIXES", "Placed", "iterate_fields", "kind_of", "read_json", "read_object", "stem_of"]

_BATCH = 1 << 12
_LFS = b"version https://git-lfs"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00")
"""How text in UTF-16 or UTF-32 begins, byte order mark or not, in its first or its second byte."""
_PACKED = ("", ".gz", ".zst")
SUFFIXES = (*(f"{kind}{packed}" for kind in (".jsonl", ".ndjson", ".json", ".csv") for packed in _PACKED), ".parquet")
"""Endings of the names of files that can be read."""
Placed = tuple[dict[str, Any], str]
"""The fields of a row, and where it stands."""


def iterate_fields(path: Path, nested: bool = False) -> Iterator[Placed]:
    """Reads a table from JSON Lines, JSON, CSV or parquet, by the file's ending.

    JSON and JSON Lines are recognised by their contents: either may have the name of the other, and objects may follow
    one another over several lines. Files may be compressed with gzip or Zstandard, whatever their name says.

    Args:
        path: The file.
        nested: Whether JSON may also be an object; each list of objects in it holds rows then.

    Raises:
        DataError: If the file is missing, empty, broken (with the line) or of an unknown kind.
    """
    row = None
    with _errors_of(path):
        for row in _READERS[_suffix(path)](path, nested):
            yield row
    if row is None:
        raise DataError(f"{path} holds no rows: it must hold at least one")


def read_json(path: Path) -> Any:
    """Reads one JSON document, which may be compressed.

    Raises:
        DataError: If it is broken, with the line.
    """
    with _errors_of(path), _text(path) as file:
        return _document(file.read(), path)


def read_object(path: Path) -> dict[str, Any] | None:
    """The object that a file of JSON is; None where the file holds a list, several objects, or no JSON.

    Raises:
        DataError: If the file cannot be read.
    """
    if not path.name.endswith(tuple(f".json{packed}" for packed in _PACKED)):
        return None
    with _errors_of(path), _text(path) as file:
        first = next(filter(str.strip, file), "")
        if not first.lstrip().startswith("{"):
            return None
        # Of JSON Lines no more than two lines are read.
        rest = next(filter(str.strip, file), "") if _parsed(first)[0] == "whole" else file.read()
    try:
        found: dict[str, Any] = json.loads(first + rest)
    except (ValueError, RecursionError):
        return None  # Several objects, or a broken one, which the reader of rows refuses.
    return found


def stem_of(path: Path) -> str:
    """A file's name without the ending that says what kind it is; dots of the name itself stay."""
    name = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return path.stem


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Refuses files that cannot be read, and says what is wrong with one that cannot be read to its end."""
    if path.is_dir():
        raise DataError(f"{path} is a folder: give the file in it")
    if not path.is_file():
        raise DataError(f"there is no file {path}: check the path")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: it must hold at least one row")
    try:
        with path.open("rb") as file:
            if file.read(len(_LFS)) == _LFS:
                raise DataError(f"{path} is a Git LFS pointer, not the data: run 'git lfs pull' where it was cloned")
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}): convert it") from error
    except csv.Error as error:
        raise DataError(f"{path} is broken CSV ({error}): check its quotes and line ends") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} is cut short or broken: download it again") from error
    except OSError as error:
        if error.errno is None:  # What decompression says of the bytes, not the system of the file.
            raise DataError(f"{path} is cut short or broken ({_first_words(error)}): download it again") from error
        raise DataError(f"{path} cannot be read ({error.strerror or error}): check it and its permissions") from error


def _first_words(error: Exception) -> str:
    return str(error).partition("\n")[0]


@contextmanager
def _text(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """A file's text, decompressed."""
    with path.open("rb") as file:
        start = file.read(len(_ZSTD))
    with _unpacked(path, start) as stream:
        first = stream.peek(2)[:2]
        if first in _WIDE or b"\x00" in first:
            raise DataError(f"{path} is not UTF-8 text but UTF-16 or the like: convert it, as iconv -t UTF-8 does")
        with io.TextIOWrapper(stream, encoding="utf-8-sig", newline=newline) as text:
            yield text


def _unpacked(path: Path, start: bytes) -> io.BufferedReader | gzip.GzipFile:
    if start.startswith(_GZIP):
        return gzip.open(path, "rb")
    if start == _ZSTD:
        stream: Any = pa.input_stream(str(path), compression="zstd")
        return io.BufferedReader(stream)
    return path.open("rb")


def _suffix(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return "." + suffix.split(".")[1]
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


def _json(path: Path, nested: bool) -> Iterator[Placed]:
    """The rows of JSON or JSON Lines, which the first line that is not blank shows, and whether others follow."""
    with _text(path) as file:
        lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        if (first := next(lines, None)) is None:
            return
        state, value = _parsed(first[1])
        second = None if state == "open" else next(lines, None)
        head = [first, second] if second else [first]
        if _is_lines(state, value, second is not None, _suffix(path) != ".json"):
            yield from _rows_of_lines(chain(head, lines), path)
            return
        if state != "whole" or second is not None:
            text = "\n" * (first[0] - 1) + "".join(line for _, line in head) + file.read()
            found = _objects(text) if text.lstrip().startswith("{") else []
            value = found if len(found) > 1 else found[0] if found else _document(text, path)
    yield from _rows_of_document(value, path, nested)


def _parsed(line: str) -> tuple[str, Any]:
    """Whether a line is a `whole` value, then with the value, or the beginning of an `open` one, or `broken`."""
    try:
        return "whole", json.loads(line)
    except json.JSONDecodeError as error:
        return ("open" if error.pos >= len(line.rstrip()) else "broken"), None
    except (RecursionError, ValueError):
        return "broken", None


def _is_lines(state: str, value: Any, more: bool, named: bool) -> bool:
    """Whether a file is JSON Lines, from its first line, whether others follow, and whether it is named so."""
    if isinstance(value, dict):
        return more or named
    table = not more and isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
    return named and state != "open" and not table


def _objects(text: str) -> list[Any]:
    """Objects that follow one another over several lines; none if the text is anything else."""
    decoder, found, place = json.JSONDecoder(), [], 0
    text = text.strip()
    try:
        while place < len(text):
            value, place = decoder.raw_decode(text, place)
            found.append(value)
            while text[place : place + 1].isspace():
                place += 1
    except (ValueError, RecursionError):
        return []
    return found


def _document(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} line {error.lineno}: broken JSON ({error.msg}): correct it, or download the file again"
        ) from error
    except RecursionError as error:
        raise DataError(f"{path} is nested too deeply: check that it is the data file") from error
    except ValueError as error:
        raise DataError(f"{path} cannot be read as JSON ({error}): correct it") from error


def _rows_of_document(document: Any, path: Path, nested: bool) -> Iterator[Placed]:
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


def _rows_of_lines(lines: Iterable[tuple[int, str]], path: Path) -> Iterator[Placed]:
    for number, line in lines:
        where = f"{path} line {number}"
        try:
            yield _object(json.loads(line), where)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{where}: broken JSON ({error.msg} at column {error.colno}): correct or remove the line"
            ) from error
        except (RecursionError, ValueError) as error:
            raise DataError(f"{where}: JSON that cannot be read ({error}): correct or remove the line") from error


def _csv(path: Path, nested: bool) -> Iterator[Placed]:
    with _text(path, newline="") as file:
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


def _parquet(path: Path, nested: bool) -> Iterator[Placed]:
    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(_BATCH):
                for fields in batch.to_pylist():
                    yield fields, f"{path} row {number}"
                    number += 1
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is no parquet file ({_first_words(error)}): download it again") from error


_READERS: dict[str, Callable[[Path, bool], Iterator[Placed]]] = {
    ".jsonl": _json,
    ".ndjson": _json,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
