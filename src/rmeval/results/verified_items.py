"""Checks of a run's items and gold against its identity, and against the benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rmeval.benchmarks import Benchmark, benchmark_names, load_benchmark
from rmeval.benchmarks.card import missing_counts
from rmeval.data.digests import contents_digest, gold_digest
from rmeval.errors import RmevalError
from rmeval.messages import count_of
from rmeval.results.checks import Check, holds, unknown, wrong
from rmeval.results.described import selection_text
from rmeval.results.pins import Pin, Pins, pinned, pins_of_benchmark, pins_of_run
from rmeval.store.run import StoredRun

__all__ = ["item_checks"]

_SPARE = 16
"""Further items to generate of a generated benchmark, so that those that a run lacks are counted."""


def item_checks(run: StoredRun, data: str | None) -> Iterator[Check]:
    """Yield the checks of the items and their gold.

    Args:
        run: The run.
        data: The benchmark's data; None for the digests that come with rmeval.
    """
    chosen = _selection(run)
    yield _own_contents(run, chosen)
    yield _own_gold(run)
    pins = pins_of_run(run.items)
    try:
        found = _reference(run, data)
    except RmevalError as error:
        yield wrong("benchmark", f"the benchmark's data cannot be read: {error}")
        return
    if found is None:
        why = "no digest of this benchmark comes with rmeval: give its data with `data`"
        yield unknown("benchmark", why)
        yield unknown("gold", why)
        return
    partial = "".join(f"; {note}" for note in missing_counts(run.benchmark.card, run.items.table.counts, whole=True))
    yield from _compared(pins, found, chosen, partial)


def _selection(run: StoredRun) -> str:
    """Why a run lacks items of its benchmark; empty if it has all."""
    if chosen := selection_text(run.manifest["selection"]):
        return chosen
    left = [] if run.protocol.gives_scores else list(run.benchmark.card.needs_scores)
    return f"without {', '.join(left)}, which need scores" if left else ""


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
        whole: Whether there are no further subsets, and no other texts; the pins that come with rmeval are of copies,
            whose texts need not be those of each published revision.
    """

    pins: Pins
    source: str
    whole: bool


def _reference(run: StoredRun, data: str | None) -> _Reference | None:
    benchmark = run.benchmark
    if data is not None:
        found = _loaded(run, data)
        return _Reference({name: [pin] for name, pin in pins_of_benchmark(found).items()}, f"the data {data}", True)
    if benchmark.card.generated and benchmark.spec in benchmark_names():
        # A size from an untrusted manifest may be anything, so that no more items are generated than needed.
        made = pins_of_benchmark(benchmark, len(run.items.table) + _SPARE)
        return _Reference({name: [pin] for name, pin in made.items()}, "newly generated items", True)
    if known := pinned(benchmark.card.id):
        return _Reference(known, "the digests that come with rmeval", False)
    return None


def _loaded(run: StoredRun, data: str) -> Benchmark:
    made = run.manifest["benchmark"]
    return load_benchmark(run.benchmark.spec or made["spec"], data, **made.get("options", {}))


def _compared(pins: Mapping[str, Pin], reference: _Reference, chosen: str, partial: str) -> Iterator[Check]:
    """Yield the checks against the benchmark: first the items, then their labels."""
    wrong_items: list[str] = []
    wrong_gold: list[str] = []
    open_: list[str] = []
    same: list[str] = []
    for name, pin in pins.items():
        accepted = reference.pins.get(name, ())
        if not accepted:
            (wrong_items if reference.whole else open_).append(f"{name} (not in {reference.source})")
        elif (found := _difference(pin, accepted)) is None:
            same.append(name)
        elif chosen and pin.items < max(one.items for one in accepted):
            open_.append(f"{name} ({pin.items} of {count_of(max(one.items for one in accepted), 'item')})")
        elif found == _GOLD:
            wrong_gold.append(name)
        elif found == _TEXTS and not reference.whole:
            open_.append(f"{name} ({found})")
        elif not (found == _FACTS and chosen):
            wrong_items.append(f"{name} ({found})")
    if lacking := [name for name in reference.pins if name not in pins]:
        (open_ if chosen or not reference.whole else wrong_items).append(f"{', '.join(lacking)} (no items)")
    yield _check_of("benchmark", wrong_items, same, open_, reference.source, partial)
    yield _check_of("gold", wrong_gold, same, open_, reference.source)


_GOLD, _TEXTS, _FACTS = "other labels", "other texts or ids", "other problems, styles or lengths"


def _difference(pin: Pin, accepted: Sequence[Pin]) -> str | None:
    """What differs from the most similar accepted pin; None if nothing does."""
    if pin in accepted:
        return None
    like = [one for one in accepted if one.contents == pin.contents]
    if not like:
        counts = " or ".join(str(one.items) for one in accepted)
        same_count = any(one.items == pin.items for one in accepted)
        return _TEXTS if same_count else f"{count_of(pin.items, 'item')} instead of {counts}"
    return _FACTS if any(one.gold == pin.gold for one in like) else _GOLD


def _check_of(
    name: str, bad: Sequence[str], same: Sequence[str], open_: Sequence[str], source: str, partial: str = ""
) -> Check:
    if bad:
        return wrong(name, f"differs from {source}: {'; '.join(bad)}")
    if open_:
        known = f"equal to {source}: {', '.join(same)}; " if same else ""
        return unknown(name, f"{known}not checked: {'; '.join(open_)}: give the benchmark's data with `data`")
    return holds(name, f"equal to {source}{partial}")
