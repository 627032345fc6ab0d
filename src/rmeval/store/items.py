"""`items.parquet`: the items of a run without their texts, and what was counted in those."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rmeval.data.digests import item_digests
from rmeval.data.memory import release_free
from rmeval.data.style import TextCounts, count_text
from rmeval.data.tables import Codes, ItemTable, ItemTableBuilder, Mask, Shape
from rmeval.errors import DamagedError
from rmeval.files import json_bytes
from rmeval.store.parquet import reading, writing
from rmeval.types import Comparison, Item, Message, Response

__all__ = [
    "CountedItem",
    "Counts",
    "StoredItems",
    "add_tokens",
    "count_item",
    "read_items",
    "same_items",
    "write_items",
]

_COUNTS = tuple(TextCounts.__dataclass_fields__)
_RESPONSE = pa.struct(
    [
        ("gold", pa.float64()),
        ("style", pa.string()),
        ("source", pa.string()),
        ("digest", pa.string()),
        ("tokens", pa.int64()),
        *[(name, pa.int64()) for name in _COUNTS],
        ("text", pa.string()),
        ("extras", pa.string()),
    ]
)
_COMPARISON = pa.struct([("members", pa.list_(pa.int64())), ("gold", pa.int64()), ("tag", pa.string())])
_COLUMNS: dict[str, pa.DataType] = {
    "id": pa.string(),
    "subset": pa.string(),
    "cluster": pa.string(),
    "group": pa.string(),
    "meta": pa.string(),
    "shape": pa.int32(),
    "responses": pa.list_(_RESPONSE),
    "comparisons": pa.list_(_COMPARISON),
    "prompt": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("extras", pa.string())])),
    "tools": pa.string(),
}
_LATER = {"shape", "tools"}
"""Columns that files of earlier versions lack."""
_EARLIER = {"contests": "comparisons"}
"""Columns that files of earlier versions have under another name."""


Counts = Mapping[str, Codes]
"""What was counted in the responses, int32[responses] by name: `characters` and `markdown`."""
_ROWS = 1 << 14
_Text = TypeVar("_Text", str, str | None)
_MARKDOWN = ("headers", "lists", "bold", "code")


class CountedItem(NamedTuple):
    """An item with its texts, the conversation digest of each response, and what was counted in each."""

    item: Item
    digests: tuple[str, ...]
    counts: tuple[TextCounts, ...]


def count_item(item: Item) -> CountedItem:
    """Counts and digests an item that has its texts; what its meta holds becomes plain, and NaN in it null."""
    item = _named(replace(item, meta=_plain(item.meta) if item.meta else {}))
    return CountedItem(item, item_digests(item), tuple(count_text(response.text) for response in item.responses))


def _plain(meta: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(dict(meta), default=str), parse_constant=lambda name: None)
    return plain


def _named(item: Item) -> Item:
    """The item with names that a file of UTF-8 can hold; names of files and JSON may have lone surrogates."""
    names = (item.id, item.subset, item.cluster, item.group, *(c.tag for c in item.comparisons))
    names += tuple(name for response in item.responses for name in (response.style, response.source))
    if all(name is None or name == _encodable(name) for name in names):
        return item
    return replace(
        item,
        id=_encodable(item.id),
        subset=_encodable(item.subset),
        cluster=_encodable(item.cluster),
        group=_encodable(item.group),
        comparisons=tuple(replace(comparison, tag=_encodable(comparison.tag)) for comparison in item.comparisons),
        responses=tuple(
            replace(response, style=_encodable(response.style), source=_encodable(response.source))
            for response in item.responses
        ),
    )


def _encodable(text: _Text) -> _Text:
    r"""Text with lone surrogates as the escapes that JSON has for them, such as `\udce9`."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True)
