"""Items and evidence as columns, so that a million of them fit into memory."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from itertools import compress
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
import numpy.typing as npt

from rmeval.data.names import CHUNK, Names
from rmeval.errors import DataError
from rmeval.messages import count_of
from rmeval.types import Comparison, Conversation, Evidence, FloatArray, IntArray, Item, Response

__all__ = [
    "Codes",
    "EvidenceTable",
    "ItemTable",
    "ItemTableBuilder",
    "Mask",
    "Shape",
    "starts",
]

Key = TypeVar("Key", bound=Hashable)
Name = TypeVar("Name")
Codes = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


class Shape(NamedTuple):
    """Part of an item that many items share: everything except id, subset, cluster and texts."""

    responses: tuple[Response, ...]
    comparisons: tuple[Comparison, ...]
    group: str | None
    meta: str

    def item(
        self,
        name: str,
        subset: str,
        cluster: str,
        prompt: Conversation = (),
        responses: tuple[Response, ...] | None = None,
        tools: tuple[Mapping[str, Any], ...] = (),
    ) -> Item:
        """Create an item of this shape; its responses have no texts unless they are given."""
        meta = {} if self.meta == "{}" else json.loads(self.meta)
        own = self.responses if responses is None else responses
        return Item(name, subset, prompt, own, self.comparisons, cluster, self.group, meta, tools)


@dataclass(frozen=True, eq=False)
class ItemTable(Sequence[Item]):
    """Items without their texts, as columns with one entry per item; as a sequence, it creates items on access.

    Clusters are numbers: the table stores only which items share one.

    Attributes:
        ids: The items' ids.
        subsets: The distinct subsets, in order of first appearance.
        subset: int32[n], position of each item's subset in `subsets`.
        cluster: int32[n], number of the underlying problem, in order of first appearance.
        shapes: The distinct shapes.
        shape: int32[n], position of each item's shape in `shapes`.
    """

    ids: Names
    subsets: tuple[str, ...]
    subset: Codes
    cluster: Codes
    shapes: tuple[Shape, ...]
    shape: Codes

    @classmethod
    def of(cls, items: Sequence[Item]) -> ItemTable:
        """Return the table of some items, or the items themselves if they are a table."""
        if isinstance(items, ItemTable):
            return items
        builder = ItemTableBuilder()
        for item in items:
            builder.add(item)
        return builder.table()

    @cached_property
    def offsets(self) -> Codes:
        """Offsets int32[n + 1]: the responses of item i are at `offsets[i]:offsets[i + 1]` in columns of responses."""
        return starts([len(shape.responses) for shape in self.shapes], self.shape)

    @property
    def sizes(self) -> Codes:
        """Number of responses of each item, int32[n]."""
        return np.diff(self.offsets)

    @property
    def counts(self) -> dict[str, int]:
        """Number of items by subset."""
        found = np.bincount(self.subset, minlength=len(self.subsets))
        return {name: int(count) for name, count in zip(self.subsets, found, strict=True) if count}

    def take(self, items: Mask) -> ItemTable:
        """Return the items where the mask bool[n] is true."""
        if items.all():
            return self
        # Numbered as if these items alone had been read, since the last bits of sums depend on their order.
        subset, subsets = _used(self.subset[items], self.subsets)
        shape, shapes = _used(self.shape[items], self.shapes)
        return replace(
            self,
            ids=Names(compress(self.ids, items)),
            subset=subset,
            subsets=subsets,
            cluster=_by_appearance(self.cluster[items]),
            shape=shape,
            shapes=shapes,
        )

    @property
    def tags(self) -> list[str]:
        """The distinct tags of comparisons, in order of first appearance."""
        used = np.unique(self.shape).tolist()
        return list(dict.fromkeys(one.tag for code in used for one in self.shapes[code].comparisons))

    def with_tags(self, tags: Collection[str]) -> ItemTable:
        """Return the same items with only the comparisons that have one of the tags."""
        shapes = [
            shape._replace(comparisons=tuple(one for one in shape.comparisons if one.tag in tags))
            for shape in self.shapes
        ]
        return replace(self, shapes=tuple(shapes))

    def responses(self, items: Mask) -> Mask:
        """Return whether each response belongs to an item where the mask bool[n] is true, bool[responses]."""
        return np.repeat(items, np.diff(self.offsets))

    def by_comparisons(self) -> Iterator[tuple[tuple[Comparison, ...], IntArray]]:
        """Yield each distinct set of comparisons with the positions of its items, in order."""
        yield from self._by_comparisons

    @cached_property
    def _by_comparisons(self) -> tuple[tuple[tuple[Comparison, ...], IntArray], ...]:
        # Every number of a benchmark needs it, and hashing the comparisons of all shapes takes milliseconds.
        return tuple(self.by(lambda shape: shape.comparisons))

    def by(self, key: Callable[[Shape], Key]) -> Iterator[tuple[Key, IntArray]]:
        """Yield each distinct value of a property of shapes, with the positions of its items."""
        codes: dict[Key, int] = {}
        of_shape = np.array([codes.setdefault(key(shape), len(codes)) for shape in self.shapes], np.int32)
        if len(codes) == 1:
            yield next(iter(codes)), np.arange(len(self))
            return
        own = of_shape[self.shape]
        order = np.argsort(own, kind="stable")
        own = own[order]
        for value, code in codes.items():
            start, end = np.searchsorted(own, (code, code + 1))
            if end > start:
                yield value, order[start:end]

    def __len__(self) -> int:
        return len(self.subset)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        shape: Shape = self.shapes[self.shape[index]]
        return shape.item(self.ids[index], self.subsets[self.subset[index]], str(self.cluster[index]))

    def __iter__(self) -> Iterator[Item]:
        names = iter(self.ids)
        for start in range(0, len(self), CHUNK):
            columns = (column[start : start + CHUNK].tolist() for column in (self.subset, self.cluster, self.shape))
            for subset, cluster, shape, name in zip(*columns, names, strict=False):
                yield self.shapes[shape].item(name, self.subsets[subset], str(cluster))


class ItemTableBuilder:
    """Builder of an `ItemTable` from a stream of items."""

    def __init__(self) -> None:
        self._ids = Names()
        self._subsets: dict[str, int] = {}
        self._subset = array("i")
        self._cluster = array("q")
        self._shapes: dict[Shape, int] = {}
        self._shape = array("i")
        self._recent: dict[Hashable, tuple[Shape, int]] = {}

    def add(self, item: Item) -> Shape:
        """Add an item and return its shape, which is the same object for consecutive items of that shape.

        Raises:
            DataError: If one of its comparisons is invalid.
        """
        meta = json.dumps(dict(item.meta), ensure_ascii=False, default=str) if item.meta else "{}"
        # Looking up tuples is much faster than looking up shapes.
        key = (
            tuple([(one.gold, one.style, one.source) for one in item.responses]),
            tuple([(tuple(comparison.members), comparison.gold, comparison.tag) for comparison in item.comparisons]),
            item.group,
            meta,
        )
        if (found := self._recent.get(key)) is None:
            if len(self._recent) == _RECENT:
                self._recent.clear()
            shape = self._shape_of(item, meta)
            found = self._recent[key] = shape, self.code(shape)
        self.add_shape(item.id, item.subset, item.cluster, found[1])
        return found[0]

    @staticmethod
    def _shape_of(item: Item, meta: str) -> Shape:
        for comparison in item.comparisons:
            inside = all(0 <= member < len(item.responses) for member in comparison.members)
            if not inside or len(comparison.members) < 2 or not 0 <= (comparison.gold or 0) < len(comparison.members):
                raise DataError(
                    f"item {item.id} has {count_of(len(item.responses), 'response')}, but a comparison with members "
                    f"{comparison.members} and gold {comparison.gold}: give two or more positions of responses from 0, "
                    "and as gold a position among the members"
                )
        responses = tuple(
            response
            if not response.text and response.message is None
            else Response("", response.gold, response.style, response.source)
            for response in item.responses
        )
        # Lists become tuples, which can be hashed.
        comparisons = tuple(Comparison(tuple(c.members), c.gold, c.tag) for c in item.comparisons)
        return Shape(responses, comparisons, item.group, meta)

    def code(self, shape: Shape) -> int:
        """Return the number of a shape."""
        return self._shapes.setdefault(shape, len(self._shapes))

    def add_shape(self, name: str, subset: str, cluster: str, shape: int) -> None:
        """Add an item with the number of its shape."""
        self._ids.append(name)
        self._subset.append(self._subsets.setdefault(subset, len(self._subsets)))
        self._cluster.append(int.from_bytes(blake2b(cluster.encode(), digest_size=8).digest(), "little", signed=True))
        self._shape.append(shape)

    def table(self) -> ItemTable:
        """Return the table of all items so far."""
        return ItemTable(
            self._ids,
            tuple(self._subsets),
            np.array(self._subset, np.int32),
            _by_appearance(np.array(self._cluster, np.int64)),
            tuple(self._shapes),
            np.array(self._shape, np.int32),
        )


_RECENT = 1 << 10


def starts(sizes: Sequence[int], shape: Codes) -> Codes:
    """Return the offsets of the items' parts, int32[n + 1], given the size of the part for each shape."""
    found = np.zeros(len(shape) + 1, np.int32)
    np.cumsum(np.array(sizes, np.int32)[shape], out=found[1:])
    return found


