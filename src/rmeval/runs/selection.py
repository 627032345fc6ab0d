"""Which of a benchmark's items to run. A selection is no part of a run's identity: a larger one continues the run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.benchmarks import Card
from rmeval.errors import DataError
from rmeval.types import Item

__all__ = ["Selection", "select"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Parts of a benchmark.

    Attributes:
        subsets: Names of subsets, or of the card's sections; all if empty.
        n_items: Number of items drawn at random from those.
        seed: Seed of the draw.
        limit: Number of items taken from the beginning.
    """

    subsets: tuple[str, ...] = ()
    n_items: int | None = None
    seed: int = 0
    limit: int | None = None


def select(items: Sequence[Item], selection: Selection, card: Card) -> list[Item]:
    """The selected items, in their original order.

    Raises:
        DataError: If a subset is unknown, or nothing is selected.
    """
    for name, number, least in (
        ("--n-items", selection.n_items, 1),
        ("--limit", selection.limit, 1),
        ("--seed", selection.seed, 0),
    ):
        if number is not None and type(number) is not int:
            raise DataError(f"{name} must be a whole number, not {number!r}")
        if number is not None and number < least:
            raise DataError(f"{name} must be at least {least}, not {number}")
    sections = {name.lower(): parts for name, parts in card.sections.items()}
    present = list(dict.fromkeys(item.subset for item in items))
    wanted: set[str] = set()
    for name in selection.subsets:
        parts = {name} if name in present else set(sections.get(name.lower(), ())) & set(present)
        if not parts:
            raise DataError(
                f"there is no subset {name!r} here: choose from {', '.join(dict.fromkeys([*present, *card.sections]))}"
            )
        wanted |= parts
    chosen = [item for item in items if not wanted or item.subset in wanted]
    if selection.limit is not None:
        chosen = _whole_groups(chosen, range(min(selection.limit, len(chosen))))
    if selection.n_items is not None and selection.n_items < len(chosen):
        drawn = np.random.default_rng(selection.seed).choice(len(chosen), selection.n_items, replace=False)
        chosen = _whole_groups(chosen, drawn.tolist())
    if not chosen:
        raise DataError("nothing is selected: there are no items left to score; give a larger --limit or --n-items")
    return chosen


def _whole_groups(items: Sequence[Item], positions: Iterable[int]) -> list[Item]:
    """The items at the positions, and with each all that are judged together with it, in their order."""
    kept = set(positions)
    groups = {items[position].group for position in kept} - {None}
    return [item for position, item in enumerate(items) if position in kept or item.group in groups]
