"""Rows of a file of results: of a table, or of a JSON object with columns or with lists of rows under several names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rmeval.data.rows import Row, iterate_rows
from rmeval.errors import DataError
from rmeval.importers.formats import from_csv
from rmeval.messages import shortened

__all__ = ["rows_of_file"]

_CSV = tuple(f".{kind}{packed}" for kind in ("csv", "tsv") for packed in ("", ".gz", ".zst"))


def rows_of_file(path: Path, document: Mapping[str, Any] | None) -> Iterable[Row]:
    """Return the rows of a file; in CSV, cells of number columns are parsed.

    Args:
        path: The file.
        document: Its object, if the file contains only one (see `rmeval.data.reading.read_object`).

    Raises:
        DataError: If the file cannot be read, or the object contains no rows.
    """
    if document is not None:
        return _rows_of_document(document, path)
    rows = iterate_rows(path)
    return map(from_csv, rows) if path.name.endswith(_CSV) else rows


def _rows_of_document(document: Mapping[str, Any], path: Path) -> list[Row]:
    """Return the rows of a JSON object with lists of rows or with columns; values that are not lists are ignored.

    Raises:
        DataError: If it contains neither.
    """
    lists = {name: values for name, values in document.items() if isinstance(values, list)}
    if any(lists.values()) and all(isinstance(row, dict) for values in lists.values() for row in values):
        return [
            Row({"_part": name} | row, f"{path} {shortened(name)} entry {number}")
            for name, rows in lists.items()
            for number, row in enumerate(rows)
        ]
    if not lists and sum(isinstance(value, int | float) for value in document.values()) > 1:
        raise DataError(
            f"{path} contains subset accuracies instead of scores: show them with rmeval show {path} --from-subsets"
        )
    lengths = {len(values) for values in lists.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise DataError(f"{path} must contain rows, or columns of equal length: check that it is a file of scores")
    names = list(lists)
    return [
        Row(dict(zip(names, values, strict=True)), f"{path} row {number}")
        for number, values in enumerate(zip(*lists.values(), strict=True))
    ]
