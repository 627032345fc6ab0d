"""Texts of single items of a run: from its folder if it stores them, otherwise from its benchmark."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rmeval.benchmarks import Benchmark, load_benchmark
from rmeval.data.digests import item_digests
from rmeval.errors import DataError, RunError
from rmeval.messages import count_of, quoted
from rmeval.store.item_columns import encodable
from rmeval.store.manifest import run_id
from rmeval.store.run import StoredRun
from rmeval.store.texts import StoredTexts, read_texts
from rmeval.types import Item

__all__ = ["read_item_texts", "stream_item_texts"]

Digests = tuple[str, ...]


def read_item_texts(run: StoredRun, positions: Collection[int], data: Any = None) -> tuple[dict[int, Item], list[str]]:
    """Read some items of a run with their texts.

    A text is returned only if its digest equals that of the text that was scored.

    Args:
        run: The run.
        positions: Positions of the items.
        data: A file, a folder, a hub id or an object (see `load_benchmark`) to read instead of the place that the run
            names.

    Returns:
        The items by position, and a note on items whose texts are not available.

    Raises:
        RunError: If the text of none of them is available.
    """
    names = {run.items.table.ids[position]: position for position in sorted(positions)}
    if not names:
        return {}, []
    stored = read_texts(run.folder / "items.parquet", names, run_id(run.manifest["identity"]))
    texts = {} if data is not None else {name: item for name, own in stored.items() if (item := _kept(name, own))}
    left = {name: own.digests for name, own in stored.items() if name not in texts}
    notes = []
    if left:
        source = _source(run, data)
        read = _from_benchmark(run, source, left)
        texts |= read
        if missing := [name for name in left if name not in read]:
            notes.append(_why_not(run, source, missing))
    if not texts:
        raise RunError(notes[0])
    return {names[name]: _joined(run, names[name], stored[name], item) for name, item in texts.items()}, notes


def stream_item_texts(run: StoredRun, positions: Collection[int], data: Any = None) -> Iterator[tuple[int, Item]]:
    """Yield some items of a run with their texts, in any order; unlike `read_item_texts`, holds few of them at once.

    Args:
        run: The run.
        positions: Positions of the items.
        data: As in `read_item_texts`.

    Raises:
        RunError: If texts are not available, after the items whose texts are.
    """
    ids = run.items.table.ids
    left: dict[str, Digests] = {}
    places = {ids[position]: position for position in sorted(positions)}
    for part in _parts(list(places)):
        stored = read_texts(run.folder / "items.parquet", part, run_id(run.manifest["identity"]))
        for name, own in stored.items():
            if data is None and (item := _kept(name, own)):
                yield places[name], item
            else:
                left[name] = own.digests
    if left:
        yield from ((places[name], item) for name, item in _streamed(run, _source(run, data), left))


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))


_AT_ONCE = 1 << 14
"""Items of a row group of the file: each group is then decoded once."""


def _streamed(run: StoredRun, source: Benchmark, left: dict[str, Digests]) -> Iterator[tuple[str, Item]]:
    """Yield the benchmark's items with these texts, and remove their names from `left`."""
    try:
        for item in source.load():
            name = encodable(item.id)
            if name in left and item_digests(item) == left[name]:
                del left[name]
                yield name, item
            if not left:
                return
        moved = _by_texts(source, left)
    except DataError as error:
        raise _unreadable(run, error) from error
    yield from moved.items()
    if missing := [name for name in left if name not in moved]:
        raise RunError(_why_not(run, source, missing))


def _kept(name: str, stored: StoredTexts) -> Item | None:
    """Return the texts that the folder stores of an item; None if it stores none."""
    if stored.prompt is None:
        return None
    item = Item(name, "", stored.prompt, stored.responses, (), stored.cluster, tools=stored.tools)
    # Texts that UTF-8 cannot hold are stored as escapes: their digests differ, and the benchmark has the originals.
    return item if item_digests(item) == stored.digests else None


def _joined(run: StoredRun, position: int, stored: StoredTexts, texts: Item) -> Item:
    """Return the run's item with texts."""
    item = run.items.table[position]
    responses = zip(item.responses, texts.responses, strict=True)
    own = tuple(replace(known, text=one.text, message=one.message) for known, one in responses)
    return replace(item, prompt=texts.prompt, responses=own, tools=texts.tools, cluster=stored.cluster)


def _source(run: StoredRun, data: Any) -> Benchmark:
    if data is None:
        return run.benchmark
    # A local file or an object is the part of a data set on the hub that these options choose.
    is_object = not isinstance(data, str | Path)
    left = _OF_HUB if is_object or Path(data).exists() else ()
    options = {name: value for name, value in run.benchmark.options.items() if name not in left}
    return load_benchmark(run.benchmark.spec, data if is_object else str(data), **options)


_OF_HUB = ("split", "config")


def _from_benchmark(run: StoredRun, source: Benchmark, wanted: Mapping[str, Digests]) -> dict[str, Item]:
    """Return the benchmark's items with the texts that were scored."""
    try:
        found = _by_id(source, wanted)
        if left := {name: digests for name, digests in wanted.items() if name not in found}:
            # Where ids are the numbers of rows, rows may have moved.
            found |= _by_texts(source, left)
    except DataError as error:
        raise _unreadable(run, error) from error
    return found


def _unreadable(run: StoredRun, error: DataError) -> RunError:
    return RunError(
        f"{run.folder} does not store texts, and its data cannot be read again ({error}): give their place with "
        "`data`, or give the command of the run again with `store_text`"
    )


def _by_id(source: Benchmark, wanted: Mapping[str, Digests]) -> dict[str, Item]:
    """Return the items with these ids and texts; stop reading at the last of these ids."""
    found: dict[str, Item] = {}
    left = set(wanted)
    for item in source.load():
        if (name := encodable(item.id)) in left:
            left.remove(name)
            if item_digests(item) == wanted[name]:
                found[name] = item
            if not left:
                break
    return found


def _by_texts(source: Benchmark, wanted: Mapping[str, Digests]) -> dict[str, Item]:
    """Return the items with these texts, by their ids in the run."""
    names: dict[Digests, list[str]] = {}
    for name, digests in wanted.items():
        names.setdefault(digests, []).append(name)
    found: dict[str, Item] = {}
    for item in source.load():
        found |= dict.fromkeys(names.get(item_digests(item), ()), item)
        if len(found) == len(wanted):
            break
    return found


def _why_not(run: StoredRun, source: Benchmark, missing: Sequence[str]) -> str:
    place = f"{source.card.id} in {source.data}" if source.data else source.card.id
    return (
        f"{place} does not contain the texts of {count_of(len(missing), 'item')} that {run.folder} scored (first: "
        f"{quoted(missing[0])}), so they are not shown: give the data of the run with `data`"
    )
