"""Reading of tables from JSON Lines, JSON, CSV, TSV and parquet, with errors that name file and line."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from rmeval.data.json_text import JSONError, json_values, parse_json
from rmeval.data.parquet import Unreadable, parquet_rows
from rmeval.data.unpacking import errors_of, first_line_of, lines_of, text_of, whole_of
from rmeval.errors import DataError
from rmeval.limits import limit
from rmeval.messages import quoted, shortened

__all__ = ["SUFFIXES", "Placed", "iterate_fields", "kind_of", "read_json", "read_object", "stem_of"]

logger = logging.getLogger(__name__)

_PACKED = ("", ".gz", ".zst")
_TEXT = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
SUFFIXES = (*(f"{kind}{packed}" for kind in _TEXT for packed in _PACKED), ".parquet")
"""Suffixes of supported files."""
Placed = tuple[dict[str, Any], str]
"""The fields of a row, and its place for messages."""


def iterate_fields(path: Path, nested: bool = False) -> Iterator[Placed]:
    """Read a table from JSON Lines, JSON, CSV, TSV or parquet, according to the file's suffix.

    JSON and JSON Lines are recognised by their contents: either may have the suffix of the other, and consecutive
    objects may each take several lines. Fields of CSV may be separated by semicolons or tabs, if the header has these
    and no comma. Files may be compressed with gzip or Zstandard, with any name.

    Args:
        path: The file.
        nested: Whether JSON may also be an object, in which each list of objects contains rows.

    Raises:
        DataError: If the file is missing, empty, broken or of an unknown format.
    """
    row = None
    with errors_of(path):
        for row in _READERS[_suffix(path)](path, nested):
            yield row
    if row is None:
        raise DataError(f"{path} has no rows: add at least one")


def read_json(path: Path) -> Any:
    """Read one JSON document, which may be compressed.

    Raises:
        DataError: If it is broken; the message names the line.
    """
    with errors_of(path), text_of(path) as file:
        return _document(whole_of(file, path), path)


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the object of a JSON file; None if the file contains a list, several objects, or no JSON.

    Raises:
        DataError: If the file cannot be read.
    """
    if not path.name.endswith(tuple(f".json{packed}" for packed in _PACKED)):
        return None
    with errors_of(path), text_of(path) as file:
        first = first_line_of(file, path)
        if not first.lstrip().startswith("{"):
            return None
        # For JSON Lines, this reads at most two lines.
        rest = first_line_of(file, path) if _parsed(first)[0] == "whole" else whole_of(file, path)
    try:
        found: dict[str, Any] = parse_json(first + rest)
    except ValueError:
        return None  # Several objects, or a broken object, for which the reader of rows raises an error.
    return found


def stem_of(path: Path) -> str:
    """Return a file's name without the suffixes of its format; other dots are kept."""
    name = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return path.stem


def _suffix(path: Path) -> str:
    for suffix in SUFFIXES:
        if path.name.endswith(suffix):
            return "." + suffix.split(".")[1]
    raise DataError(f"{path} has an unsupported format: use one of {', '.join(SUFFIXES)}")


def kind_of(value: object) -> str:
    """Return the type of a value, in terms of JSON."""
    if isinstance(value, Unreadable):
        return f"a value that cannot be read ({value.reason})"
    return _KINDS.get(type(value), type(value).__name__)


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    bytes: "bytes",
}


def _object(value: Any, where: str, most: int) -> Placed:
    if not isinstance(value, dict):
        raise DataError(f"{where}: a row must be a JSON object, not {kind_of(value)}: check that it is the data file")
    if len(value) > most:
        raise DataError(f"{where}: the row has {len(value):,} columns, more than {most:,} (RMEVAL_MAX_COLUMNS)")
    return value, where


def _json(path: Path, nested: bool) -> Iterator[Placed]:
    """Yield the rows of JSON or JSON Lines, which are distinguished by their first lines."""
    with text_of(path) as file:
        lines = lines_of(file, path)
        if (first := next(lines, None)) is None:
            return
        state, value = _parsed(first[1])
        second = None if state == "open" else next(lines, None)
        head = [first, second] if second else [first]
        if _is_lines(state, value, second is not None, _suffix(path) != ".json"):
            yield from _rows_of_lines(chain(head, lines), path)
            return
        if state != "whole" or second is not None:
            text = "\n" * (first[0] - 1) + "".join(line for _, line in head) + whole_of(file, path)
            found = _objects(text, path) if text.lstrip().startswith("{") else []
            value = found if len(found) > 1 else found[0] if found else _document(text, path)
    yield from _rows_of_document(value, path, nested)


