"""The columns of `items.parquet`, and the writing of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from rmeval.data.style import TextCounts
from rmeval.files import json_bytes
from rmeval.types import Item, Message

__all__ = ["COLUMNS", "COUNTS", "RESPONSE", "ItemRows", "encodable"]

COUNTS = TextCounts._fields
RESPONSE = pa.struct(
    [
        ("gold", pa.float64()),
        ("style", pa.string()),
        ("source", pa.string()),
        ("digest", pa.string()),
        ("tokens", pa.int64()),
        *[(name, pa.int64()) for name in COUNTS],
        ("text", pa.string()),
        ("extras", pa.string()),
    ]
)
_COMPARISON = pa.struct([("members", pa.list_(pa.int64())), ("gold", pa.int64()), ("tag", pa.string())])
COLUMNS: dict[str, pa.DataType] = {
    "id": pa.string(),
    "subset": pa.string(),
    "cluster": pa.string(),
    "group": pa.string(),
    "meta": pa.string(),
    "shape": pa.int32(),
    "responses": pa.list_(RESPONSE),
    "comparisons": pa.list_(_COMPARISON),
    "prompt": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string()), ("extras", pa.string())])),
    "tools": pa.string(),
}
_Text = TypeVar("_Text", str, str | None)


def encodable(text: _Text) -> _Text:
    r"""Text with lone surrogates replaced by JSON escapes, such as `\udce9`."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class ItemRows:
    """Rows of the file, collected in columns; values that all items of a shape share are converted once."""

    def __init__(self, texts: bool) -> None:
        self._texts = texts
        self._own: dict[str, list[Any]] = {name: [] for name in ("id", "subset", "cluster", "shape", "prompt", "tools")}
        self._of_responses: dict[str, list[Any]] = {name: [] for name in ("digest", "text", "extras")}
        self._counts: list[TextCounts] = []
        self._shared: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self._own["id"])

    def add(self, item: Item, shape: int, digests: Sequence[str], counts: Sequence[TextCounts]) -> None:
        """Add a row.

        Args:
            item: The item.
            shape: A number that all items of a shape share.
            digests: The conversation digest of each response.
            counts: The counts of each response.
        """
        own = (item.id, item.subset, item.cluster, shape)
        for column, value in zip(self._own.values(), own, strict=False):
            column.append(value)
        self._of_responses["digest"] += digests
        self._counts += counts
        if shape not in self._shared:
            self._shared[shape] = _shared(item)
        if self._texts:
            self._own["prompt"].append([_row_of(message) for message in item.prompt])
            self._own["tools"].append(json_bytes(list(item.tools)).decode() if item.tools else None)
            self._of_responses["text"] += [encodable(response.text) for response in item.responses]
            self._of_responses["extras"] += [_extras(response.message) for response in item.responses]

    def table(self) -> pa.Table:
        """All rows so far."""
        places = {code: place for place, code in enumerate(self._shared)}
        distinct = pa.Table.from_pylist(list(self._shared.values()), schema=_SHARED)
        shared = distinct.take(pa.array([places[code] for code in self._own["shape"]], pa.int64()))
        lists: Any = shared.column("responses").combine_chunks()
        parts = dict(zip(_SHARED_RESPONSE, lists.flatten().flatten(), strict=True))
        parts |= dict(zip(COUNTS, np.array(self._counts, np.int64).reshape(-1, len(COUNTS)).T, strict=True))
        parts |= self._of_responses
        fields = [_filled(parts.get(field.name), len(self._counts), field.type) for field in RESPONSE]
        responses = pa.StructArray.from_arrays(fields, fields=list(RESPONSE))
        columns: dict[str, Any] = {name: shared.column(name) for name in ("group", "meta", "comparisons")} | self._own
        columns["responses"] = pa.ListArray.from_arrays(lists.offsets, responses)
        return pa.table(
            {name: _filled(columns[name], len(shared), kind) for name, kind in COLUMNS.items()},
            schema=pa.schema(COLUMNS),
        )


_SHARED_RESPONSE = ("gold", "style", "source")
_SHARED = pa.schema(
    {name: COLUMNS[name] for name in ("group", "meta", "comparisons")}
    | {"responses": pa.list_(pa.struct([RESPONSE.field(name) for name in _SHARED_RESPONSE]))}
)


def _shared(item: Item) -> dict[str, Any]:
    """The values that all items of a shape share."""
    return {
        "group": item.group,
        "meta": json_bytes(dict(item.meta), default=str).decode(),
        "comparisons": [{"members": one.members, "gold": one.gold, "tag": one.tag} for one in item.comparisons],
        "responses": [
            {
                "gold": response.gold,
                "style": response.style,
                "source": response.source,
            }
            for response in item.responses
        ],
    }


def _filled(values: Any, length: int, kind: pa.DataType) -> Any:
    """A column; all null if there are no values."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    return pa.array([None] * length if values is None or not len(values) else values, kind)


def _row_of(message: Message) -> dict[str, Any]:
    return {"role": encodable(message.role), "content": encodable(message.content), "extras": _extras(message)}


def _extras(message: Message | None) -> str | None:
    """Additional fields of a message, such as tool calls, as JSON; None if there are none."""
    return json_bytes(message.extras).decode() if message is not None and message.extras else None
