"""Records as items and as rows of files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rmeval.build.records import Candidate, Record, Side
from rmeval.data.digests import contents_digest
from rmeval.data.tables import Codes, ItemTable
from rmeval.metrics.scoring.style_substance import COMPARISONS, styled_responses
from rmeval.store.items import CountedItem, count_item
from rmeval.types import STYLES, Item, Message

__all__ = ["CountedItems", "cluster_of", "dataset_row", "item_of", "styled", "table_row"]


def styled(record: Record, side: Side) -> list[Candidate]:
    """The candidates of a side in the order of `STYLES`; a record that lacks one has fewer."""
    return [one for style in STYLES for one in record.of(side) if one.style == style]


def whole(text: str) -> str:
    """Replace halves of surrogate pairs, which files cannot contain."""
    return _LONE.sub("\ufffd", text)


_LONE = re.compile(r"[\ud800-\udfff]")


def cluster_of(record: Record) -> str:
    """The underlying problem, which several records may share, such as one task in several languages."""
    return str(record.problem.meta.get("cluster", record.key))


def item_of(record: Record) -> Item:
    """Return the item of a complete record."""
    problem = record.problem
    texts = ([whole(one.text) for one in styled(record, side)] for side in ("chosen", "rejected"))
    return Item(
        record.key,
        problem.domain,
        (Message("user", whole(problem.prompt)),),
        styled_responses(*texts),
        COMPARISONS,
        cluster_of(record),
    )


@dataclass(frozen=True)
class CountedItems:
    """The items of a benchmark, with the counts of their texts.

    Attributes:
        items: The items with their texts.
        table: The same without texts.
        counts: int32[responses] by name: `characters` and `markdown`.
        contents: Digest of ids and texts.
    """

    items: Sequence[Item]
    table: ItemTable
    counts: dict[str, Codes]
    contents: str

    @classmethod
    def of(cls, items: Sequence[Item]) -> CountedItems:
        """Count the texts of some items."""
        counted: list[CountedItem] = [count_item(item) for item in items]
        every = [count for one in counted for count in one.counts]
        return cls(
            items,
            ItemTable.of(items),
            {name: np.array([getattr(one, name) for one in every], np.int32) for name in ("characters", "markdown")},
            contents_digest((one.item.id, one.digests) for one in counted),
        )


def dataset_row(record: Record) -> dict[str, Any]:
    """Return the row of RM-Bench's `total_dataset.json`."""
    problem = record.problem
    return {
        "id": problem.id,
        "prompt": whole(problem.prompt),
        "chosen": [whole(one.text) for one in styled(record, "chosen")],
        "rejected": [whole(one.text) for one in styled(record, "rejected")],
        "domain": problem.domain,
    }


def table_row(record: Record, licence: str) -> dict[str, Any]:
    """Return the row of the table, with where the item comes from.

    Args:
        record: The record.
        licence: The benchmark's licence, for problems that have no other.
    """
    problem = record.problem
    change = next((one.change for one in styled(record, "rejected") if one.change is not None), None)
    return {
        **dataset_row(record),
        "language": problem.language,
        "cluster": cluster_of(record),
        "source": problem.source.data,
        "licence": problem.source.licence or licence,
        "error": None if change is None else asdict(change),
    }
