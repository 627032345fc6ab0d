"""Plans a run: reads a benchmark's items, counts and selects them."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from numbers import Real
from typing import Any

import numpy as np

from rmeval.benchmarks import Benchmark, BenchmarkLike
from rmeval.benchmarks.errata import errata_of
from rmeval.benchmarks.hooks import adopted
from rmeval.data.digests import contents_digest
from rmeval.data.item_list import list_notes
from rmeval.data.spool import Spool
from rmeval.data.style import TextCounts
from rmeval.data.tables import ItemTable, ItemTableBuilder, Mask, Shape
from rmeval.errors import DataError
from rmeval.messages import count_of, quoted
from rmeval.redaction import redacted
from rmeval.results.cells import cells_named
from rmeval.runs.select import Selection, select
from rmeval.store.items import CountedItem, StoredItems, count_item
from rmeval.types import Comparison, Item, Message, Response

__all__ = ["Plan", "notes", "plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """A benchmark's selected items, read, counted and digested, so that errors in the data show before scoring.

    Attributes:
        benchmark: The benchmark.
        selection: The selection of its items.
        contents: Digest of all its items, selected or not.
        stored: The selected items, without their texts.
        read: Reads the selected items again, see `items`.
        notes: Notes on the items, for readers of the numbers.
        everything: The plan of all items; None if this plan has all of them.
    """

    benchmark: Benchmark
    selection: Selection
    contents: str
    stored: StoredItems
    read: Callable[[bool], Iterator[CountedItem]]
    notes: tuple[str, ...] = ()
    everything: Plan | None = field(default=None, repr=False)

    def items(self, texts: bool = True) -> Iterator[CountedItem]:
        """The selected items, one at a time; reading them without texts is faster."""
        return self.read(texts)

    def for_comparing(self) -> Plan:
        """The plan for a model that compares responses: without subsets whose metrics need scores.

        Raises:
            DataError: If nothing is left.
        """
        card = self.benchmark.card
        if not (useless := [name for name in card.needs_scores if name in self.stored.table.counts]):
            return self
        note = f"left out, because they do not apply to models that compare responses: {', '.join(useless)}"
        # Drawn again, so that the number of items is the requested one.
        whole = self.everything or self
        try:
            mask = select(whole.stored.table, self.selection, card, card.needs_scores)
        except DataError as error:
            raise DataError(f"{card.id}: no items are left to compare ({note})") from error
        return _selected(whole, mask, note)

    def take(self, items: Mask) -> Plan:
        """The items for which the mask bool[n] is true."""
        if items.all():
            return self
        stored = self.stored.take(items)
        return replace(self, stored=stored, read=lambda texts: compress(self.read(texts), items))


def plan(
    benchmark: BenchmarkLike,
    selection: Selection = Selection(),  # noqa: B008  frozen
    items: Iterable[Item] | None = None,
) -> Plan:
    """Read a benchmark, once and item by item, so that it need not fit into memory.

    Args:
        benchmark: The benchmark.
        selection: The selection of its items.
        items: Items to use instead of those that the benchmark loads.

    Raises:
        DataError: If its data cannot be used, or nothing is selected.
        RunError: If there is no space for temporary files.
    """
    benchmark = adopted(benchmark)
    builder = ItemTableBuilder()
    texts: Spool[_Window] = Spool()
    digests: Spool[list[tuple[str, ...]]] = Spool()
    counts = {name: array("i") for name in ("characters", "markdown")}

    def read() -> Iterator[tuple[str, Sequence[str]]]:
        window, own = _Window(), list[tuple[str, ...]]()
        for one in map(count_item, _loaded(benchmark, items)):
            if window.full:
                texts.append(window)
                digests.append(own)
                window, own = _Window(), []
            window.add(one, builder.add(one.item))
            own.append(one.digests)
            for count in one.counts:
                counts["characters"].append(count.characters)
                counts["markdown"].append(count.markdown)
            yield one.item.id, one.digests
        texts.append(window)
        digests.append(own)

    errata_of(benchmark.card)  # Raises errors in the errata now, before hours of scoring.
    contents = contents_digest(read())
    table = builder.table()
    _refuse_twice(table, benchmark)
    _refuse_alike(table, benchmark)
    whole = StoredItems(
        table,
        {name: np.array(column, np.int32) for name, column in counts.items()},
        lambda: (own for window in digests for own in window),
    )

    def again(with_texts: bool) -> Iterator[CountedItem]:
        for window, own in zip(texts, digests, strict=True):
            yield from window.items(own, with_texts)

    everything = Plan(benchmark, selection, contents, whole, again)
    return _selected(everything, select(table, selection, benchmark.card))


def _selected(whole: Plan, items: Mask, *more: str) -> Plan:
    """The items of the mask, with their notes."""
    chosen = _with_cells(whole.take(items), whole.selection.cells)
    everything = None if chosen is whole else whole
    listed = whole.selection.items
    whole_groups = whole.selection.note(whole.stored.table, items)
    listed_notes = list_notes(listed.entry()) if listed else ()
    own = (*notes(whole.benchmark, chosen.stored), *whole_groups, *listed_notes, *more)
    return replace(chosen, notes=own, everything=everything)


def _with_cells(found: Plan, cells: Sequence[str]) -> Plan:
    """The same items with only the comparisons that some names of cells stand for."""
    table = found.stored.table
    tags = cells_named(table.tags, cells)
    if not cells or tags >= set(table.tags):
        return found
    every = [tuple(one for one in shape.comparisons if one.tag in tags) for shape in table.shapes]
    kept = {shape.comparisons: own for shape, own in zip(table.shapes, every, strict=True)}

    def read(texts: bool) -> Iterator[CountedItem]:
        for one in found.read(texts):
            yield one._replace(item=replace(one.item, comparisons=kept[one.item.comparisons]))

    return replace(found, stored=replace(found.stored, table=table.with_tags(tags)), read=read)


_WINDOW = 1 << 12
_CHARACTERS = 1 << 26


class _Window:
    """Consecutive items that are kept in memory together.

    They are stored as columns of plain values, which are written and read much faster than objects.
    """

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._subsets: list[str] = []
        self._clusters: list[str] = []
        self._shapes: list[Shape] = []
        self._turns = array("i")
        self._roles: list[str] = []
        self._contents: list[str] = []
        self._texts: list[str] = []
        self._counts = array("i")
        self._prompts: dict[int, Message] = {}
        self._messages: dict[int, Message] = {}
        self._tools: dict[int, tuple[Mapping[str, Any], ...]] = {}
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether the window is full."""
        return len(self._ids) == _WINDOW or self._size > _CHARACTERS

    def add(self, one: CountedItem, shape: Shape) -> None:
        """Add an item, without its digests."""
        item = one.item
        if item.tools:
            self._tools[len(self._ids)] = item.tools
        self._ids.append(item.id)
        self._subsets.append(item.subset)
        self._clusters.append(item.cluster)
        self._shapes.append(shape)
        self._turns.append(len(item.prompt))
        for message in item.prompt:
            if message.extras:
                self._prompts[len(self._roles)] = message
            self._roles.append(message.role)
            self._contents.append(message.content)
            self._size += len(message.content)
        for response, count in zip(item.responses, one.counts, strict=True):
            if response.message is not None:
                self._messages[len(self._texts)] = response.message
            self._texts.append(response.text)
            self._counts.extend(count)
            self._size += count.characters

    def items(self, digests: Iterable[tuple[str, ...]], texts: bool) -> Iterator[CountedItem]:
        """The items, given the digests of each, with or without their texts."""
        columns = zip(self._ids, self._subsets, self._clusters, self._shapes, self._turns, digests, strict=True)
        turn = start = 0
        for number, (name, subset, cluster, shape, turns, own) in enumerate(columns):
            spoken = range(turn, turn := turn + turns)
            places = range(start, start := start + len(shape.responses))
            if texts:
                prompt = tuple([self._message(place) for place in spoken])
                responses = tuple(
                    [self._response(place, one) for place, one in zip(places, shape.responses, strict=True)]
                )
                item = shape.item(name, subset, cluster, prompt, responses, self._tools.get(number, ()))
            else:
                item = shape.item(name, subset, cluster)
            counts = tuple([TextCounts(*self._counts[place * _KINDS : (place + 1) * _KINDS]) for place in places])
            yield CountedItem(item, own, counts)

    def _message(self, place: int) -> Message:
        return self._prompts.get(place) or Message(self._roles[place], self._contents[place])

    def _response(self, place: int, known: Response) -> Response:
        message = self._messages.get(place)
        return Response(self._texts[place], known.gold, known.style, known.source, message)