def _used(codes: Codes, names: tuple[Name, ...]) -> tuple[Codes, tuple[Name, ...]]:
    """The names that occur, in order of first appearance, and their codes."""
    found, first = np.unique(codes, return_index=True)
    return _by_appearance(codes), tuple(names[code] for code in found[np.argsort(first)].tolist())


def _by_appearance(codes: npt.NDArray[Any]) -> Codes:
    """Renumber codes in order of first appearance."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse]


@dataclass(frozen=True, eq=False)
class EvidenceTable(Mapping[str, Evidence]):
    """Evidence of all items of a table, as columns; as a mapping, evidence by item id.

    Attributes:
        table: The items.
        variant: Name of the value that the scores come from.
        scores: float64[responses], NaN for a missing score.
        failures: Number of observations without a value, by status.
        beats: The matrix `Evidence.beats` by position of the item, for items whose matrix does not follow from the
            scores.
        readings: Several complete readings of the items, such as one for each order of the responses. Metrics decide
            each reading and average the credits; `scores` and `beats` are then the means of the readings.
        covers: bool[n], for a reading: the items that it has, where some items have fewer readings; None for all.
    """

    table: ItemTable
    variant: str
    scores: FloatArray
    failures: Mapping[str, int] = field(default_factory=dict)
    beats: Mapping[int, FloatArray] = field(default_factory=dict)
    readings: tuple[EvidenceTable, ...] = ()
    covers: Mask | None = None

    @classmethod
    def averaged(cls, readings: Sequence[EvidenceTable], failures: Mapping[str, int]) -> EvidenceTable:
        """Return the evidence of several readings of the same items, each of which counts equally for an item.

        A score or a preference that is missing in one reading is missing in their mean.
        """
        first = readings[0]
        if len(readings) == 1:
            return replace(first, failures=failures)
        count = np.sum([one.covered for one in readings], axis=0)
        scores = np.zeros(len(first.scores))
        beats: dict[int, FloatArray] = {}
        for one in readings:
            scores += np.where(first.table.responses(one.covered), one.scores, 0.0)
            for position, matrix in one.beats.items():
                known = beats.get(position)
                beats[position] = matrix if known is None else known + matrix
        scores /= np.repeat(count, first.table.sizes)
        beats = {position: total / count[position] for position, total in beats.items()}
        return cls(first.table, first.variant, scores, failures, beats, tuple(readings))

    @property
    def covered(self) -> Mask:
        """Return the items that this reading has, bool[n]."""
        return np.ones(len(self.table), bool) if self.covers is None else self.covers

    @classmethod
    def of(cls, table: ItemTable, evidence: Mapping[str, Evidence]) -> EvidenceTable:
        """Return the table of evidence by item id; an item without evidence has NaN as scores."""
        if isinstance(evidence, EvidenceTable):
            if evidence.table is table:
                return evidence
            if evidence.readings:
                return cls.averaged([cls.of(table, one) for one in evidence.readings], evidence.failures)
        scores = np.full(int(table.offsets[-1]), np.nan)
        covers = None
        if isinstance(evidence, EvidenceTable) and evidence.covers is not None:
            covers = np.array(
                [name not in evidence or evidence.covers[evidence._positions[name]] for name in table.ids]
            )
        beats: dict[int, FloatArray] = {}
        failures: dict[str, int] = {}
        variant = "score"
        for position, name in enumerate(table.ids):
            if (seen := evidence.get(name)) is None:
                continue
            scores[table.offsets[position] : table.offsets[position + 1]] = seen.scores
            variant = seen.variant
            if seen.beats is not None:
                beats[position] = seen.beats
            for status, count in seen.failures.items():
                failures[status] = failures.get(status, 0) + count
        return cls(table, variant, scores, failures, beats, covers=covers)

    def take(self, items: Mask) -> EvidenceTable:
        """Return the evidence of the items where the mask bool[n] is true."""
        return self if items.all() else self._taken(items, self.table.take(items))

    def _taken(self, items: Mask, table: ItemTable) -> EvidenceTable:
        number = np.cumsum(items) - 1
        return replace(
            self,
            table=table,
            scores=self.scores[self.table.responses(items)],
            beats={int(number[k]): matrix for k, matrix in self.beats.items() if items[k]},
            readings=tuple([one._taken(items, table) for one in self.readings]),
            covers=None if self.covers is None else self.covers[items],
        )

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.table.ids)}

    def __getitem__(self, name: str) -> Evidence:
        position = self._positions[name]
        start, end = self.table.offsets[position : position + 2]
        return Evidence(name, self.variant, self.scores[start:end], self.beats.get(position))

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self.table)
