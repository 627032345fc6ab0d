"""Pins: digests of the subsets of benchmarks, with which a run's items are checked without the benchmark's data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from rmeval.data.digests import contents_digest, digest, gold_digest, unordered_digest
from rmeval.store.items import CountedItem, StoredItems, count_item
from rmeval.types import Item

__all__ = ["Pin", "Pins", "entry_of", "pinned", "pins_of_items", "pins_of_run"]

_FILE = "pins.json"


@dataclass(frozen=True, slots=True)
class Pin:
    """Digests of the items of one subset.

    Attributes:
        items: Number of items.
        contents: Digest of ids, prompts and responses.
        gold: Digest of the labels.
        facts: Digest of problems, groups, styles, and lengths of responses.
    """

    items: int
    contents: str
    gold: str
    facts: str


Pins = Mapping[str, Sequence[Pin]]
"""The accepted pins of each subset."""


def pins_of_run(stored: StoredItems) -> dict[str, Pin]:
    """Return the pin of each subset of a run's items."""
    sizes = stored.table.offsets.tolist()
    characters, markdown = (stored.counts[name].tolist() for name in ("characters", "markdown"))
    rows = (
        _Row(item, tuple(digests), tuple(zip(characters[start:end], markdown[start:end], strict=True)))
        for (item, digests), start, end in zip(stored, sizes, sizes[1:], strict=False)
    )
    return _pins(rows)


def pins_of_items(items: Iterable[Item]) -> dict[str, Pin]:
    """Return the pin of each subset of items with texts.

    Raises:
        DataError: If the items are read from data that cannot be read.
    """
    return _pins(map(_Row.of, map(count_item, items)))


@cache
def pinned(benchmark: str) -> Pins:
    """Return the pins of a benchmark that come with rmeval; empty if there are none."""
    known = json.loads(files("rmeval.results").joinpath(_FILE).read_text("utf-8"))
    found: dict[str, list[Pin]] = {}
    for entry in known.get(benchmark, ()):
        for subset, pin in entry["subsets"].items():
            found.setdefault(subset, []).append(Pin(**pin))
    return found


def entry_of(pins: Mapping[str, Pin], source: str, revision: str | None) -> dict[str, Any]:
    """Return the entry of `pins.json` for some data."""
    return {
        "source": source,
        "revision": revision,
        "subsets": {name: asdict(pin) for name, pin in sorted(pins.items())},
    }


@dataclass(frozen=True, slots=True)
class _Row:
    """An item with the digest and the counts of each response."""

    item: Item
    digests: tuple[str, ...]
    counts: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, one: CountedItem) -> _Row:
        return cls(one.item, one.digests, tuple((count.characters, count.markdown) for count in one.counts))

    def facts(self) -> list[Any]:
        """What numbers depend on besides contents and gold, with the responses in the order of their digests."""
        own = zip(self.digests, self.counts, self.item.responses, strict=True)
        responses = sorted([digest, *counts, one.style or "", one.source or ""] for digest, counts, one in own)
        return [self.item.id, self.item.group, responses]


def _pins(rows: Iterable[_Row]) -> dict[str, Pin]:
    """The pins of the subsets; only what the digests need is kept of each item."""
    contents: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    facts: dict[str, list[list[Any]]] = {}
    problems: dict[str, dict[str, list[str]]] = {}
    golds: dict[str, list[str]] = {}
    for row in rows:
        subset = row.item.subset
        contents.setdefault(subset, []).append((row.item.id, row.digests))
        facts.setdefault(subset, []).append(row.facts())
        problems.setdefault(subset, {}).setdefault(row.item.cluster, []).append(row.item.id)
        golds.setdefault(subset, []).append(gold_digest([(row.item, row.digests)]))
    # A run folder numbers the problems, so that only which items share one is known.
    shared = {subset: sorted(map(sorted, own.values())) for subset, own in problems.items()}
    return {
        subset: Pin(
            len(own),
            contents_digest(own),
            unordered_digest(golds[subset]),
            digest([unordered_digest(facts[subset]), shared[subset]]),
        )
        for subset, own in contents.items()
    }