_KINDS = len(TextCounts._fields)


def _loaded(benchmark: Benchmark, items: Iterable[Item] | None) -> Iterator[Item]:
    """The items, checked, because a third-party benchmark may yield anything."""
    for number, item in enumerate(_made(benchmark) if items is None else items):
        if not isinstance(item, Item):
            raise DataError(
                f"item {number + 1} of {benchmark.card.id} is {quoted(item)} and not an "
                "rmeval.types.Item: correct load()"
            )
        _refuse_nameless(item, number + 1, benchmark)
        yield item


def _refuse_nameless(item: Item, number: int, benchmark: Benchmark) -> None:
    """Reject an item without prompt or responses, or with names that are not texts."""
    names = {"id": item.id, "subset": item.subset, "cluster": item.cluster}
    names |= {} if item.group is None else {"group": item.group}
    if wrong := next((field for field, name in names.items() if not isinstance(name, str) or not name.strip()), None):
        what = f"{wrong} {quoted(names[wrong])}, which must be a non-empty text"
    elif not item.prompt or not item.responses:
        what = f"no {'prompt' if not item.prompt else 'responses'}"
    elif (part := next(_wrong_parts(item), None)) is not None:
        what = part
    else:
        return
    raise DataError(f"item {number} of {benchmark.card.id} has {what}: correct load()")


