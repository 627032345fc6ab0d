"""Checks of a run's items and gold against its identity, and against the benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from rmeval.benchmarks import Benchmark, benchmark_names, load_benchmark
from rmeval.benchmarks.card import missing_counts
from rmeval.data.digests import contents_digest, gold_digest
from rmeval.errors import RmevalError
from rmeval.messages import count_of
from rmeval.results.cells import cells_named
from rmeval.results.checks import Check, holds, unknown, wrong
from rmeval.results.described import selection_text
from rmeval.results.pins import Pin, Pins, pinned, pins_of_items, pins_of_run
from rmeval.store.run import StoredRun
from rmeval.types import Item

__all__ = ["item_checks"]

_SPARE = 16
"""Further items to generate of a generated benchmark, so that those that a run lacks are counted."""
_GENERATED = 1 << 16
"""The most items to generate in search of those of a selection; an untrusted manifest may state any size."""


def item_checks(run: StoredRun, data: str | None) -> Iterator[Check]:
    """Yield the checks of the items and their gold.

    Args:
        run: The run.
        data: The benchmark's data; None for the digests that come with rmeval.
    """
    if (other := _other_benchmark(run)) is not None:
        yield wrong("benchmark", other)
        return
    left = _Left.of(run)
    yield _own_contents(run, left.text)
    yield _own_gold(run)
    try:
        found = _reference(run, data, left)
        pins = pins_of_run(run.items)
    except RmevalError as error:
        yield wrong("benchmark", f"the benchmark's data cannot be read: {error}")
        return
    if isinstance(found, str):
        yield unknown("benchmark", found)
        yield unknown("gold", found)
        return
    partial = "".join(f"; {note}" for note in missing_counts(run.benchmark.card, run.items.table.counts, whole=True))
    yield from _compared(pins, found, left, partial)


def _other_benchmark(run: StoredRun) -> str | None:
    """Why the run is not of the benchmark whose id it has; None if it is."""
    name, spec = run.benchmark.card.id, run.benchmark.spec
    if name in benchmark_names() and spec != name:
        return f"{name} is the id of a benchmark of rmeval, but the run was made with {spec}, a custom benchmark"
    return None


@dataclass(frozen=True, slots=True)
class _Left:
    """What a run lacks of its benchmark, as its manifest states.

    Attributes:
        selection: The selection of its items in words; empty if all were selected.
        cells: Names of the kinds of comparisons that it keeps; all if empty.
        subsets: Subsets that it lacks because they need scores.
    """

    selection: str
    cells: Sequence[str]
    subsets: Sequence[str]

    @classmethod
    def of(cls, run: StoredRun) -> _Left:
        chosen: Mapping[str, Any] = run.manifest["selection"]
        left = () if run.protocol.gives_scores else run.benchmark.card.needs_scores
        return cls(selection_text(chosen), tuple(map(str, chosen.get("cells") or ())), left)

    @property
    def text(self) -> str:
        """Why the run lacks items; empty if it has all."""
        return self.selection or (f"without {', '.join(self.subsets)}, which need scores" if self.subsets else "")


def _own_contents(run: StoredRun, chosen: str) -> Check:
    table = run.items.table
    own = contents_digest(zip(table.ids, run.items.digests(), strict=True))
    count = count_of(len(table), "item")
    if own == run.manifest["identity"].get("contents"):
        return holds("items", f"all {count} of the data that the identity states")
    if chosen:
        return unknown("items", f"{count}, a selection of those that the identity states: {chosen}")
    return wrong("items", f"the {count} are not those that the identity states: some were removed, added or changed")


def _own_gold(run: StoredRun) -> Check:
    stated = run.manifest.get("gold")
    if stated is None:
        return unknown("labels", "the manifest states no digest of the labels")
    if stated != gold_digest(run.items):
        return wrong("labels", "the labels are not those that the manifest states")
    return holds("labels", "those that the manifest states")


@dataclass(frozen=True, slots=True)
class _Reference:
    """What the items are compared with.

    Attributes:
        pins: The accepted pins by subset.
        source: Where they come from.
        exact: Whether they are those of the items that the run should have, and there are no others; the pins that
            come with rmeval are of whole copies, whose texts need not be those of each published revision.
    """

    pins: Pins
    source: str
    exact: bool


def _reference(run: StoredRun, data: str | None, left: _Left) -> _Reference | str:
    """What the items are compared with, or why there is nothing.

    Raises:
        RmevalError: If the data cannot be read.
    """
    benchmark = run.benchmark
    if data is not None:
        return _exact(_wanted(_loaded(run, data), None, run, left), f"the data {data}", left)
    if benchmark.card.generated and benchmark.spec in benchmark_names():
        most = _GENERATED if left.selection else len(run.items.table) + _SPARE
        wanted = _wanted(benchmark, most, run, left)
        if left.selection and len(wanted) < len(run.items.table) and _has_more(benchmark, most):
            return f"the selected items are not among the first {most:,} that were generated again"
        return _exact(wanted, "newly generated items", left)
    if known := pinned(benchmark.card.id):
        return _Reference(known, "the digests that come with rmeval", False)
    return "no digest of this benchmark comes with rmeval: give its data with `data`"


def _wanted(benchmark: Benchmark, most: int | None, run: StoredRun, left: _Left) -> list[Item]:
    """The items that the run should have, with the comparisons that it should have.

    Args:
        benchmark: The benchmark.
        most: Number of its items after which to stop; None for all.
        run: The run; only a declared selection may lack items of the benchmark.
        left: What it lacks.
    """
    ids = set(run.items.table.ids)
    found: list[Item] = []
    tags: dict[str, None] = {}
    for item in islice(benchmark.load(), most):
        tags |= dict.fromkeys(one.tag for one in item.comparisons)
        if item.id in ids if left.selection else item.subset not in left.subsets:
            found.append(item)
    kept = cells_named(list(tags), left.cells)
    if kept >= tags.keys():
        return found
    return [replace(one, comparisons=tuple(own for own in one.comparisons if own.tag in kept)) for one in found]


def _has_more(benchmark: Benchmark, most: int) -> bool:
    return next(islice(benchmark.load(), most, None), None) is not None


def _exact(items: Sequence[Item], source: str, left: _Left) -> _Reference:
    pins = {name: [pin] for name, pin in pins_of_items(items).items()}
    return _Reference(pins, f"the selected ones of {source}" if left.text else source, True)


def _loaded(run: StoredRun, data: str) -> Benchmark:
    made = run.manifest["benchmark"]
    return load_benchmark(run.benchmark.spec or made["spec"], data, **made.get("options", {}))


def _compared(pins: Mapping[str, Pin], reference: _Reference, left: _Left, partial: str) -> Iterator[Check]:
    """Yield the checks against the benchmark: first the items, then their labels."""
    wrong_items, wrong_gold, open_, open_gold, same = (list[str]() for _ in range(5))
    for name, pin in pins.items():
        accepted = reference.pins.get(name, ())
        if not accepted:
            (wrong_items if reference.exact else open_).append(f"{name} (not in {reference.source})")
        elif like := [one for one in accepted if one.contents == pin.contents]:
            facts = pin.facts in {one.facts for one in like}
            (same if facts else wrong_items).append(name if facts else f"{name} (other problems, styles or lengths)")
            if pin.gold not in {one.gold for one in like}:
                # The labels of some comparisons only cannot be compared with a digest of those of all.
                (open_gold if left.cells and not reference.exact else wrong_gold).append(name)
        else:
            _put_other_texts(name, pin, accepted, reference, left, wrong_items, open_)
    if lacking := [name for name in reference.pins if name not in pins]:
        (wrong_items if reference.exact else open_).append(f"{', '.join(lacking)} (no items)")
    yield _check_of("benchmark", wrong_items, same, open_, reference.source, partial)
    yield _check_of(
        "gold", wrong_gold, [name for name in same if name not in open_gold], [*open_, *open_gold], reference.source
    )


def _put_other_texts(
    name: str,
    pin: Pin,
    accepted: Sequence[Pin],
    reference: _Reference,
    left: _Left,
    wrong_items: list[str],
    open_: list[str],
) -> None:
    """Put a subset with other texts among the wrong ones, or among those that cannot be compared."""
    counts = [one.items for one in accepted]
    if not reference.exact and left.selection and pin.items < max(counts):
        open_.append(f"{name} ({pin.items} of {count_of(max(counts), 'item')})")
    elif pin.items in counts:
        (wrong_items if reference.exact else open_).append(f"{name} (other texts or ids)")
    else:
        wrong_items.append(f"{name} ({count_of(pin.items, 'item')} instead of {' or '.join(map(str, counts))})")


def _check_of(
    name: str, bad: Sequence[str], same: Sequence[str], open_: Sequence[str], source: str, partial: str = ""
) -> Check:
    if bad:
        return wrong(name, f"differs from {source}: {'; '.join(bad)}")
    if open_:
        known = f"equal to {source}: {', '.join(same)}; " if same else ""
        return unknown(name, f"{known}not checked: {'; '.join(open_)}: give the benchmark's data with `data`")
    return holds(name, f"equal to {source}{partial}")
