"""Reads single items of runs with their texts, and keeps the last runs open."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from rmeval.app.index import IndexedItem, IndexedRun, Source
from rmeval.benchmarks.errata import errata_of
from rmeval.errors import RunError
from rmeval.files import stamp
from rmeval.protocols.judging import JudgeProtocol
from rmeval.results.judge_texts import Shown, judge_texts
from rmeval.results.texts import read_item_texts
from rmeval.store.run import StoredRun, read_scored
from rmeval.types import Item

__all__ = ["ItemSource", "OpenedItem"]

_RUNS, _ITEMS, _OUTPUTS = 8, 128, 64
_FILES = ("run.json", "items.parquet", "scores.parquet")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class OpenedItem:
    """An item of a run.

    Attributes:
        run: The run.
        item: The item; without texts if they are not available.
        has_texts: Whether they are.
        note: Why they are not; empty if they are.
        erratum: What `rmeval errata` states of the item; empty if it states nothing.
    """

    run: StoredRun
    item: Item
    has_texts: bool
    note: str
    erratum: str


class ItemSource:
    """Reads items on request, from any number of threads."""

    def __init__(self, source: Source) -> None:
        """Store where runs and texts are.

        Args:
            source: What the index is made from.
        """
        self._source = source
        self._runs: _Recent[StoredRun] = _Recent(_RUNS)
        self._items: _Recent[OpenedItem] = _Recent(_ITEMS)
        self._outputs: _Recent[str] = _Recent(_OUTPUTS)

    def open(self, run: IndexedRun, item: IndexedItem, position: int) -> OpenedItem:
        """Return an item of a run.

        Args:
            run: The run.
            item: The item.
            position: Its position in the run.

        Raises:
            RunError: If the run cannot be read, or has lost the item.
        """
        return self._items.get((*self._state(run.folder), item.key), lambda: self._opened(run.folder, item, position))

    def judge_output(self, run: IndexedRun, opened: OpenedItem, chosen: int, rejected: int) -> str:
        """Return what a judge wrote of two responses; empty if the run is none of a judge, or stores no texts.

        Args:
            run: The judge's run.
            opened: The item, with its texts.
            chosen: Index of the better response.
            rejected: Index of the other one.
        """
        folder = run.folder
        if not (folder / "raw").is_dir():
            return ""
        own = self._run(folder)
        if not isinstance(own.protocol, JudgeProtocol):
            return ""
        key = (*self._state(folder), opened.item.id, chosen, rejected)
        return self._outputs.get(key, lambda: judge_texts(own, [Shown(opened.item, chosen, rejected)])[0] or "")

    def _opened(self, folder: Path, item: IndexedItem, position: int) -> OpenedItem:
        run = self._run(folder)
        place = _place(run, item.name, position)
        data = _data_of(self._source.data, run.benchmark.card.id)
        known = errata_of(run.benchmark.card).get(item.name)
        erratum = known.wrong if known is not None else ""
        try:
            found, notes = read_item_texts(run, {place}, data)
        except RunError as error:
            return OpenedItem(run, run.items.table[place], False, str(error), erratum)
        own = found.get(place)
        note = "" if own is not None else " ".join(notes)
        return OpenedItem(run, own or run.items.table[place], own is not None, note, erratum)

    def _run(self, folder: Path) -> StoredRun:
        return self._runs.get(
            self._state(folder), lambda: read_scored(folder, self._source.benchmark, self._source.protocol)
        )

    @staticmethod
    def _state(folder: Path) -> tuple[Hashable, ...]:
        return (folder, *(str(stamp(folder / name)) for name in _FILES))


def _data_of(data: Mapping[str, str], benchmark: str) -> str | None:
    return data.get(benchmark, data.get(""))


def _place(run: StoredRun, name: str, position: int) -> int:
    """The item's position now: that of the index may be one of a run that has grown since."""
    ids = run.items.table.ids
    if position < len(ids) and ids[position] == name:
        return position
    found = next((place for place, own in enumerate(ids) if own == name), None)
    if found is None:
        raise RunError(f"{run.folder} has no item {name!r} any more: load the list again")
    return found


class _Recent(Generic[Value]):
    """The last values by key; a value that two threads want at once is made once."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            value = make()
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
            return value
