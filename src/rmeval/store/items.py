"""The file `items.parquet`: the items of a run without their texts, and counts of the texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rmeval.data.digests import item_digests
from rmeval.data.memory import release_free
from rmeval.data.style import TextCounts, count_text
from rmeval.data.tables import Codes, ItemTable, ItemTableBuilder, Mask, Shape
from rmeval.errors import DamagedError
from rmeval.store.item_columns import COLUMNS, COUNTS, RESPONSE, ItemRows, encodable
from rmeval.store.parquet import reading, writing
from rmeval.types import Comparison, Item, Response

__all__ = [
    "CountedItem",
    "Counts",
    "StoredItems",
    "add_tokens",
    "count_item",
    "read_items",
    "reading_items",
    "same_items",
    "write_items",
]

_LATER = {"shape", "tools"}
"""Columns that files of earlier versions lack."""
_EARLIER = {"contests": "comparisons"}
"""Names of columns in files of earlier versions, and their names now."""


Counts = Mapping[str, Codes]
"""Counts of the responses, int32[responses] by name: `characters` and `markdown`."""
_ROWS = 1 << 14
_MARKDOWN = ("headers", "lists", "bold", "code")


class CountedItem(NamedTuple):
    """An item with its texts, and the conversation digest and counts of each response."""

    item: Item
    digests: tuple[str, ...]
    counts: tuple[TextCounts, ...]


def count_item(item: Item) -> CountedItem:
    """Count and digest an item with texts; the values of its meta become plain JSON types, and NaN null."""
    item = _named(replace(item, meta=_plain(item.meta)) if item.meta else item)
    return CountedItem(item, item_digests(item), tuple([count_text(response.text) for response in item.responses]))


def _plain(meta: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(dict(meta), default=str), parse_constant=lambda name: None)
    return plain


def _named(item: Item) -> Item:
    """The item with names that UTF-8 can encode; names from files and JSON may have lone surrogates."""
    names = [item.id, item.subset, item.cluster, item.group or "", *[comparison.tag for comparison in item.comparisons]]
    names += [name for one in item.responses for name in (one.style, one.source) if name]
    if (together := "".join(names)) == encodable(together):
        return item
    return replace(
        item,
        id=encodable(item.id),
        subset=encodable(item.subset),
        cluster=encodable(item.cluster),
        group=encodable(item.group),
        comparisons=tuple(replace(comparison, tag=encodable(comparison.tag)) for comparison in item.comparisons),
        responses=tuple(
            replace(response, style=encodable(response.style), source=encodable(response.source))
            for response in item.responses
        ),
    )


@dataclass(frozen=True)
class StoredItems:
    """Items as a run folder stores them.

    Attributes:
        table: The items, without texts.
        counts: The counts of their responses.
        digests: Returns an iterator over the conversation digests of each item's responses; can be called repeatedly.
        checksum: The checksum of the file from which they were read, if it has one.
    """

    table: ItemTable
    counts: Counts
    digests: Callable[[], Iterator[Sequence[str]]]
    checksum: bytes | None = None

    def __iter__(self) -> Iterator[tuple[Item, Sequence[str]]]:
        """Each item with the digests of its responses."""
        return zip(self.table, self.digests(), strict=True)

    def take(self, items: Mask) -> StoredItems:
        """The items for which the mask bool[n] is true."""
        responses = self.table.responses(items)
        return StoredItems(
            self.table.take(items),
            {name: column[responses] for name, column in self.counts.items()},
            lambda: compress(self.digests(), items),
        )


def write_items(items: Iterable[CountedItem], shapes: Codes, path: Path, texts: bool, run: str | None = None) -> None:
    """Write the items.

    Args:
        items: The items with their texts.
        shapes: int32[n], a number that all items of a shape share.
        path: The file, which is replaced.
        texts: Whether to store prompts and responses; licences of benchmarks may forbid redistribution.
        run: The run to which they belong, from `run_id`.
    """
    with writing(path, pa.schema(COLUMNS), run) as writer:
        rows = ItemRows(texts)
        for one, shape in zip(items, shapes.tolist(), strict=True):
            if len(rows) == _ROWS:
                writer.write_table(rows.table())
                rows = ItemRows(texts)
            rows.add(one.item, shape, one.digests, one.counts)
        if len(rows):
            writer.write_table(rows.table())
    release_free()


def add_tokens(path: Path, tokens: Codes, run: str | None = None) -> None:
    """Write the length of each rendered conversation into the file.

    Args:
        path: The file.
        tokens: int32[responses]; -1 for an unknown length.
        run: The run to which the items belong, from `run_id`.
    """
    with writing(path, pa.schema(COLUMNS), run) as writer:
        for table in _with_tokens(path, tokens):
            writer.write_table(table)
    release_free()


def _with_tokens(path: Path, tokens: Codes) -> Iterator[pa.Table]:
    start = 0
    with reading_items(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group).combine_chunks()
            place = table.schema.get_field_index("responses")
            lists: Any = table.column(place).combine_chunks()
            parts = {field.name: column for field, column in zip(RESPONSE, lists.values.flatten(), strict=True)}
            own = tokens[start : start + len(lists.values)]
            start += len(own)
            parts["tokens"] = pa.array(own, pa.int64(), mask=own < 0)
            values = pa.StructArray.from_arrays(list(parts.values()), fields=list(RESPONSE))
            column = pa.ListArray.from_arrays(lists.offsets, values)
            yield table.set_column(place, table.schema.field(place), column)


def same_items(known: StoredItems, path: Path, other: Path) -> bool:
    """Whether two files hold the same items with the same texts and the same winners, in the same order.

    Args:
        known: The items read from the first file.
        path: The first file; if it was replaced since it was read, the result is False.
        other: The second file.
    """
    columns = ["id", "subset", "cluster", "comparisons", "responses.list.element.digest"]
    tables = []
    for file in (path, other):
        with reading_items(file) as table:
            if file == path and _checksum(table) != known.checksum:
                return False
            found = table.read(columns=_named_in(table, columns))
            tables.append(found.rename_columns([_EARLIER.get(name, name) for name in found.column_names]))
    return bool(tables[0].equals(tables[1]))


def _named_in(table: pq.ParquetFile, columns: Iterable[str]) -> list[str]:
    """The names of some columns in a file."""
    names = {own: name for name, own in _EARLIER.items() if name in table.schema_arrow.names}
    return [names.get(column, column) for column in columns]


def _checksum(table: pq.ParquetFile) -> bytes | None:
    return (table.metadata.metadata or {}).get(b"sha256")


_NEEDED = [
    *(name for name in COLUMNS if name not in ("responses", "prompt", *_LATER)),
    *(f"responses.list.element.{name}" for name in ("gold", "style", "source", *COUNTS)),
]


def read_items(path: Path, run: str | None = None) -> StoredItems:
    """Read a file of `write_items`.

    Args:
        path: The file.
        run: The run to which the items must belong, if the file names one.

    Raises:
        RunError: If the file is missing or damaged.
    """
    builder = ItemTableBuilder()
    counts: dict[str, list[Codes]] = {"characters": [], "markdown": []}
    known: dict[int, int] = {}
    with reading_items(path, run) as file:
        names, checksum = file.schema_arrow.names, _checksum(file)
        if set(COLUMNS) - _LATER - {_EARLIER.get(name, name) for name in names} or not file.metadata.num_rows:
            raise pa.ArrowInvalid("it lacks rows or columns")
        needed = [*_NEEDED, *(["shape"] if "shape" in names else [])]
        for batch in file.iter_batches(_ROWS, columns=_named_in(file, needed)):
            batch = batch.rename_columns([_EARLIER.get(name, name) for name in batch.schema.names])
            responses: Any = batch.column("responses")
            responses = responses.flatten()
            found = {name: pc.struct_field(responses, name).to_numpy(zero_copy_only=False) for name in COUNTS}
            counts["characters"].append(found["characters"].astype(np.int32))
            counts["markdown"].append(np.sum([found[name] for name in _MARKDOWN], axis=0).astype(np.int32))
            _add_batch(builder, batch, known)
    return StoredItems(
        builder.table(),
        {name: np.concatenate(parts) for name, parts in counts.items()},
        lambda: _digests(path, checksum),
        checksum,
    )


def _add_batch(builder: ItemTableBuilder, batch: pa.RecordBatch, known: dict[int, int]) -> None:
    """Add the rows of a batch; only rows with a new shape are decoded."""
    # Files of earlier versions have no numbers of shapes, so every item is decoded.
    numbered = "shape" in batch.schema.names
    shapes = batch.column("shape").to_pylist() if numbered else [-1 - row for row in range(len(batch))]
    if not numbered:
        known.clear()
    fresh = {shape: row for row, shape in reversed(list(enumerate(shapes))) if shape not in known}
    for shape, fields in zip(fresh, batch.take(pa.array(list(fresh.values()), pa.int64())).to_pylist(), strict=True):
        known[shape] = builder.code(
            Shape(
                tuple(_response(response) for response in fields["responses"]),
                tuple(Comparison(tuple(c["members"]), c["gold"], c["tag"]) for c in fields["comparisons"]),
                fields["group"],
                fields["meta"],
            )
        )
    columns = (batch.column(name).to_pylist() for name in ("id", "subset", "cluster"))
    for name, subset, cluster, shape in zip(*columns, shapes, strict=True):
        builder.add_shape(name, subset, cluster, known[shape])


def _response(fields: Mapping[str, Any]) -> Response:
    return Response("", fields["gold"], fields["style"], fields["source"])


def _digests(path: Path, checksum: bytes | None) -> Iterator[Sequence[str]]:
    with reading_items(path) as file:
        if _checksum(file) != checksum:
            raise DamagedError(f"{path} was replaced while rmeval read it: run the same command again")
        for batch in file.iter_batches(_ROWS, columns=["responses.list.element.digest"]):
            for responses in batch.column("responses").to_pylist():
                yield tuple(response["digest"] for response in responses or ())


@contextmanager
def reading_items(path: Path, run: str | None = None) -> Iterator[pq.ParquetFile]:
    """Open the file; add advice to the error of a damaged one."""
    try:
        with reading(path, run) as file:
            yield file
    except DamagedError as error:
        raise DamagedError(
            f"{error}: restore it from a copy, or run the command of the run again to rewrite it"
        ) from error
