"""Evidence of judges on pairs and of ratings: orders, votes, and what becomes of missing verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rmeval.data.observations import ObservationTable, count_statuses
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Mask, Shape
from rmeval.protocols.base import Question
from rmeval.protocols.fold import fold_votes
from rmeval.protocols.judging.protocol import JudgeProtocol
from rmeval.protocols.pairwise import AGREE, MEAN, NET, ODDS, VALUE
from rmeval.types import FloatArray, IntArray, Item

__all__ = [
    "EACH",
    "NO_MAJORITY",
    "RATING",
    "RATINGS",
    "VERDICT",
    "VOTES",
    "pair_evidence",
    "pair_variants",
    "rating_evidence",
    "rating_variants",
]

EACH = "orders/each"
"""Each order is decided by itself; the numbers are the means of the orders' numbers."""
VOTES = "votes/each"
"""Each single vote is decided by itself; the numbers are the means of the votes' numbers."""
VERDICT = "verdict"
"""The only verdict on each pair, in one order that is drawn."""
RATING, RATINGS = "rating", "ratings"
"""Names of the values: the rating of one response, and of each of several in the order in which they are presented."""
NO_MAJORITY = "no_majority"
"""The status of several votes of which no verdict has more than half, missing votes included."""


class Questions(Protocol):
    """What lists the requests of an item."""

    def questions(self, item: Item | Shape) -> Sequence[Question]:
        """All requests of an item, without texts."""
        ...


@dataclass(frozen=True, slots=True)
class _Grid:
    """The requests about pairs: p pairs, in o orders, with v votes each.

    Attributes:
        item: int64[p], position of the item.
        one: int64[p], the response of the pair with the smaller index.
        other: int64[p], the response with the larger index.
        swapped: bool[p, o, v], whether the other response is presented first.
        rows: int32[p, o, v], the row of the observation.
    """

    item: IntArray
    one: IntArray
    other: IntArray
    swapped: Mask
    rows: Codes

    @classmethod
    def of(cls, protocol: Questions, items: ItemTable, rows: Codes) -> _Grid:
        """Arrange the requests, which may come in any order, by pair, order and vote."""
        found = np.array(
            [
                (position, min(one.members), max(one.members), one.members[0] > one.members[1], one.vote)
                for position, item in enumerate(items)
                for one in protocol.questions(item)
            ],
            np.int64,
        ).reshape(-1, 5)
        found_rows = rows
        place = np.lexsort(found.T[::-1])
        found, own = found[place], found_rows[place]
        pairs = 1 + int((np.diff(found[:, :3], axis=0) != 0).any(axis=1).sum()) if len(found) else 0
        votes = int(found[:, 4].max(initial=0)) + 1
        shape = (pairs, len(found) // max(pairs * votes, 1), votes)
        first = found[:: max(shape[1] * votes, 1)]
        return cls(first[:, 0], first[:, 1], first[:, 2], found[:, 3].reshape(shape) > 0, own.reshape(shape))

    def preferences(self, observations: ObservationTable) -> FloatArray:
        """Return the probability that the first response of the pair is better, float64[p, o, v]."""
        seen = observations.column(VALUE, self.rows.ravel()).reshape(self.rows.shape)
        return np.where(self.swapped, 1 - seen, seen)

    def odds(self, observations: ObservationTable) -> FloatArray:
        """Return the log-odds of `preferences`; NaN where a model returns none."""
        seen = observations.column(ODDS, self.rows.ravel()).reshape(self.rows.shape)
        return np.where(self.swapped, -seen, seen)

    def evidence(self, items: ItemTable, variant: str, preference: FloatArray) -> EvidenceTable:
        """Return the evidence of one preference for each pair, float64[p]."""
        beats: dict[int, FloatArray] = {}
        for size in np.unique(items.sizes[self.item]).tolist():
            chosen = items.sizes[self.item] == size
            positions, place = np.unique(self.item[chosen], return_inverse=True)
            block = np.full((len(positions), size, size), np.nan)
            one, other = self.one[chosen], self.other[chosen]
            block[place, one, other] = preference[chosen]
            block[place, other, one] = 1 - preference[chosen]
            beats |= dict(zip(positions.tolist(), block, strict=True))
        return EvidenceTable(items, variant, np.full(int(items.offsets[-1]), np.nan), {}, beats)


def pair_variants(protocol: JudgeProtocol) -> list[str]:
    """Names of the evidence of a judge on pairs, the headline first."""
    votes = [VOTES] if protocol.options.votes > 1 else []
    if protocol.order == "seeded":
        return [VERDICT, *votes]
    graded = protocol.form != "text" or votes
    return [EACH, AGREE, NET, *([MEAN] if graded else []), *votes]


def pair_evidence(
    protocol: Questions, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str
) -> EvidenceTable:
    """Combine a judge's verdicts on pairs into evidence.

    Several votes on a pair in one order become the verdict of more than half of all votes, missing ones included;
    without one there is no verdict, and the failures count it as `no_majority`.

    Args:
        protocol: The judge's protocol.
        items: The items.
        observations: The observations.
        rows: int32[m], the row of each of the items' requests.
        variant: One of `pair_variants`: `orders/each` decides each order by itself; `orders/agree` prefers a response
            if both orders do, and orders that disagree are a tie; `orders/net` if more orders prefer it than the other
            one; `orders/mean` if its probability is above one half in the mean of the orders; `votes/each` decides
            each single vote; `verdict` is the verdict of the only order.
    """
    grid = _Grid.of(protocol, items, rows)
    seen = grid.preferences(observations)
    failures = count_statuses(observations.status[grid.rows[np.isnan(seen)]])
    if variant == VOTES:
        single = _signs(seen).reshape(len(seen), -1)
        readings = [grid.evidence(items, variant, column) for column in single.T]
        return EvidenceTable.averaged(readings, failures)
    verdicts, undecided = majorities(_signs(seen))
    if undecided.any():
        failures[NO_MAJORITY] = int(undecided.sum())
    if variant in (EACH, VERDICT):
        return EvidenceTable.averaged([grid.evidence(items, variant, column) for column in verdicts.T], failures)
    if variant == MEAN:
        preference = _averaged(grid, seen, observations)
    else:
        preference = _agreed(verdicts) if variant == AGREE else _net(verdicts)
    return EvidenceTable.averaged([grid.evidence(items, variant, preference)], failures)


def _signs(seen: FloatArray) -> FloatArray:
    """1 above one half, 0 below it, 0.5 at one half; NaN for NaN."""
    found: FloatArray = 0.5 + 0.5 * np.sign(seen - 0.5)
    return found


def majorities(votes: FloatArray) -> tuple[FloatArray, Mask]:
    """Return the verdict of more than half of the votes in the last axis, and where votes exist but no majority does.

    The denominator is the number of all votes, missing ones included.

    Args:
        votes: float64[..., v]: 1, 0, 0.5 for a declared tie, NaN for a missing vote.
    """
    half = votes.shape[-1] / 2
    found: FloatArray = np.full(votes.shape[:-1], np.nan)
    for verdict in (0.0, 0.5, 1.0):
        found[(votes == verdict).sum(axis=-1) > half] = verdict
    undecided: Mask = np.isnan(found) & ~np.isnan(votes).all(axis=-1)
    return found, undecided


def _agreed(verdicts: FloatArray) -> FloatArray:
    """The preference of all orders; 0.5 where they differ, NaN where one is missing."""
    same = (verdicts == verdicts[:, :1]).all(axis=1)
    return np.where(np.isnan(verdicts).any(axis=1), np.nan, np.where(same, verdicts[:, 0], 0.5))


def _net(verdicts: FloatArray) -> FloatArray:
    """The net preference of the orders; an order without a verdict counts for neither."""
    known = ~np.isnan(verdicts)
    total = np.where(known, 2 * verdicts - 1, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), 0.5 + 0.5 * np.sign(total), np.nan)