def _wrong_parts(item: Item) -> Iterator[str]:
    """Describe the parts of an item that have a wrong type."""
    for message in item.prompt:
        if not (isinstance(message, Message) and isinstance(message.content, str)):
            yield f"a prompt that contains {quoted(message)}, which must be an rmeval.types.Message with a text"
    for response in item.responses:
        if not (isinstance(response, Response) and isinstance(response.text, str)):
            yield f"the response {quoted(response)}, which must be an rmeval.types.Response with a text"
        elif not (response.gold is None or (isinstance(response.gold, Real) and response.gold == response.gold)):
            yield f"a response with the gold {quoted(response.gold)}, which must be a number or None"
        elif not all(name is None or isinstance(name, str) for name in (response.style, response.source)):
            yield f"the response {quoted(response)}, whose style and source must be texts or None"
    if not isinstance(item.comparisons, list | tuple) or not all(map(_is_comparison, item.comparisons)):
        yield (
            f"the comparisons {quoted(item.comparisons)}, which must be rmeval.types.Comparison with different whole "
            "numbers as members, one or None as gold, and a text as tag"
        )
    if item.meta and not isinstance(item.meta, Mapping):
        yield f"the meta {quoted(item.meta)}, which must be a mapping"


def _is_comparison(found: Any) -> bool:
    return (
        isinstance(found, Comparison)
        and isinstance(found.members, list | tuple)
        and all(isinstance(member, int) for member in found.members)
        and len(set(found.members)) == len(found.members)
        and (found.gold is None or isinstance(found.gold, int))
        and isinstance(found.tag, str)
    )


def _made(benchmark: Benchmark) -> Iterator[Any]:
    """The items that `load` yields; raises an error that names an unknown field of rmeval's classes."""
    try:
        found: Any = benchmark.load()
        if not isinstance(found, Iterable):
            raise DataError(f"load() of {benchmark.card.id} returns {quoted(found)}: return or yield items")
        yield from found
    except TypeError as error:
        if (field := _NO_FIELD.match(str(error))) is None:
            raise
        raise DataError(
            f"load() of {benchmark.card.id} passes {field[1]} a field {field[2]!r}, which does not exist: leave it out"
        ) from error


_OWN = "|".join(one.__name__ for one in (Item, Response, Comparison, Message))
_NO_FIELD = re.compile(rf"({_OWN})\.__init__\(\) got an unexpected keyword argument '(.+)'")


def _refuse_twice(table: ItemTable, benchmark: Benchmark) -> None:
    """Reject duplicate ids; they are compared by their hashes first."""
    codes = np.fromiter(map(hash, table.ids), np.int64, len(table))
    order = np.argsort(codes, kind="stable")
    again = np.sort(order[1:][codes[order[1:]] == codes[order[:-1]]])
    seen: dict[str, int] = {}
    for position in np.flatnonzero(np.isin(codes, codes[again])).tolist():
        name = table.ids[position]
        if name in seen:
            raise DataError(
                f"item {seen[name] + 1} and item {position + 1} of {benchmark.card.id} have the id {quoted(name)}: "
                "ids must be unique; correct them, or leave out the column if it is optional"
            )
        seen[name] = position


def _refuse_alike(table: ItemTable, benchmark: Benchmark) -> None:
    """Reject subsets whose names are equal after secrets are removed from them."""
    seen: dict[str, str] = {}
    for name in table.subsets:
        if (other := seen.setdefault(redacted(name), name)) != name:
            raise DataError(
                f"two subsets of {benchmark.card.id} differ only in what looks like a secret "
                f"({quoted(redacted(other))}), which rmeval removes from names: rename them"
            )


def notes(benchmark: Benchmark, stored: StoredItems) -> list[str]:
    """Notes on some items, for readers of the numbers."""
    shapes = zip(stored.table.shape.tolist(), stored.digests(), strict=True)
    equal = sum(
        len(set(own)) < len(own) and _undecidable(stored.table.shapes[code].comparisons, own) for code, own in shapes
    )
    same = f"the better response equals another one in {count_of(equal, 'item')}: no model can prefer it"
    own: Any = benchmark.notes(stored.table)
    if not isinstance(own, list | tuple) or not all(isinstance(note, str) for note in own):
        raise DataError(f"notes() of {benchmark.card.id} returns {quoted(own)}: return a list of texts")
    return [*own, *([same] if equal else [])]


def _undecidable(comparisons: Sequence[Comparison], own: Sequence[str]) -> bool:
    return any(
        [own[member] for member in comparison.members].count(own[comparison.members[comparison.gold]]) > 1
        for comparison in comparisons
        if comparison.gold is not None
    )
