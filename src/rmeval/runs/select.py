"""Selects items of a benchmark. A selection is not part of a run's identity: a larger one continues the run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.benchmarks import Card
from rmeval.data.tables import ItemTable, Mask
from rmeval.errors import DataError
from rmeval.messages import nearest, quoted
from rmeval.types import IntArray

__all__ = ["Selection", "select"]


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection of a benchmark's items.

    Attributes:
        subsets: Names of subsets, or of the card's sections; all if empty.
        n_items: Number of items drawn at random from these subsets.
        seed: Seed of the draw.
        limit: Number of items taken from the beginning.
    """

    subsets: tuple[str, ...] = ()
    n_items: int | None = None
    seed: int = 0
    limit: int | None = None


def select(items: ItemTable, selection: Selection, card: Card, leave_out: Collection[str] = ()) -> Mask:
    """bool[n]: whether each item is selected.

    Args:
        items: All items of the benchmark.
        selection: The selection.
        card: The benchmark's card.
        leave_out: Subsets to leave out.

    Raises:
        DataError: If a subset is unknown, or nothing is selected.
    """
    for name, number, least in (
        ("`n_items`", selection.n_items, 1),
        ("`limit`", selection.limit, 1),
        ("`seed`", selection.seed, 0),
    ):
        if number is not None and type(number) is not int:
            raise DataError(f"{name} must be a whole number, not {number!r}")
        if number is not None and number < least:
            raise DataError(f"{name} must be at least {least}, not {number}")
    sections = {name.lower(): parts for name, parts in card.sections.items()}
    present = list(items.counts)
    wanted: set[str] = set()
    for name in selection.subsets:
        parts = {name} if name in present else set(sections.get(name.lower(), ())) & set(present)
        if not parts:
            raise DataError(_no_subset(name, present, card))
        wanted |= parts
    taken = [name not in leave_out and (name in wanted or not wanted) for name in items.subsets]
    chosen: Mask = np.array(taken, bool)[items.subset]
    if selection.limit is not None:
        chosen = _whole_groups(items, chosen, np.flatnonzero(chosen)[: selection.limit])
    if selection.n_items is not None and selection.n_items < int(chosen.sum()):
        # The order depends on the seed only: a larger draw contains a smaller one, so a run can be continued.
        order = np.random.default_rng(selection.seed).permutation(len(items))
        chosen = _whole_groups(items, chosen, order[chosen[order]][: selection.n_items])
    if not len(items):
        raise DataError(f"these data contain no items of {card.title}: check the file or folder")
    if not chosen.any():
        raise DataError("no items are selected: give a larger `limit` or `n_items`")
    return chosen


def _whole_groups(items: ItemTable, among: Mask, positions: IntArray) -> Mask:
    """The items at the positions, and all items of the mask in the same groups."""
    kept = np.zeros(len(items), bool)
    kept[positions] = True
    groups = {items.shapes[code].group for code in np.unique(items.shape[kept])} - {None}
    together = [code for code, shape in enumerate(items.shapes) if shape.group in groups]
    return kept | (among & np.isin(items.shape, together))


def _no_subset(name: str, present: Sequence[str], card: Card) -> str:
    """The message for a subset of which there are no items."""
    sections = [section for section, parts in card.sections.items() if set(parts) & set(present)]
    there = ", ".join(dict.fromkeys([*present, *sections]))
    known = {own.lower() for own in (*card.counts, *card.sections)}
    if name.lower() in known:
        return f"the data have no items of {name}: choose from {there}, or give data that contain {name} with `data`"
    if meant := nearest(name, [*present, *sections]):
        return f"there is no subset {quoted(name)}: did you mean {meant}? (the subsets are {there})"
    return f"there is no subset {quoted(name)}: choose from {there}"
