"""Selects items of a benchmark. A selection is not part of a run's identity: a larger one continues the run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from rmeval.benchmarks import Card
from rmeval.benchmarks.card import subsets_named
from rmeval.data.item_list import ItemList
from rmeval.data.tables import ItemTable, Mask
from rmeval.errors import DataError
from rmeval.messages import count_of, quoted
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
        items: The items themselves, instead of all of these; None for no list.
        cells: Names of kinds of comparisons to keep, such as `diagonal`, as `rmeval.results.cells` reads them; all if
            empty.
    """

    subsets: tuple[str, ...] = ()
    n_items: int | None = None
    seed: int = 0
    limit: int | None = None
    items: ItemList | None = None
    cells: tuple[str, ...] = ()

    def note(self, items: ItemTable, chosen: Mask) -> list[str]:
        """A note if the number of chosen items is not the requested one, because groups stay together."""
        if (self.n_items, self.limit) == (None, None):
            return []
        taken, available = int(chosen.sum()), int(np.isin(items.subset, items.subset[chosen]).sum())
        wanted = min(one for one in (self.n_items, self.limit, available) if one is not None)
        if taken == wanted:
            return []
        return [f"{count_of(taken, 'item')} instead of {wanted}, because items of a group are taken together"]

    def entry(self) -> dict[str, Any]:
        """Return what `run.json` states about the selection."""
        found: dict[str, Any] = {
            "subsets": list(self.subsets),
            "n_items": self.n_items,
            "seed": self.seed,
            "limit": self.limit,
        }
        found |= {"cells": list(self.cells)} if self.cells else {}
        return found if self.items is None else found | {"items": self.items.entry()}


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
    if selection.items is not None:
        return _listed(items, selection, selection.items, leave_out)
    wanted = subsets_named(card, items.counts, selection.subsets)
    taken = [name not in leave_out and (name in wanted or not wanted) for name in items.subsets]
    chosen: Mask = np.array(taken, bool)[items.subset]
    if selection.limit is not None:
        chosen = _first_groups(items, np.flatnonzero(chosen), selection.limit)
    if selection.n_items is not None and selection.n_items < int(chosen.sum()):
        # The order depends on the seed only: a larger draw contains a smaller one, so a run can be continued.
        order = np.random.default_rng(selection.seed).permutation(len(items))
        chosen = _first_groups(items, order[chosen[order]], selection.n_items)
    if not len(items):
        raise DataError(f"these data contain no items of {card.title}: check the file or folder")
    if not chosen.any():
        raise DataError("no items are selected: give a larger `limit` or `n_items`")
    return chosen


def _listed(items: ItemTable, selection: Selection, wanted: ItemList, leave_out: Collection[str]) -> Mask:
    """The items of a list."""
    if selection.subsets or selection.n_items is not None or selection.limit is not None:
        raise DataError(f"{wanted.file} lists the items: leave out `subset`, `n_items` and `limit`, or `items`")
    named: Mask = np.array([name in wanted.probabilities for name in items.ids], bool)
    if named.sum() < len(wanted.probabilities):
        there = set(items.ids)
        missing = [name for name in wanted.probabilities if name not in there]
        raise DataError(
            f"{wanted.file} lists {count_of(len(missing), 'item')} that the benchmark does not have (the first: "
            f"{quoted(missing[0])}): give the list that was made for this benchmark and these data"
        )
    left: Mask = np.array([name not in leave_out for name in items.subsets], bool)[items.subset]
    chosen = _whole_groups(items, left, np.flatnonzero(named & left))
    if not chosen.any():
        raise DataError(f"no items are selected: {wanted.file} lists only items of {', '.join(sorted(leave_out))}")
    return chosen


def _first_groups(items: ItemTable, order: IntArray, most: int) -> Mask:
    """The first items in an order, at most that many, with whole groups; the first group is taken in any case."""
    names: dict[str, int] = {}
    of_shape = [-1 if one.group is None else names.setdefault(one.group, len(names)) for one in items.shapes]
    group = np.array(of_shape, np.int64)[items.shape]
    alone = group < 0
    group[alone] = len(names) + np.flatnonzero(alone)
    _, first, inverse, sizes = np.unique(group[order], return_index=True, return_inverse=True, return_counts=True)
    by_appearance = np.argsort(first)
    fitting = max(1, int(np.searchsorted(np.cumsum(sizes[by_appearance]), most, "right")))
    kept = np.zeros(len(items), bool)
    kept[order[np.isin(inverse, by_appearance[:fitting])]] = True
    return kept


def _whole_groups(items: ItemTable, among: Mask, positions: IntArray) -> Mask:
    """The items at the positions, and all items of the mask in the same groups."""
    kept = np.zeros(len(items), bool)
    kept[positions] = True
    groups = {items.shapes[code].group for code in np.unique(items.shape[kept])} - {None}
    together = [code for code, shape in enumerate(items.shapes) if shape.group in groups]
    return kept | (among & np.isin(items.shape, together))
