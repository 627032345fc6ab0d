"""Outcomes: the result of each comparison under a score rule, as columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Mask, starts
from rmeval.types import Evidence, FloatArray, IntArray, Item, ScoreRule

__all__ = [
    "HALF",
    "HALF_FAILURES",
    "LEFT_OUT",
    "OFFICIAL",
    "SCORE_RULES",
    "SHARED",
    "Outcomes",
    "joined",
    "outcomes",
    "over_readings",
    "sides",
]

OFFICIAL = ScoreRule("official@1", tie="loss", failure="loss")
"""The rule of RM-Bench (`scripts/utils.py`) and RewardBench (`rewardbench.py`): strict `>`, so a tie or a NaN loses."""
HALF = ScoreRule("half-ties@1", tie="share", failure="exclude")
"""Shared ties and excluded failures, for null baselines, which often give two responses equal scores."""
SHARED = ScoreRule("shared-ties@1", tie="share", failure="loss")
"""The rule of RewardBench 2 (`reroll_and_score_dataset` of `rewardbench/utils.py`): 1/k for each of k at the top."""
HALF_FAILURES = ScoreRule("half-failures@1", tie="share", failure="share")
"""The rule of RewardBench 1 for generative models (`scripts/run_generative.py`): no verdict counts one half."""
LEFT_OUT = ScoreRule("left-out@1", tie="loss", failure="exclude")
"""Excluded failures beside ties that lose: for judges, the number without outputs that have no verdict."""
SCORE_RULES = {rule.name: rule for rule in (OFFICIAL, HALF, SHARED, HALF_FAILURES, LEFT_OUT)}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All comparisons of some items under one score rule, as columns with one entry per comparison.

    Attributes:
        item: int32[m], position of the item in `subset` and `cluster`.
        tag: int32[m], position of the comparison's tag in `tags`.
        tags: The distinct tags.
        credit: float64[m]: 1 for won, 0 for lost, a value between them for a shared tie, NaN if the rule excludes the
            comparison.
        tied: bool[m], whether the winner shares the top score with others.
        failed: bool[m], whether a score is missing.
        subset: int32[n], position of each item's subset in `subsets`.
        subsets: The distinct subsets.
        cluster: int32[n], each item's underlying problem as a number.
        variant: Name of the model's score that the outcomes were computed from.
    """

    item: Codes
    tag: Codes
    tags: tuple[str, ...]
    credit: FloatArray
    tied: Mask
    failed: Mask
    subset: Codes
    subsets: tuple[str, ...]
    cluster: Codes
    variant: str = "score"

    def within(self, *subsets: str) -> Outcomes:
        """Return the outcomes of the items in some subsets; items are renumbered."""
        return self.select(np.isin(self.subset, [code for code, name in enumerate(self.subsets) if name in subsets]))

    def by_subset(self) -> Iterator[tuple[str, Outcomes]]:
        """Yield each subset with its outcomes, in order of first appearance."""
        items, first_items = _grouped(self.subset, len(self.subsets))
        rows, first_rows = _grouped(self.subset[self.item], len(self.subsets))
        for code in self._codes():
            own, own_rows = (slice(*first[code : code + 2].tolist()) for first in (first_items, first_rows))
            yield self.subsets[code], self._part(items[own], rows[own_rows])

    def select(self, items: Mask) -> Outcomes:
        """Return the outcomes of the items where the mask bool[n] is true; items and clusters are renumbered."""
        if items.all():
            return self
        return self._part(np.flatnonzero(items), np.flatnonzero(items[self.item]))

    def _part(self, items: IntArray | Codes, rows: IntArray | Codes) -> Outcomes:
        """Return the outcomes of some items, given the rows of their comparisons."""
        if len(items) == self.n_items:
            return self
        cluster = np.unique(self.cluster[items], return_inverse=True)[1]
        return Outcomes(
            np.searchsorted(items, self.item[rows]).astype(np.int32),
            self.tag[rows],
            self.tags,
            self.credit[rows],
            self.tied[rows],
            self.failed[rows],
            self.subset[items],
            self.subsets,
            cluster.astype(np.int32),
            self.variant,
        )

    def only(self, tags: Collection[str]) -> Outcomes:
        """Return the comparisons with one of the tags; all items are kept."""
        return self.comparisons(np.isin(self.tag, [code for code, tag in enumerate(self.tags) if tag in tags]))

    def comparisons(self, keep: Mask) -> Outcomes:
        """Return the comparisons where the mask bool[m] is true; all items are kept."""
        if keep.all():
            return self
        return Outcomes(
            self.item[keep],
            self.tag[keep],
            self.tags,
            self.credit[keep],
            self.tied[keep],
            self.failed[keep],
            self.subset,
            self.subsets,
            self.cluster,
            self.variant,
        )

    def held(self) -> Outcomes:
        """Return the outcomes without the items that have no comparison, so that counts of items are right."""
        return self.select(np.bincount(self.item, minlength=self.n_items) > 0)

    @property
    def present(self) -> list[str]:
        """Return the subsets with at least one item, in order of first appearance."""
        return [self.subsets[code] for code in self._codes()]

    def _codes(self) -> list[int]:
        codes, first = np.unique(self.subset, return_index=True)
        found: list[int] = codes[np.argsort(first)].tolist()
        return found

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.subset)

    @property
    def n_clusters(self) -> int:
        """Number of distinct underlying problems."""
        return int(np.count_nonzero(np.bincount(self.cluster)))


def _grouped(codes: Codes, count: int) -> tuple[Codes, IntArray]:
    """Return the positions in stable order of their codes, and where each code begins."""
    return np.argsort(codes, kind="stable").astype(np.int32), np.cumsum([0, *np.bincount(codes, minlength=count)])


