"""Checks that a run is on a random sample of another run's items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rmeval.benchmarks.card import subsets_named
from rmeval.data.item_list import ItemList
from rmeval.data.tables import Mask
from rmeval.errors import RunError
from rmeval.messages import count_of
from rmeval.results.align import refuse_other_cells
from rmeval.results.described import selection_text, stopped_text
from rmeval.results.weights import WeightedRun
from rmeval.store.manifest import SelectionEntry
from rmeval.store.run import StoredRun

__all__ = ["Sampled", "refuse_other", "sampled_items"]


@dataclass(frozen=True)
class Sampled:
    """The items of a sample.

    Attributes:
        items: bool[n], whether each item of the whole run is in the sample.
        how: How they were chosen.
        notes: Notes for the reader.
    """

    items: Mask
    how: str
    notes: tuple[str, ...] = ()


def refuse_other(whole: StoredRun, sample: StoredRun) -> None:
    """Check that two runs are of one benchmark and that the second is complete.

    Raises:
        RunError: If they are not.
    """
    ids = [run.benchmark.card.id for run in (whole, sample)]
    if ids[0] != ids[1]:
        raise RunError(f"{sample.folder} is a run of {ids[1]}, not of {ids[0]}: give two runs of one benchmark")
    if whole.folder.resolve() == sample.folder.resolve():
        raise RunError(f"`cheap` and `expensive` are both {whole.folder}: give the runs of two models")
    refuse_other_cells([whole, sample])
    if sample.note:
        raise RunError(
            f"{sample.folder} is {sample.note}, which is not a random sample: continue that run before the estimate"
        )


def sampled_items(whole: WeightedRun, sample: StoredRun, there: Mask, listed: ItemList | None) -> Sampled:
    """Return the items of the sample, if it is a random one.

    Args:
        whole: The run on all items.
        sample: The run on a sample of them.
        there: bool[n], whether each item that the number depends on is in the sample's run.
        listed: The items that were drawn with probabilities of their own, if the sample has such.

    Raises:
        RunError: If there is no such item, or the sample is not random.
    """
    if not there.any():
        raise RunError(
            f"{sample.folder} has none of the items that {' '.join(whole.measure)} of {whole.run.folder} depends on: "
            "run the models on the same data"
        )
    if listed is not None:
        return _listed(whole, sample, there, listed)
    selection = sample.manifest["selection"]
    if (entry := selection.get("items")) and entry.get("drawn"):
        raise RunError(
            f"{sample.folder} is a run on the items of {entry.get('file')}, which have different probabilities: give "
            "that file with `items`"
        )
    if entry and entry.get("weighted"):
        raise RunError(
            f"{sample.folder} is a run on the short form {entry.get('file')}, which is not a random sample: use "
            "rmeval items with `informative` and `estimate`"
        )
    if there.sum() == whole.inside.sum():
        raise RunError(
            f"{sample.folder} has all {count_of(int(there.sum()), 'item')}, so there is nothing to estimate: use "
            "rmeval show, or rmeval compare"
        )
    _refuse_part(whole, sample, selection)
    drawn, notes = selection.get("n_items"), _of_part(whole)
    same = whole.run.manifest["identity"].get("contents") == sample.manifest["identity"].get("contents")
    stopped = selection.get("stopped")
    if drawn and same and not stopped and len(sample.items.table) >= drawn:
        return Sampled(there, f"drawn at random (seed {selection.get('seed', 0)})", notes)
    _refuse_first(whole, sample, there)
    if stopped:
        early = f"{sample.folder} {stopped_text(stopped)}, because of its results, so its items are not a random sample"
        return Sampled(there, f"{stopped_text(stopped)} in random order", (early, *notes))
    why = "does not state how its items were chosen" if same else f"is on other data than {whole.run.folder}"
    unknown = f"{sample.folder} {why}: the estimate holds only if its items are a random sample of all items"
    return Sampled(there, "chosen in an unknown way", (unknown, *notes))


def _refuse_part(whole: WeightedRun, sample: StoredRun, selection: SelectionEntry) -> None:
    """Reject the first items, and items of some subsets only."""
    advice = f"run it again with `n_items`, such as {len(sample.items.table)}"
    if limit := selection.get("limit"):
        raise RunError(
            f"{sample.folder} has the first {count_of(limit, 'item')}, which are not a random sample: {advice}"
        )
    if named := selection.get("subsets"):
        table = whole.run.items.table
        subsets = subsets_named(whole.run.benchmark.card, table.counts, named)
        needed = {table.subsets[code] for code in np.unique(table.subset[whole.inside]).tolist()}
        if left := sorted(needed - subsets):
            raise RunError(
                f"{sample.folder} has only items of {', '.join(sorted(subsets))}, and {' '.join(whole.measure)} "
                f"depends on {', '.join(left)} too: choose another number with `metric` and `scope`, or {advice} and "
                "without `subset`"
            )


def _refuse_first(whole: WeightedRun, sample: StoredRun, there: Mask) -> None:
    """Reject a sample that is the beginning of the items."""
    inside = there[whole.inside]
    if inside[: int(inside.sum())].all():
        raise RunError(
            f"{sample.folder} has the first {count_of(int(inside.sum()), 'item')} of {len(inside)}, which are not a "
            "random sample: choose the items with `n_items`"
        )


def _of_part(whole: WeightedRun) -> tuple[str, ...]:
    """A note if the whole run is itself on a part of the items."""
    chosen = selection_text(whole.run.manifest["selection"])
    if not chosen:
        return ()
    return (f"{whole.run.folder} has not all items of the benchmark ({chosen}): the estimate is for its items",)


def _listed(whole: WeightedRun, sample: StoredRun, there: Mask, listed: ItemList) -> Sampled:
    """Check the items of a list against both runs."""
    table = whole.run.items.table
    if not listed.drawn:
        raise RunError(f"{listed.file} has no column probability: give the file of items that `choose` drew")
    entry = sample.manifest["selection"].get("items")
    if entry and entry.get("digest") != listed.entry()["digest"]:
        raise RunError(
            f"{sample.folder} is a run on another list of items than {listed.file}: give the list of that run"
        )
    chosen: Mask = np.array([name in listed.probabilities for name in table.ids], bool) & whole.inside
    total, name = int(whole.inside.sum()), " ".join(whole.measure)
    if listed.total not in (None, total):
        raise RunError(
            f"{listed.file} was drawn from {count_of(listed.total or 0, 'item')}, and {name} of {whole.run.folder} "
            f"depends on {total}: estimate the number for which it was drawn"
        )
    if chosen.sum() < len(listed.probabilities):
        missing = len(listed.probabilities) - int(chosen.sum())
        raise RunError(
            f"{listed.file} has {count_of(missing, 'item')} on which {name} of {whole.run.folder} does not depend: "
            "give the file that was drawn from this run for this number"
        )
    if missing := int((chosen & ~there).sum()):
        raise RunError(
            f"{sample.folder} lacks {count_of(missing, 'item')} of {listed.file}, so the sample is not the one that "
            "was drawn: run the model on all of these"
        )
    return Sampled(chosen, f"drawn with the probabilities in {listed.file}", _of_part(whole))
