"""Reading of parquet files row by row, within limits, as a small file may decompress to any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rmeval.errors import DataError, reason_of
from rmeval.limits import limit
from rmeval.messages import quoted

__all__ = ["Unreadable", "parquet_rows"]

_BATCH, _FEW = 1 << 12, 1 << 6
_BUDGET = 1 << 26
"""Maximum size of a batch of rows in bytes, unless a single row is larger."""
_UNEVEN = 16
"""Largest size of a batch, as a multiple of the mean."""
_LONG = 1 << 16
"""Size of a dictionary's text in bytes above which lists of its texts are measured before they are unpacked."""
_PER_VALUE = 24
"""Minimum number of bytes of a value in a list, including null."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Placeholder for a value that Python cannot represent, such as a date in the year 20000.

    Attributes:
        reason: Why it cannot be read.
    """

    reason: str


def parquet_rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the rows of a parquet file, each with its position for messages.

    Raises:
        DataError: If the file is not a parquet file, is broken, or exceeds a limit.
    """
    with path.open("rb") as start:
        if start.read(len(_MAGIC)) not in (_MAGIC, _ENCRYPTED):
            raise DataError(f"{path} is not a parquet file (its first bytes differ): check the file's format")
    try:
        with pq.ParquetFile(path) as file:
            _check(file, path)
            number = 0
            for batch in _batches(file, path):
                names = batch.schema.names
                for values in zip(*map(_values, batch.columns), strict=True):
                    yield dict(zip(names, values, strict=True)), f"{path} row {number}"
                    number += 1
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{path} cannot be read as parquet ({reason_of(error)}): write or download it again") from error


_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"


def _check(file: pq.ParquetFile, path: Path) -> None:
    """Raise an error if a limit is exceeded or if columns or fields share a name."""
    rows, columns = limit("ROWS"), limit("COLUMNS")
    if file.metadata.num_rows > rows:
        raise DataError(
            f"{path} has {file.metadata.num_rows:,} rows, more than {rows:,}: split it, or set RMEVAL_MAX_ROWS"
        )
    if file.metadata.num_columns > columns:
        raise DataError(
            f"{path} has {file.metadata.num_columns:,} columns, more than {columns:,}: remove some, or set "
            "RMEVAL_MAX_COLUMNS"
        )
    _check_names(list(file.schema_arrow), path, "two columns", limit("NESTING"))


def _check_names(fields: Sequence[pa.Field[Any]], path: Path, what: str, depth: int) -> None:
    if depth < 1:
        raise DataError(f"{path}: its columns are nested more than {limit('NESTING')} deep (RMEVAL_MAX_NESTING)")
    seen: set[str] = set()
    for field in fields:
        if field.name in seen:
            raise DataError(f"{path}: {what} have the name {quoted(field.name)}: rename one")
        seen.add(field.name)
        if children := [field.type.field(k) for k in range(field.type.num_fields)]:
            inside = "two fields of one object" if pa.types.is_struct(field.type) else "two parts of one list"
            _check_names(children, path, inside, depth - 1)


def _batches(file: pq.ParquetFile, path: Path) -> Iterator[pa.RecordBatch]:
    """Yield batches of rows, each as long as the limit allows."""
    longest = limit("LINE_BYTES")
    with _with_dictionaries(file, path) as texts:
        for group in range(file.num_row_groups):
            if not file.metadata.row_group(group).num_rows:
                continue
            row = max(1, sum(_row_bytes(texts, path, group, column) for column in range(file.metadata.num_columns)))
            for batch in file.iter_batches(max(1, min(_BATCH, _BUDGET // row)), row_groups=[group]):
                if batch.nbytes > longest and batch.num_rows == 1:
                    raise _too_large(path, longest)
                yield batch


def _too_large(path: Path, longest: int) -> DataError:
    return DataError(
        f"{path} has rows of more than {longest:,} bytes: check that it is the data file, or set RMEVAL_MAX_LINE_BYTES"
    )


def _with_dictionaries(file: pq.ParquetFile, path: Path) -> pq.ParquetFile:
    """Open the file so that a text that many rows share is unpacked once."""
    columns = [file.schema.column(k) for k in range(file.metadata.num_columns)]
    names = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
    return pq.ParquetFile(path, read_dictionary=names, metadata=file.metadata)


def _row_bytes(file: pq.ParquetFile, path: Path, group: int, column: int) -> int:
    """Return an upper estimate of the bytes of a column's values in each row of a group."""
    place = file.metadata.row_group(group)
    chunk, kind = place.column(column), file.schema.column(column)
    listed = kind.max_repetition_level > 0
    if listed and chunk.num_values * _PER_VALUE > limit("LINE_BYTES") * (1 + place.num_rows // _BATCH):
        raise _too_large(path, limit("LINE_BYTES"))
    values = max(1, -(-chunk.num_values // place.num_rows))
    plain = _UNEVEN * (chunk.total_uncompressed_size // place.num_rows + values * _PER_VALUE)
    if kind.physical_type != "BYTE_ARRAY" or not chunk.has_dictionary_page:
        return plain
    # The file stores a dictionary's text only once, even if it occurs in many rows.
    text = longest = _longest(file, kind.path, group)
    if listed and longest > _LONG:
        text = max(map(_most_in_a_row, _column_of(file, kind.path, group, _BATCH)), default=0)
    if text > limit("LINE_BYTES"):
        raise _too_large(path, limit("LINE_BYTES"))
    return plain + max(text, longest * values)


def _column_of(file: pq.ParquetFile, name: str, group: int, rows: int) -> Iterator[Any]:
    """Yield a column in batches, with its texts in a dictionary."""
    return (batch.column(0) for batch in file.iter_batches(rows, row_groups=[group], columns=[name], use_threads=False))


def _longest(file: pq.ParquetFile, name: str, group: int) -> int:
    """Return the length of the longest text in a column's dictionary, which is loaded with the first value."""
    for column in _column_of(file, name, group, _FEW):
        leaf = column
        while not pa.types.is_dictionary(leaf.type):
            if not leaf.type.num_fields:
                return 0
            leaf = leaf.field(0) if pa.types.is_struct(leaf.type) else leaf.values
        if len(leaf.dictionary):
            lengths: Any = pc.binary_length(leaf.dictionary)
            return int(pc.max(lengths).as_py() or 0)
    return 0


def _most_in_a_row(column: Any) -> int:
    """Return the largest number of text bytes in a row of a column whose texts are in a dictionary."""
    return max((_total(column.slice(k, 1)) for k in range(len(column))), default=0)


def _total(column: Any) -> int:
    if pa.types.is_dictionary(column.type):
        lengths: Any = pc.binary_length(column.dictionary)
        return int(pc.sum(lengths.take(column.indices)).as_py() or 0)
    if pa.types.is_struct(column.type):
        return _total(column.flatten()[0])
    return _total(column.flatten()) if column.type.num_fields else 0


def _values(column: Any) -> list[Any]:
    """Return the values of a column; a value that Python cannot represent is `Unreadable`."""
    try:
        values: list[Any] = column.to_pylist()
        return values
    except MemoryError:
        raise
    except _NO_VALUE:
        return [_value(one) for one in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except MemoryError:
        raise
    except _NO_VALUE as error:
        if pa.types.is_timestamp(scalar.type) and scalar.type.tz is not None and isinstance(error, pa.ArrowException):
            # pyarrow's message only states that a package is missing.
            return Unreadable(f"the time zone {quoted(scalar.type.tz)} is unknown")
        return Unreadable(reason_of(error))


_NO_VALUE = (pa.ArrowException, ValueError, ArithmeticError, LookupError, TypeError, ImportError)
"""Exceptions that pyarrow, datetime, decimal and time zones raise."""
