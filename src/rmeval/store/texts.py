"""Single items of a run folder, with the texts that it stores."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rmeval.store.items import reading_items
from rmeval.types import Message, Response

__all__ = ["StoredTexts", "read_texts"]

_SCAN = 1 << 14
_DECODE = 1 << 9
"""Rows that are decoded at once: texts may be long."""


class StoredTexts(NamedTuple):
    """What the folder keeps of one item beside its columns.

    Attributes:
        cluster: The underlying problem.
        digests: The conversation digest of each response.
        prompt: The messages before the response; None where the run does not store texts.
        responses: The responses' texts, and their messages where they hold more.
        tools: The tools that the responses may call.
    """

    cluster: str
    digests: tuple[str, ...]
    prompt: tuple[Message, ...] | None
    responses: tuple[Response, ...]
    tools: tuple[Mapping[str, Any], ...]


def read_texts(path: Path, names: Collection[str], run: str | None = None) -> dict[str, StoredTexts]:
    """Read some items by id. In a large file, only the parts that contain them are decoded.

    Args:
        path: The file `items.parquet`.
        names: The ids.
        run: The run that they must belong to, if the file names one.

    Raises:
        RunError: If the file is missing or damaged.
    """
    wanted = pa.array(list(names), pa.string())
    with reading_items(path, run) as file:
        columns = ["id", "cluster", "prompt", *[name for name in ("tools",) if name in file.schema_arrow.names]]
        columns += [f"responses.list.element.{name}" for name in ("digest", "text", "extras")]
        return {
            row["id"]: _texts(row)
            for group in range(file.num_row_groups)
            if _holds(file, group, wanted)
            for row in _rows(file, group, columns, wanted)
        }


def _holds(file: pq.ParquetFile, group: int, wanted: pa.Array[Any]) -> bool:
    batches = file.iter_batches(_SCAN, row_groups=[group], columns=["id"])
    return any(bool(pc.any(pc.is_in(batch.column("id"), value_set=wanted)).as_py()) for batch in batches)


def _rows(file: pq.ParquetFile, group: int, columns: list[str], wanted: pa.Array[Any]) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(_DECODE, row_groups=[group], columns=columns):
        yield from batch.filter(pc.is_in(batch.column("id"), value_set=wanted)).to_pylist()


def _texts(row: Mapping[str, Any]) -> StoredTexts:
    own = row["responses"] or ()
    prompt = row["prompt"]
    tools = json.loads(row["tools"]) if row.get("tools") else []
    return StoredTexts(
        row["cluster"],
        tuple(one["digest"] for one in own),
        None if prompt is None else tuple(_message(one["role"], one["content"], one["extras"]) for one in prompt),
        () if prompt is None else tuple(map(_response, own)),
        tuple(tools),
    )


def _response(fields: Mapping[str, Any]) -> Response:
    message = _message("assistant", fields["text"], fields["extras"]) if fields["extras"] else None
    return Response(fields["text"], message=message)


def _message(role: str, content: str, extras: str | None) -> Message:
    more: dict[str, Any] = json.loads(extras) if extras else {}
    if "tool_calls" in more:
        more["tool_calls"] = tuple(more["tool_calls"])
    return Message(role, content, **more)
