"""`items.parquet`: the items of a run without their texts, and what was counted in those."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rmeval.digests import item_digests
from rmeval.errors import RunError
from rmeval.text import TextCounts, count_text
from rmeval.types import Contest, Item, Message, Response, Step

__all__ = ["StoredItems", "read_items", "store_items", "write_items"]

_COUNTS = tuple(TextCounts.__dataclass_fields__)
_STEP = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("gold", pa.float64())])
_RESPONSE = pa.struct(
    [
        ("gold", pa.float64()),
        ("style", pa.string()),
        ("source", pa.string()),
        ("digest", pa.string()),
        ("tokens", pa.int64()),
        *[(name, pa.int64()) for name in _COUNTS],
        ("steps", pa.list_(_STEP)),
        ("text", pa.string()),
    ]
)
_CONTEST = pa.struct([("members", pa.list_(pa.int64())), ("gold", pa.int64()), ("tag", pa.string())])
_COLUMNS: dict[str, pa.DataType] = {
    "id": pa.string(),
    "subset": pa.string(),
    "cluster": pa.string(),
    "group": pa.string(),
    "weight": pa.float64(),
    "meta": pa.string(),
    "responses": pa.list_(_RESPONSE),
    "contests": pa.list_(_CONTEST),
    "prompt": pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
}


@dataclass(frozen=True, slots=True)
class StoredItems:
    """Items as a run folder keeps them.

    Attributes:
        items: The items; texts are empty unless they were stored.
        digests: By item id, the conversation digest of each response.
        counts: By item id, what was counted in each response.
    """

    items: tuple[Item, ...]
    digests: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, tuple[TextCounts, ...]]


def store_items(items: Iterable[Item]) -> StoredItems:
    """Counts and digests items that have their texts."""
    items = tuple(items)
    return StoredItems(
        items,
        {item.id: item_digests(item) for item in items},
        {item.id: tuple(count_text(response.text) for response in item.responses) for item in items},
    )


def write_items(stored: StoredItems, path: Path, texts: bool, tokens: Mapping[str, int] | None = None) -> None:
    """Writes the items.

    Args:
        stored: The items with their texts.
        path: The file, which is replaced.
        texts: Whether to keep prompts and answers; benchmarks' licences may forbid passing them on.
        tokens: Length of each rendered conversation by its digest, where it is known.
    """
    rows = [_row(item, stored, texts, tokens or {}) for item in stored.items]
    temporary = path.with_suffix(".tmp")
    pq.write_table(
        pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS)), temporary, compression="zstd", write_page_checksum=True
    )
    temporary.replace(path)


def _row(item: Item, stored: StoredItems, texts: bool, tokens: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": item.id,
        "subset": item.subset,
        "cluster": item.cluster,
        "group": item.group,
        "weight": item.weight,
        "meta": json.dumps(dict(item.meta), ensure_ascii=False, default=str),
        "responses": [
            {
                "gold": response.gold,
                "style": response.style,
                "source": response.source,
                "digest": digest,
                "tokens": tokens.get(digest),
                **{name: getattr(counts, name) for name in _COUNTS},
                "steps": [asdict(step) for step in response.steps],
                "text": response.text if texts else None,
            }
            for response, digest, counts in zip(
                item.responses, stored.digests[item.id], stored.counts[item.id], strict=True
            )
        ],
        "contests": [{"members": c.members, "gold": c.gold, "tag": c.tag} for c in item.contests],
        "prompt": [{"role": m.role, "content": m.content} for m in item.prompt] if texts else None,
    }


def read_items(path: Path) -> StoredItems:
    """Reads what `write_items` wrote.

    Raises:
        RunError: If the file is missing or damaged.
    """
    try:
        rows: Sequence[dict[str, Any]] = pq.read_table(path, page_checksum_verification=True).to_pylist()
        if not rows or set(_COLUMNS) - set(rows[0]):
            raise pa.ArrowInvalid("it lacks rows or columns")
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"{path} cannot be read: give the command that made the run again to write it anew") from error
    digests: dict[str, tuple[str, ...]] = {}
    counts: dict[str, tuple[TextCounts, ...]] = {}
    items: list[Item] = []
    for row in rows:
        responses = row["responses"]
        digests[row["id"]] = tuple(response["digest"] for response in responses)
        counts[row["id"]] = tuple(TextCounts(**{name: response[name] for name in _COUNTS}) for response in responses)
        items.append(
            Item(
                row["id"],
                row["subset"],
                tuple(Message(**message) for message in row["prompt"] or ()),
                tuple(_response(response) for response in responses),
                tuple(Contest(tuple(c["members"]), c["gold"], c["tag"]) for c in row["contests"]),
                row["cluster"],
                row["group"],
                row["weight"],
                json.loads(row["meta"]),
            )
        )
    return StoredItems(tuple(items), digests, counts)


def _response(fields: Mapping[str, Any]) -> Response:
    steps = tuple(Step(**step) for step in fields["steps"] or ())
    return Response(fields["text"] or "", fields["gold"], fields["style"], fields["source"], steps)