def _parsed(line: str) -> tuple[str, Any]:
    """Classify a line: a `whole` value (returned with it), the beginning of an `open` value, or `broken`."""
    try:
        return "whole", parse_json(line)
    except json.JSONDecodeError as error:
        return ("open" if error.pos >= len(line.rstrip()) else "broken"), None
    except JSONError:
        return "broken", None


def _is_lines(state: str, value: Any, more: bool, named: bool) -> bool:
    """Return whether a file is JSON Lines, from its first line, the presence of further lines, and its name."""
    if isinstance(value, dict):
        return more or named
    table = not more and isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)
    return named and state != "open" and not table


def _objects(text: str, path: Path) -> list[Any]:
    """Return consecutive objects that take several lines; none if the text is anything else."""
    try:
        return list(json_values(text))
    except json.JSONDecodeError:
        return []
    except JSONError as error:
        raise _refused(error, path) from error


def _document(text: str, path: Path) -> Any:
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path} line {error.lineno}: broken JSON ({error.msg}): correct it, or download the file again"
        ) from error
    except JSONError as error:
        raise _refused(error, path) from error


def _refused(error: JSONError, where: object) -> DataError:
    return DataError(f"{where}: {error}: correct it")


def _rows_of_document(document: Any, path: Path, nested: bool) -> Iterator[Placed]:
    most = limit("COLUMNS")
    if nested and isinstance(document, dict):
        for name, values in document.items():
            if isinstance(values, list) and any(isinstance(value, dict) for value in values):
                for number, value in enumerate(values):
                    yield _object(value, f"{path} {shortened(name)} entry {number}", most)
        return
    if not isinstance(document, list):
        raise DataError(
            f"{path} must contain a list of objects, not {kind_of(document)}: check that it is the data file"
        )
    for number, value in enumerate(document):
        yield _object(value, f"{path} entry {number}", most)


def _rows_of_lines(lines: Iterable[tuple[int, str]], path: Path) -> Iterator[Placed]:
    most = limit("COLUMNS")
    for number, line in lines:
        where = f"{path} line {number}"
        try:
            value = parse_json(line)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{where}: broken JSON ({error.msg} at column {error.colno}): correct or remove the line"
            ) from error
        except JSONError as error:
            raise _refused(error, where) from error
        yield _object(value, where, most)


class _Records:
    """Iterator over lines of CSV, with a limit on the total length of a record's lines.

    Attributes:
        size: Number of characters of the current record so far.
    """

    def __init__(self, path: Path, lines: Iterator[tuple[int, str]]) -> None:
        self._path, self._lines, self._most, self.size = path, lines, limit("LINE_BYTES"), 0

    def __iter__(self) -> _Records:
        return self

    def __next__(self) -> str:
        number, line = next(self._lines)
        self.size += len(line)
        if self.size > self._most:
            raise DataError(
                f"{self._path} line {number}: a row is longer than {self._most:,} characters: check its quotes, or set "
                "RMEVAL_MAX_LINE_BYTES"
            )
        return line


def _csv(path: Path, nested: bool) -> Iterator[Placed]:
    longest = limit("LINE_BYTES")
    csv.field_size_limit(longest)
    with text_of(path, newline="") as file:
        records = _Records(path, lines_of(file, path, blank=True))
        header = next(records, "")
        reader = csv.reader(chain([header], records), strict=True, delimiter=_delimiter(header, path))
        names = next(reader, [])
        if len(names) > (most := limit("COLUMNS")):
            raise DataError(f"{path} line 1: there are {len(names):,} columns, more than {most:,} (RMEVAL_MAX_COLUMNS)")
        if len(set(names)) < len(names):
            twice = Counter(names).most_common(1)[0][0]
            raise DataError(f"{path} line 1: two columns have the name {quoted(twice)}: rename one")
        for values in reader:
            records.size = 0
            if not values:
                continue
            where = f"{path} line {reader.line_num}"
            if len(values) != len(names):
                raise DataError(
                    f"{where}: the row and the header have different numbers of fields: check the row's quotes and "
                    f"{_SEPARATORS[reader.dialect.delimiter]}s"
                )
            yield dict(zip(names, values, strict=True)), where


_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
_QUOTED = re.compile(r'"[^"]*("|\Z)')


def _delimiter(header: str, path: Path) -> str:
    """The character between fields: a tab in TSV; in CSV a comma, or another one if the header has only that."""
    if _suffix(path) == ".tsv":
        return "\t"
    plain = _QUOTED.sub("", header)
    found = [one for one in _SEPARATORS if one in plain]
    if "," in found or len(found) != 1:
        return ","
    logger.warning("%s: the fields of the CSV are separated by %ss", path, _SEPARATORS[found[0]])
    return found[0]


_READERS: dict[str, Callable[[Path, bool], Iterator[Placed]]] = {
    ".jsonl": _json,
    ".ndjson": _json,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _csv,
    ".parquet": lambda path, nested: parquet_rows(path),
}
