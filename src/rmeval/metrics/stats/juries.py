"""Juries: the choice of more than half of several judges for each comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.metrics.outcomes import sides
from rmeval.types import FloatArray, IntArray

__all__ = ["Ballots", "ballots_of"]

JURY = "jury"
"""Name of the evidence's variant."""


@dataclass(frozen=True, slots=True)
class Ballots:
    """The choices of several judges, one row for each comparison of the same responses in an item.

    Attributes:
        table: The items.
        item: int64[u], position of the item.
        members: The responses of each comparison.
        choices: float64[u, judges], position of the preferred response among the members, -1 for a tie, NaN where a
            judge has no verdict.
    """

    table: ItemTable
    item: IntArray
    members: tuple[tuple[int, ...], ...]
    choices: FloatArray

    @property
    def verdicts(self) -> FloatArray:
        """float64[u], the choice of more than half of all judges; NaN if no choice has so many."""
        found: FloatArray = np.full(len(self.item), np.nan)
        for choice in np.unique(self.choices[~np.isnan(self.choices)]).tolist():
            found[(self.choices == choice).sum(axis=1) > self.choices.shape[1] / 2] = choice
        return found

    @property
    def cluster(self) -> Codes:
        """int32[u], the underlying problem."""
        return self.table.cluster[self.item]

    def evidence(self) -> EvidenceTable:
        """Return the jury's evidence: the chosen response beats the others; a missing verdict is unknown."""
        beats: dict[int, FloatArray] = {}
        for position, members, verdict in zip(self.item.tolist(), self.members, self.verdicts.tolist(), strict=True):
            size = int(self.table.sizes[position])
            matrix = beats.setdefault(position, np.full((size, size), np.nan))
            if np.isnan(verdict):
                continue
            matrix[np.ix_(members, members)] = 0.5
            if verdict >= 0:
                chosen = members[int(verdict)]
                matrix[chosen, members], matrix[members, chosen] = 1.0, 0.0
                matrix[chosen, chosen] = 0.5
        scores = np.full(int(self.table.offsets[-1]), np.nan)
        return EvidenceTable(self.table, JURY, scores, {}, beats)

    def labels(self) -> tuple[FloatArray, IntArray]:
        """Return the choices as labels for coefficients of agreement, and the row of each.

        Labels are positions, and a tie has its own. Each comparison counts in all rotations of its responses, so that
        no position is more frequent than another one because of the order in which the data list responses.
        """
        sizes = np.array([len(members) for members in self.members], np.int64)
        most = int(sizes.max(initial=2))
        parts, rows = [], []
        for size in np.unique(sizes).tolist():
            own = np.flatnonzero(sizes == size)
            for turn in range(size):
                choices = self.choices[own]
                parts.append(np.where(choices < 0, most, (choices - turn) % size))
                rows.append(own)
        if not parts:
            return self.choices, np.empty(0, np.int64)
        return np.concatenate(parts), np.concatenate(rows)


def ballots_of(table: ItemTable, judges: Sequence[EvidenceTable]) -> Ballots:
    """Return the choices of several judges.

    A judge chooses the response that it prefers to all others of a comparison. If there is none, its verdict is a tie.

    Args:
        table: The items.
        judges: The evidence of each judge on these items, or one of its readings.

    Raises:
        ValueError: If two comparisons of an item share several responses, so that the choices may contradict.
    """
    items: list[IntArray] = []
    members: list[tuple[int, ...]] = []
    choices: list[FloatArray] = []
    for comparisons, positions in table.by_comparisons():
        sets = list(dict.fromkeys(tuple(sorted(one.members)) for one in comparisons))
        if any(len(set(one) & set(other)) > 1 for k, one in enumerate(sets) for other in sets[:k]):
            raise ValueError(f"item {table.ids[int(positions[0])]} has comparisons that share several responses")
        for own in sets:
            items.append(positions)
            members += [own] * len(positions)
            choices.append(np.stack([_choices(judge, positions, own) for judge in judges], axis=1))
    if not items:
        return Ballots(table, np.empty(0, np.int64), (), np.empty((0, len(judges))))
    return Ballots(table, np.concatenate(items), tuple(members), np.concatenate(choices))


def _choices(judge: EvidenceTable, positions: IntArray, members: tuple[int, ...]) -> FloatArray:
    found: FloatArray = np.full(len(positions), -1.0)
    for place in range(len(members)):
        winning, against = sides(judge, positions, members, place)
        found[(winning > against).all(axis=1)] = place
        found[np.isnan(winning + against).any(axis=1)] = np.nan
    return found
