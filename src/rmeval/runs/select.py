"""Selects items of a benchmark. A selection is not part of a run's identity: a larger one continues the run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from rmeval.benchmarks import Card
from rmeval.benchmarks.card import subsets_named
from rmeval.data.tables import ItemTable, Mask
from rmeval.errors import DataError
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
    wanted = subsets_named(card, items.counts, selection.subsets)
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