class StoredItems:
    """Items as a run folder keeps them.

    Attributes:
        table: The items, without texts.
        counts: What was counted in their responses.
        digests: Gives the conversation digests of each item's responses, item by item, anew at each call.
        checksum: That of the file that they were read from, if it has one.
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
    """Writes the items.

    Args:
        items: The items with their texts.
        shapes: int32[n], a number that items of one shape share.
        path: The file, which is replaced.
        texts: Whether to keep prompts and answers; benchmarks' licences may forbid passing them on.
        run: The run that they are of, from `run_id`.
    """
    schema = pa.schema(_COLUMNS)
    with writing(path, schema, run) as writer:
        rows: list[dict[str, Any]] = []
        for entry, shape in zip(items, shapes.tolist(), strict=True):
            rows.append(_row(entry, shape, texts))
            if len(rows) == _ROWS:
                writer.write_table(pa.Table.from_pylist(rows, schema=schema))
                rows = []
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
    release_free()


def _row(entry: CountedItem, shape: int, texts: bool) -> dict[str, Any]:
    item = entry.item
    return {
        "id": item.id,
        "subset": item.subset,
        "cluster": item.cluster,
        "group": item.group,
        "meta": json_bytes(dict(item.meta), default=str).decode(),
        "shape": shape,
        "responses": [
            {
                "gold": response.gold,
                "style": response.style,
                "source": response.source,
                "digest": digest,
                "tokens": None,
                **{name: getattr(counts, name) for name in _COUNTS},
                "text": _encodable(response.text) if texts else None,
                "extras": _extras(response.message) if texts else None,
            }
            for response, digest, counts in zip(item.responses, entry.digests, entry.counts, strict=True)
        ],
        "comparisons": [{"members": c.members, "gold": c.gold, "tag": c.tag} for c in item.comparisons],
        "prompt": (
            [{"role": _encodable(m.role), "content": _encodable(m.content), "extras": _extras(m)} for m in item.prompt]
            if texts
            else None
        ),
        "tools": json_bytes(list(item.tools)).decode() if texts and item.tools else None,
    }


def _extras(message: Message | None) -> str | None:
    """Tool calls and the like of a message, as JSON; None where there are none."""
    return json_bytes(message.extras).decode() if message is not None and message.extras else None


def add_tokens(path: Path, tokens: Codes, run: str | None = None) -> None:
    """Writes the length of each rendered conversation into the file.

    Args:
        path: The file.
        tokens: int32[responses]; -1 where it is not known.
        run: The run that the items are of, from `run_id`.
    """
    with writing(path, pa.schema(_COLUMNS), run) as writer:
        for table in _with_tokens(path, tokens):
            writer.write_table(table)
    release_free()


def _with_tokens(path: Path, tokens: Codes) -> Iterator[pa.Table]:
    start = 0
    with _reading(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group).combine_chunks()
            place = table.schema.get_field_index("responses")
            lists: Any = table.column(place).combine_chunks()
            parts = {field.name: column for field, column in zip(_RESPONSE, lists.values.flatten(), strict=True)}
            own = tokens[start : start + len(lists.values)]
            start += len(own)
            parts["tokens"] = pa.array(own, pa.int64(), mask=own < 0)
            values = pa.StructArray.from_arrays(list(parts.values()), fields=list(_RESPONSE))
            column = pa.ListArray.from_arrays(lists.offsets, values)
            yield table.set_column(place, table.schema.field(place), column)


def same_items(known: StoredItems, path: Path, other: Path) -> bool:
    """Whether two files hold the same items with the same texts and the same winners, in the same order.

    Args:
        known: What was read from the first file.
        path: The first file; other items than those that were read, if it was replaced meanwhile, are not the same.
        other: The second file.
    """
    columns = ["id", "subset", "cluster", "comparisons", "responses.list.element.digest"]
    tables = []
    for file in (path, other):
        with _reading(file) as table:
            if file == path and _checksum(table) != known.checksum:
                return False
            found = table.read(columns=_named_in(table, columns))
            tables.append(found.rename_columns([_EARLIER.get(name, name) for name in found.column_names]))
    return bool(tables[0].equals(tables[1]))


def _named_in(table: pq.ParquetFile, columns: Iterable[str]) -> list[str]:
    """The names that a file has for some columns."""
    names = {own: name for name, own in _EARLIER.items() if name in table.schema_arrow.names}
    return [names.get(column, column) for column in columns]


def _checksum(table: pq.ParquetFile) -> bytes | None:
    return (table.metadata.metadata or {}).get(b"sha256")


_NEEDED = [
    *(name for name in _COLUMNS if name not in ("responses", "prompt", *_LATER)),
    *(f"responses.list.element.{name}" for name in ("gold", "style", "source", *_COUNTS)),
]


def read_items(path: Path, run: str | None = None) -> StoredItems:
    """Reads what `write_items` wrote.

    Args:
        path: The file.
        run: The run that they must be of, where the file says so.

    Raises:
        RunError: If the file is missing or damaged.
    """
    builder = ItemTableBuilder()
    counts: dict[str, list[Codes]] = {"characters": [], "markdown": []}
    known: dict[int, int] = {}
    with _reading(path, run) as file:
        names, checksum = file.schema_arrow.names, _checksum(file)
        if set(_COLUMNS) - _LATER - {_EARLIER.get(name, name) for name in names} or not file.metadata.num_rows:
            raise pa.ArrowInvalid("it lacks rows or columns")
        needed = [*_NEEDED, *(["shape"] if "shape" in names else [])]
        for batch in file.iter_batches(_ROWS, columns=_named_in(file, needed)):
            batch = batch.rename_columns([_EARLIER.get(name, name) for name in batch.schema.names])
            responses: Any = batch.column("responses")
            responses = responses.flatten()
            found = {name: pc.struct_field(responses, name).to_numpy(zero_copy_only=False) for name in _COUNTS}
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
    """Takes the rows of a batch in; only those are decoded whose shape was not seen before."""
    # Files of before there were numbers of shapes have each item decoded.
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
    with _reading(path) as file:
        if _checksum(file) != checksum:
            raise DamagedError(f"{path} was replaced while it was read: give the same command again")
        for batch in file.iter_batches(_ROWS, columns=["responses.list.element.digest"]):
            for responses in batch.column("responses").to_pylist():
                yield tuple(response["digest"] for response in responses or ())


@contextmanager
def _reading(path: Path, run: str | None = None) -> Iterator[pq.ParquetFile]:
    """The file, with one error for whatever a damaged one makes of itself."""
    try:
        with reading(path, run) as file:
            yield file
    except DamagedError as error:
        raise DamagedError(
            f"{error}: restore it from a copy, or give the command that made the run again to write it anew"
        ) from error
