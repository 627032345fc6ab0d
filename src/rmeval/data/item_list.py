"""Lists of items by id, some with the probability with which each of them was drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rmeval.data.digests import digest
from rmeval.data.rows import Row, read_rows
from rmeval.errors import DataError
from rmeval.messages import quoted

__all__ = ["ItemList", "list_notes", "read_item_list"]


@dataclass(frozen=True, slots=True)
class ItemList:
    """Ids of items.

    Attributes:
        file: The file, for messages.
        probabilities: The probability with which each item was drawn, by id; None where the file has none.
        total: Number of items from which they were drawn; None if the file does not state it.
        weighted: Whether the file has a column `weight`, as a short form has.
    """

    file: str
    probabilities: dict[str, float | None]
    total: int | None = None
    weighted: bool = False

    @property
    def drawn(self) -> bool:
        """Whether the file states the probability of each item."""
        return None not in self.probabilities.values()

    def entry(self) -> dict[str, Any]:
        """Return what `run.json` states about the list."""
        return {
            "file": Path(self.file).name,
            "count": len(self.probabilities),
            "drawn": self.drawn,
            "digest": digest(sorted(self.probabilities.items())),
            **({"weighted": True} if self.weighted else {}),
        }


def list_notes(entry: Mapping[str, Any]) -> list[str]:
    """Return a note if the plain numbers of the items of a list do not estimate those of all items.

    Args:
        entry: What `run.json` states about the list.
    """
    name = entry.get("file", "a list")
    if entry.get("drawn"):
        return [
            f"the items of {name} were drawn with different probabilities, which these numbers ignore: `rmeval "
            "estimate` with `items` estimates the number of all items"
        ]
    if entry.get("weighted"):
        return [
            f"the items of {name} have weights, which these numbers ignore: rmeval items with `informative` and "
            "`estimate` estimates the number of all items"
        ]
    return []


def read_item_list(path: str | Path) -> ItemList:
    """Read a list of items: a table in any supported format with a column `id`, and optionally `probability` and `of`.

    Raises:
        DataError: If it cannot be read, an id is missing or repeated, or a probability is not above 0 and at most 1.
    """
    if not isinstance(path, str | Path) or not str(path):
        raise DataError(f"`items` is {path!r}: give the file of a list of items with a column id")
    found: dict[str, float | None] = {}
    totals: set[str] = set()
    weighted = False
    for row in read_rows(Path(path)):
        name = row.name("id")
        if name in found:
            raise DataError(f"{row.where}: the id {quoted(name)} is in an earlier row: give each item once")
        found[name] = _probability(row)
        totals.add(str(row.fields.get("of")))
        weighted = weighted or row.fields.get("weight") is not None
    if len({chance is None for chance in found.values()}) > 1:
        raise DataError(f"{path} has a probability in some rows only: give one in each row, or in none")
    total = totals.pop() if len(totals) == 1 else ""
    return ItemList(str(path), found, int(total) if total.isdecimal() else None, weighted)


def _probability(row: Row) -> float | None:
    value = row.fields.get("probability")
    if value is None:
        return None
    try:
        chance = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        chance = math.nan
    if not 0 < chance <= 1:
        raise DataError(f"{row.where}: the probability must be above 0 and at most 1, not {quoted(value)}: correct it")
    return chance
