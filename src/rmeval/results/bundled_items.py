"""A copy of `items.parquet` without texts, for a bundle."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rmeval.errors import RunError, explain_os_error
from rmeval.limits import limit
from rmeval.store.item_columns import COLUMNS, RESPONSE
from rmeval.store.items import reading_items
from rmeval.store.parquet import writing

__all__ = ["copy_items", "refuse_large_items"]

_TEXTS = ("text", "extras")
_LONGEST = 200
"""Characters of a text in `meta`; a longer one may be a part of a prompt or a response."""
_BYTES = 8
"""The least memory of a value."""


def copy_items(source: Path, target: Path, run: str) -> None:
    """Copy the items without prompts, responses and tools.

    Args:
        source: The file of a run.
        target: The new file.
        run: The run to which the items belong, from `run_id`.

    Raises:
        RunError: If the file is missing or damaged, or of a version of rmeval that a bundle cannot be made from.
    """
    schema = pa.schema(COLUMNS)
    try:
        with reading_items(source, run) as file:
            if missing := [name for name in COLUMNS if name not in file.schema_arrow.names]:
                raise RunError(
                    f"{source} was written by an earlier rmeval (it lacks {', '.join(missing)}): "
                    "run the command of the run again with another `out`"
                )
            with writing(target, schema, run) as writer:
                for group in range(file.num_row_groups):
                    writer.write_table(_without_texts(file.read_row_group(group, columns=list(COLUMNS)), schema))
    except OSError as error:
        raise explain_os_error(error, str(target)) from error


def _without_texts(table: pa.Table, schema: pa.Schema) -> pa.Table:
    table = table.combine_chunks()
    columns: dict[str, Any] = {name: table.column(name) for name in schema.names}
    for name in ("prompt", "tools"):
        columns[name] = pa.nulls(len(table), schema.field(name).type)
    columns["meta"] = pa.array(list(map(_short, table.column("meta").to_pylist())), pa.string())
    lists: Any = table.column("responses").combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks)
    columns["responses"] = _bare(lists)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _bare(lists: Any) -> pa.Array[Any]:
    """The responses without their texts."""
    fields: list[pa.Field[Any]] = list(RESPONSE)
    values = lists.flatten()
    parts = [
        pa.nulls(len(values), field.type) if field.name in _TEXTS else values.field(field.name) for field in fields
    ]
    sizes = lists.value_lengths().to_numpy()
    offsets = pa.array([0, *sizes.cumsum().tolist()], pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(parts, fields=fields))


def _short(meta: str | None) -> str | None:
    """The facts of an item without long texts."""
    if meta is None or len(meta) <= _LONGEST:
        return meta
    facts = json.loads(meta)
    kept = {name: fact for name, fact in facts.items() if not (isinstance(fact, str) and len(fact) > _LONGEST)}
    return json.dumps(kept, ensure_ascii=False)


def refuse_large_items(file: Path) -> None:
    """Raise an error if a file of items that is not trusted would take more memory than the limit.

    Raises:
        RunError: If so.
    """
    most = limit("BUNDLE_BYTES")
    with reading_items(file) as table:
        stated = table.metadata
        columns = (
            stated.row_group(group).column(place)
            for group in range(stated.num_row_groups)
            for place in range(stated.num_columns)
        )
        size = sum(max(one.total_uncompressed_size, _BYTES * one.num_values) for one in columns)
        names = table.schema_arrow.names
    if size > most or size + _text_bytes(file, most) > most:
        raise RunError(f"{file.name} of the bundle would take more than {most:,} bytes: set RMEVAL_MAX_BUNDLE_BYTES")
    if set(names) != set(COLUMNS):
        raise RunError(f"{file.name} of the bundle has other columns than those of a run: ask for a bundle of rmeval")


def _text_bytes(file: Path, most: int) -> int:
    """The bytes of all texts of a file, counted until there are more than the limit.

    A file can state one long text for many rows in a few bytes. So each different text is read once.
    """
    total = 0
    with reading_items(file) as table:  # It turns errors of the block into those of a damaged file.
        leaves = [table.schema.column(place) for place in range(len(table.schema))]
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        with pq.ParquetFile(file, read_dictionary=texts) as distinct:
            for group, path in product(range(distinct.num_row_groups), texts):
                for chunk in distinct.read_row_group(group, columns=[path]).column(0).chunks:
                    leaf = _leaf(chunk)
                    sizes = pc.binary_length(leaf.dictionary.cast(pa.large_binary()))
                    total += pc.sum(sizes.take(leaf.indices)).as_py() or 0
                if total > most:
                    break
    return total


def _leaf(array: Any) -> Any:
    """The values of a column of lists and structures with one field."""
    while not pa.types.is_dictionary(array.type):
        array = array.flatten() if pa.types.is_list(array.type) else array.field(0)
    return array