def _averaged(grid: _Grid, seen: FloatArray, observations: ObservationTable) -> FloatArray:
    """The preference by the mean probability of the orders, by log-odds where they exist: these differ near 1."""
    by_mean = _signs(_order_means(seen))
    odds = grid.odds(observations)
    if seen.shape[1:] != (2, 1):
        return by_mean
    # p + q is above 1 exactly where the sum of the log-odds of p and q is above 0.
    by_odds = 0.5 + 0.5 * np.sign(odds.sum(axis=(1, 2)))
    return np.where(np.isnan(by_odds), by_mean, by_odds)


def _order_means(seen: FloatArray) -> FloatArray:
    """The mean over orders of the mean of the votes that exist; NaN where an order has none."""
    pairs, orders, votes = seen.shape
    means = fold_votes(seen.reshape(-1, votes), "mean").reshape(pairs, orders)
    found: FloatArray = means.mean(axis=1)
    return found


def rating_variants(protocol: JudgeProtocol) -> list[str]:
    """Names of the evidence of a judge that rates single responses, the headline first."""
    return [RATING, VOTES] if protocol.options.votes > 1 else [RATING]


def rating_evidence(
    protocol: Questions, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str
) -> EvidenceTable:
    """Combine ratings into the scores of responses.

    Args:
        protocol: The judge's protocol.
        items: The items.
        observations: The observations.
        rows: int32[m], the row of each of the items' requests.
        variant: `rating`, the mean of the votes that exist, or `votes/each`, which takes each vote by itself.
    """
    asked = [
        (int(items.offsets[position]) + one.members[0], one.vote)
        for position, item in enumerate(items)
        for one in protocol.questions(item)
    ]
    response, vote = np.array(asked, np.int64).reshape(-1, 2).T
    votes = np.full((int(items.offsets[-1]), int(vote.max(initial=0)) + 1), np.nan)
    seen = observations.column(RATING, rows)
    votes[response, vote] = seen
    failures = count_statuses(observations.status[rows[np.isnan(seen)]])
    if variant == VOTES:
        return EvidenceTable.averaged([EvidenceTable(items, variant, column) for column in votes.T], failures)
    return EvidenceTable(items, variant, fold_votes(votes, "mean"), failures)