def outcomes(items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule) -> Outcomes:
    """Decide every comparison that has a gold winner.

    A comparison is won if the winner's score is strictly greater than that of every other member.

    Args:
        items: The items, in any order; comparisons with `gold=None` are excluded.
        evidence: Evidence by item id; an item without evidence counts as failed.
        rule: The score rule.

    Returns:
        One entry for each comparison, in the order of the items.
    """
    table = ItemTable.of(items)
    seen = EvidenceTable.of(table, evidence)
    if seen.readings:
        return over_readings(seen, lambda one: outcomes(table, one, rule))
    first = starts([sum(c.gold is not None for c in shape.comparisons) for shape in table.shapes], table.shape)
    total = int(first[-1])
    codes: dict[str, int] = {}
    tag = np.empty(total, np.int32)
    credit = np.empty(total)
    tied, failed = np.empty(total, bool), np.empty(total, bool)
    for comparisons, positions in table.by_comparisons():
        decided = [comparison for comparison in comparisons if comparison.gold is not None]
        for number, comparison in enumerate(decided):
            code = codes.setdefault(comparison.tag, len(codes))
            for start in range(0, len(positions), _BLOCK):
                block = positions[start : start + _BLOCK]
                margin, sharing = _decide(seen, block, comparison.members, comparison.gold or 0)
                places = first[block] + number
                tag[places], tied[places], failed[places] = code, margin == 0, np.isnan(margin)
                shared = 1.0 / sharing if rule.tie == "share" else np.zeros(len(block))
                won = np.where(margin > 0, 1.0, np.where(margin == 0, shared, 0.0))
                failed_credit = {"loss": 0.0, "exclude": np.nan, "share": 1 / len(comparison.members)}
                won[np.isnan(margin)] = failed_credit[rule.failure]
                credit[places] = won
    item = np.repeat(np.arange(len(table), dtype=np.int32), np.diff(first))
    return Outcomes(
        item, tag, tuple(codes), credit, tied, failed, table.subset, table.subsets, table.cluster, seen.variant
    )


def over_readings(seen: EvidenceTable, decide: Callable[[EvidenceTable], Outcomes]) -> Outcomes:
    """Decide each reading of some evidence, and average the credits.

    The mean over items is then the mean of the readings' accuracies. A comparison is tied or failed if it is in any of
    its readings; a rule that excludes failures thus excludes a comparison unless all readings decide it, so that each
    order counts equally often.

    Args:
        seen: Evidence with readings.
        decide: Computes the outcomes of one reading; the comparisons must not depend on the reading.
    """
    parts = [decide(one) for one in seen.readings]
    first = parts[0]
    held = np.stack([one.covered[first.item] for one in seen.readings])
    credit = np.where(held, np.stack([part.credit for part in parts]), 0.0).sum(axis=0) / held.sum(axis=0)
    tied, failed = (
        np.logical_or.reduce(held & np.stack([getattr(part, name) for part in parts])) for name in ("tied", "failed")
    )
    return replace(first, credit=credit, tied=tied, failed=failed, variant=seen.variant)


def joined(one: Outcomes, other: Outcomes) -> Outcomes:
    """Join all comparisons of two outcomes of the same items."""
    tags = tuple(dict.fromkeys((*one.tags, *other.tags)))
    place = [np.array([tags.index(tag) for tag in own.tags], np.int32) for own in (one, other)]
    return Outcomes(
        np.concatenate([one.item, other.item]),
        np.concatenate([own[codes.tag] for own, codes in zip(place, (one, other), strict=True)]),
        tags,
        np.concatenate([one.credit, other.credit]),
        np.concatenate([one.tied, other.tied]),
        np.concatenate([one.failed, other.failed]),
        one.subset,
        one.subsets,
        one.cluster,
        one.variant,
    )


_BLOCK = 1 << 16


def _decide(
    seen: EvidenceTable, positions: IntArray, members: tuple[int, ...], gold: int
) -> tuple[FloatArray, IntArray]:
    """Decide one comparison for several items of one shape.

    Returns:
        float64[k]: 1, 0 or -1 if the winner's score is above, equal to or below the best score of the other members,
        NaN if a score is missing; and int64[k]: the number of members with the winner's score.
    """
    winning, against = sides(seen, positions, members, gold)
    unknown = np.isnan(winning).any(axis=1) | np.isnan(against).any(axis=1)
    above, equal = (winning > against).all(axis=1), winning == against
    margin = np.where(above, 1.0, np.where((winning >= against).all(axis=1), 0.0, -1.0))
    margin[unknown] = np.nan
    return margin, 1 + equal.sum(axis=1)


def sides(
    seen: EvidenceTable, positions: IntArray, members: tuple[int, ...], gold: int
) -> tuple[FloatArray, FloatArray]:
    """Return the scores of a comparison's winner and of each other member, for items of one shape.

    Args:
        seen: The evidence.
        positions: int64[k], items of one shape.
        members: The comparison's members.
        gold: Position of the winner among them.

    Returns:
        Two float64[k, members - 1]; where the first is larger, the model prefers the winner to that member.
    """
    scores = seen.scores[seen.table.offsets[positions][:, None] + np.array(members)]
    # Compare instead of subtract: for infinities and tiny differences the result must be that of `>`.
    against = np.delete(scores, gold, axis=1)
    winning = np.repeat(scores[:, [gold]], len(members) - 1, axis=1)
    if seen.beats:
        others = [member for place, member in enumerate(members) if place != gold]
        for row, position in enumerate(positions.tolist()):
            if (matrix := seen.beats.get(position)) is not None:
                winning[row], against[row] = matrix[members[gold], others], 0.5
    return winning, against
