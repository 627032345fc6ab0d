"""From evidence to outcomes: who won which contest, as columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rmeval.types import Evidence, FloatArray, IntArray, Item, Policy

__all__ = ["HALF", "OFFICIAL", "POLICIES", "Outcomes", "outcomes"]

OFFICIAL = Policy("official@1", tie="loss", failure="loss")
"""What RM-Bench (`scripts/utils.py`) and RewardBench (`rewardbench.py`) do: strict `>`, so a tie or a NaN loses."""
HALF = Policy("half-ties@1", tie="share", failure="exclude")
"""Ties share the point, failures are left out: fair to baselines that cannot tell two answers apart."""
POLICIES = {policy.name: policy for policy in (OFFICIAL, HALF)}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All contests of some items under one policy, one entry a contest.

    Attributes:
        item: int64[m], position of the item in `subset` and `cluster`.
        tag: int64[m], position of the contest's tag in `tags`.
        tags: The distinct tags.
        credit: float64[m]: 1 won, 0 lost, between for a shared tie, NaN where the policy leaves it out.
        tied: bool[m], the model's best scores were equal and the winner among them.
        failed: bool[m], a score was missing.
        subset: object[n], each item's subset.
        cluster: int64[n], each item's underlying problem as a number.
    """

    item: IntArray
    tag: IntArray
    tags: tuple[str, ...]
    credit: FloatArray
    tied: np.ndarray
    failed: np.ndarray
    subset: np.ndarray
    cluster: IntArray

    def select(self, items: np.ndarray) -> Outcomes:
        """The outcomes of the items for which the mask bool[n] is true; items are renumbered."""
        rank = np.cumsum(items) - 1
        keep = items[self.item]
        return Outcomes(
            rank[self.item[keep]],
            self.tag[keep],
            self.tags,
            self.credit[keep],
            self.tied[keep],
            self.failed[keep],
            self.subset[items],
            self.cluster[items],
        )

    def only(self, tags: Collection[str]) -> Outcomes:
        """The contests with one of the tags; the items stay."""
        keep = np.isin(self.tag, [code for code, tag in enumerate(self.tags) if tag in tags])
        return replace(
            self,
            item=self.item[keep],
            tag=self.tag[keep],
            credit=self.credit[keep],
            tied=self.tied[keep],
            failed=self.failed[keep],
        )

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.subset)

    @property
    def n_clusters(self) -> int:
        """Number of distinct underlying problems."""
        return len(np.unique(self.cluster))


def outcomes(items: Sequence[Item], evidence: Mapping[str, Evidence], policy: Policy) -> Outcomes:
    """Decides every contest that has a gold winner.

    A contest is won when the winner's score is strictly greater than every other member's.

    Args:
        items: The items, in any order; contests with `gold=None` are left to metrics of human ties.
        evidence: Evidence by item id; an item without any has failed.
        policy: The rule for ties and failures.

    Returns:
        One entry a contest, in the order of the items.
    """
    index: list[int] = []
    codes: dict[str, int] = {}
    tags: list[int] = []
    margins: list[float] = []
    sharing: list[int] = []
    for position, item in enumerate(items):
        seen = evidence.get(item.id)
        for contest in item.contests:
            if contest.gold is None:
                continue
            index.append(position)
            tags.append(codes.setdefault(contest.tag, len(codes)))
            margin, equals = _decide(seen, contest.members, contest.gold)
            margins.append(margin)
            sharing.append(equals)
    margin_array = np.array(margins, dtype=np.float64)
    failed = np.isnan(margin_array)
    tied = margin_array == 0
    credit = np.where(margin_array > 0, 1.0, 0.0)
    if policy.tie == "share":
        credit = np.where(tied, 1.0 / np.maximum(sharing, 1), credit)
    credit[failed] = 0.0 if policy.failure == "loss" else np.nan
    clusters = {name: number for number, name in enumerate(dict.fromkeys(item.cluster for item in items))}
    return Outcomes(
        np.array(index, dtype=np.int64),
        np.array(tags, dtype=np.int64),
        tuple(codes),
        credit,
        tied,
        failed,
        np.array([item.subset for item in items], dtype=object),
        np.array([clusters[item.cluster] for item in items], dtype=np.int64),
    )


def _decide(seen: Evidence | None, members: tuple[int, ...], gold: int) -> tuple[float, int]:
    """The winner's margin over the best other member (NaN if unknown), and how many share the winner's score."""
    if seen is None:
        return np.nan, 1
    if seen.beats is not None:
        winner = members[gold]
        against = np.array([seen.beats[winner, other] for other in members if other != winner])
        return float(against.min()) - 0.5, 1 + int((against == 0.5).sum())
    scores = [float(seen.scores[member]) for member in members]
    winning = scores.pop(gold)
    if any(np.isnan(score) for score in scores):
        return np.nan, 1
    # Comparing, not subtracting: two infinities or two tiny differences must decide as `>` decides.
    best = max(scores)
    margin = 1.0 if winning > best else 0.0 if winning == best else -1.0 if winning < best else np.nan
    return margin, 1 + scores.count(winning)
