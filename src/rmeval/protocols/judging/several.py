"""Evidence of judges that read several responses at once: the best one, or a rating of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.data.observations import NO_CHOICE, ObservationTable, count_statuses
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Mask
from rmeval.protocols.judging.evidence import EACH, NO_MAJORITY, RATING, RATINGS, VERDICT, VOTES, Questions
from rmeval.protocols.judging.protocol import JudgeProtocol
from rmeval.types import FloatArray

__all__ = [
    "PROBABILITIES",
    "ROTATIONS_EACH",
    "ROTATIONS_MEAN",
    "best_evidence",
    "best_variants",
    "choices",
    "rate_all_evidence",
    "rate_all_variants",
]

ROTATIONS_EACH, ROTATIONS_MEAN = "rotations/each", "rotations/mean"
"""Variants: each rotation of the responses decided by itself, or one decision by the mean probabilities of all."""
PROBABILITIES = "p"
"""The probability of each response in the order in which they are presented, where a judge has probabilities."""
_TIE = -1
"""A declared tie, in place of the best response."""


@dataclass(frozen=True, slots=True)
class _Group:
    """The requests about the same responses of an item: o orders, with v votes each.

    Attributes:
        position: Position of the item.
        members: The responses.
        orders: The orders in which they are presented.
        rows: int32[o, v], the row of each observation.
    """

    position: int
    members: tuple[int, ...]
    orders: tuple[tuple[int, ...], ...]
    rows: Codes


def _groups(protocol: Questions, items: ItemTable, rows: Codes) -> Iterator[_Group]:
    place = 0
    for position, item in enumerate(items):
        found: dict[tuple[int, ...], dict[tuple[int, ...], list[int]]] = {}
        for one in protocol.questions(item):
            orders = found.setdefault(tuple(sorted(one.members)), {})
            orders.setdefault(one.members, []).append(int(rows[place]))
            place += 1
        for members, orders in found.items():
            yield _Group(position, members, tuple(orders), np.array(list(orders.values()), np.int32))


def best_variants(protocol: JudgeProtocol) -> list[str]:
    """Names of the evidence of a judge that chooses the best response, the headline first."""
    votes = [VOTES] if protocol.options.votes > 1 else []
    return [VERDICT, *votes] if protocol.order == "seeded" else [ROTATIONS_EACH, ROTATIONS_MEAN, *votes]


def best_evidence(
    protocol: Questions, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str
) -> EvidenceTable:
    """Combine a judge's choices of the best of several responses into evidence.

    The chosen response beats the others, and these are equal. Several votes become the choice of more than half of all
    votes, missing ones included; without one there is no verdict, and the failures count it as `no_majority`.

    Args:
        protocol: The judge's protocol.
        items: The items.
        observations: The observations.
        rows: int32[m], the row of each of the items' requests.
        variant: One of `best_variants`: `rotations/each` decides each rotation by itself; `rotations/mean` orders the
            responses by their mean probability over the rotations, where a choice without probabilities counts 1 for
            the chosen response; `votes/each` decides each single vote; `verdict` is the choice in the only order.
    """
    groups = list(_groups(protocol, items, rows))
    seen = choices(observations)
    asked = np.concatenate([group.rows.ravel() for group in groups]) if groups else np.empty(0, np.int32)
    failures = count_statuses(observations.status[asked[seen[asked] == NO_CHOICE]])
    if variant == ROTATIONS_MEAN:
        beats: dict[int, FloatArray] = {}
        for group in groups:
            _write_shares(_matrix(beats, items, group), group, _mean_shares(group, seen, observations))
        return EvidenceTable(items, variant, _no_scores(items), failures, beats)
    verdicts: list[list[int | None]] = []
    for group in groups:
        votes = [_chosen(order, seen[own].tolist()) for order, own in zip(group.orders, group.rows, strict=True)]
        if variant == VOTES:
            verdicts.append([vote for own in votes for vote in own])
            continue
        verdicts.append([_majority(own) for own in votes])
        split = sum(_majority(own) is None and any(vote is not None for vote in own) for own in votes)
        if split:
            failures[NO_MAJORITY] = failures.get(NO_MAJORITY, 0) + split
    counts = _counts(items, [(group.position, len(own)) for group, own in zip(groups, verdicts, strict=True)])
    readings = []
    for number in range(int(counts.max(initial=1))):
        covers = counts > number
        found: dict[int, FloatArray] = {}
        for group, own in zip(groups, verdicts, strict=True):
            if covers[group.position]:
                _write_choice(_matrix(found, items, group), group.members, own[number % len(own)])
        readings.append(EvidenceTable(items, variant, _no_scores(items), {}, found, covers=_partial(covers)))
    return EvidenceTable.averaged(readings, failures)


def choices(observations: ObservationTable) -> Codes:
    """The chosen position of each observation, int32[n]: -1 for a tie, which two equal probabilities are, too."""
    count = len(observations.status)
    found = np.full(count, NO_CHOICE, np.int32) if observations.choice is None else observations.choice
    if PROBABILITIES not in observations.vectors:
        return found
    return np.where((found == NO_CHOICE) & (observations.vectors[PROBABILITIES].sizes > 0), _TIE, found)


def _no_scores(items: ItemTable) -> FloatArray:
    return np.full(int(items.offsets[-1]), np.nan)


def _partial(covers: Mask) -> Mask | None:
    return None if covers.all() else covers


def _counts(items: ItemTable, found: Sequence[tuple[int, int]]) -> Codes:
    """The number of readings of each item: of groups with different numbers of verdicts, the least common multiple."""
    counts = np.ones(len(items), np.int32)
    for position, count in found:
        counts[position] = math.lcm(int(counts[position]), count)
    return counts


def _chosen(order: tuple[int, ...], choices: Sequence[int]) -> list[int | None]:
    """The chosen response of each vote; None for a missing vote."""
    return [None if one == NO_CHOICE else _TIE if one < 0 else order[one] for one in choices]


def _majority(votes: Sequence[int | None]) -> int | None:
    """What more than half of all votes choose; None if there is none, or it is a missing vote."""
    choice, count = Counter(votes).most_common(1)[0]
    return choice if 2 * count > len(votes) else None


def _matrix(beats: dict[int, FloatArray], items: ItemTable, group: _Group) -> FloatArray:
    size = int(items.sizes[group.position])
    return beats.setdefault(group.position, np.full((size, size), np.nan))


def _write_choice(matrix: FloatArray, members: tuple[int, ...], chosen: int | None) -> None:
    if chosen is None:
        return
    matrix[np.ix_(members, members)] = 0.5
    if chosen != _TIE:
        matrix[chosen, members], matrix[members, chosen] = 1.0, 0.0
        matrix[chosen, chosen] = 0.5


def _mean_shares(group: _Group, seen: Codes, observations: ObservationTable) -> list[float]:
    """The mean probability of each member over orders and votes; NaN if an order has no vote."""
    found: list[list[float]] = []
    vectors = observations.vectors.get(PROBABILITIES)
    for order, own in zip(group.orders, group.rows.tolist(), strict=True):
        votes = []
        for row in own:
            given = vectors[row] if vectors is not None else None
            if seen[row] == NO_CHOICE:
                continue
            if given is None:
                choice, even = int(seen[row]), 1 / len(order)
                given = tuple(even if choice < 0 else float(place == choice) for place in range(len(order)))
            votes.append([given[order.index(member)] for member in group.members])
        if not votes:
            return [math.nan] * len(group.members)
        found.append([math.fsum(shares) / len(votes) for shares in zip(*votes, strict=True)])
    # Exact sums, so that responses with the same shares in other orders are equal.
    return [math.fsum(shares) / len(found) for shares in zip(*found, strict=True)]


def _write_shares(matrix: FloatArray, group: _Group, shares: Sequence[float]) -> None:
    own = np.array(shares)
    matrix[np.ix_(group.members, group.members)] = 0.5 + 0.5 * np.sign(own[:, None] - own[None, :])


def rate_all_variants(protocol: JudgeProtocol) -> list[str]:
    """Names of the evidence of a judge that rates all responses at once, the headline first."""
    votes = [VOTES] if protocol.options.votes > 1 else []
    return [RATING, *votes] if protocol.order == "seeded" else [EACH, RATING, *votes]


def rate_all_evidence(
    protocol: Questions, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str
) -> EvidenceTable:
    """Combine ratings of all responses of an item into the scores of responses.

    Args:
        protocol: The judge's protocol.
        items: The items.
        observations: The observations.
        rows: int32[m], the row of each of the items' requests.
        variant: One of `rate_all_variants`: `orders/each` takes each order by itself, with the mean of the votes that
            exist; `rating` is the mean over the orders; `votes/each` takes each single vote.
    """
    groups = list(_groups(protocol, items, rows))
    ratings = [_ratings(group, observations) for group in groups]
    asked = np.concatenate([group.rows.ravel() for group in groups]) if groups else np.empty(0, np.int32)
    vectors = observations.vectors.get(RATINGS)
    missing = np.ones(len(asked), bool) if vectors is None else vectors.sizes[asked] < 0
    failures = count_statuses(observations.status[asked[missing]])
    if variant == VOTES:
        ratings = [own.reshape(-1, 1, own.shape[2]) for own in ratings]
    by_order = [_existing_mean(own) for own in ratings]
    if variant == RATING:
        by_order = [own.mean(axis=0, keepdims=True) for own in by_order]
    counts = _counts(items, [(group.position, len(own)) for group, own in zip(groups, by_order, strict=True)])
    readings = []
    for number in range(int(counts.max(initial=1))):
        scores = _no_scores(items)
        for group, own in zip(groups, by_order, strict=True):
            scores[int(items.offsets[group.position]) + np.array(group.members)] = own[number % len(own)]
        readings.append(EvidenceTable(items, variant, scores, covers=_partial(counts > number)))
    return EvidenceTable.averaged(readings, failures)


def _ratings(group: _Group, observations: ObservationTable) -> FloatArray:
    """The ratings of a group's members, float64[o, v, members]; NaN where they are missing."""
    found = np.full((*group.rows.shape, len(group.members)), np.nan)
    vectors = observations.vectors.get(RATINGS)
    for number, order in enumerate(group.orders):
        for vote, row in enumerate(group.rows[number].tolist()):
            given = vectors[row] if vectors is not None else None
            if given is not None:
                found[number, vote] = [given[order.index(member)] for member in group.members]
    return found


def _existing_mean(ratings: FloatArray) -> FloatArray:
    """The mean over the votes that exist, float64[o, members] from float64[o, v, members]."""
    known = ~np.isnan(ratings)
    count = known.sum(axis=1)
    total = np.where(known, ratings, 0.0).sum(axis=1)
    found: FloatArray = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return found
