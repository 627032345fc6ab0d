"""Effects of the order in which a judge reads responses: flips, preferred positions, and accuracy by position."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rmeval.data.tables import Codes, ItemTable
from rmeval.metrics.stats.intervals import wilson
from rmeval.types import FloatArray, IntArray, ScoreRule

__all__ = ["NO_VERDICT", "TIE", "Presented", "Share", "order_shares"]

TIE, NO_VERDICT = -1, -2
"""Values of `Presented.chosen` for a declared tie, and for output without a verdict."""


class Presented(NamedTuple):
    """A judge's verdict on responses in one order.

    Attributes:
        item: Position of the item.
        members: The responses, in the order in which they are presented.
        vote: Number of the repetition.
        chosen: Position of the preferred response as presented, `TIE` or `NO_VERDICT`.
    """

    item: int
    members: tuple[int, ...]
    vote: int
    chosen: int


@dataclass(frozen=True, slots=True)
class Share:
    """A share of verdicts.

    Attributes:
        name: `flipped`, `prefers`, `accuracy` or `ties`.
        position: The position that it is about, from 1; None if it is about all.
        size: Number of responses that the judge reads at once.
        value: The share.
        ci: Its 95% interval, clustered by problem.
        count: Number of verdicts; of `flipped`, of groups of verdicts on the same responses.
    """

    name: str
    position: int | None
    size: int
    value: float
    ci: tuple[float, float] | None
    count: int


def order_shares(table: ItemTable, verdicts: Iterable[Presented], rule: ScoreRule) -> list[Share]:
    """Compute the effects of order, for each number of responses that the judge reads at once.

    * `flipped`: the share of groups of verdicts on the same responses, in all orders, that are not all the same;
    * `prefers`: the share of verdicts for the response at each position; a declared tie counts 1/k for each of k. A
      judge without preference for a position has 1/k, whatever its accuracy, if each response is at each position
      equally often. Of pairs, only the first position is listed;
    * `accuracy`: the accuracy if the better response is at each position, with ties and failures by the score rule;
    * `ties`: the share of declared ties.

    Args:
        table: The items.
        verdicts: The verdicts.
        rule: The score rule.
    """
    by_size: dict[int, list[Presented]] = {}
    for one in verdicts:
        by_size.setdefault(len(one.members), []).append(one)
    return [share for size, own in sorted(by_size.items()) for share in _shares(table, size, own, rule)]


def _shares(table: ItemTable, size: int, verdicts: list[Presented], rule: ScoreRule) -> Iterator[Share]:
    item = np.array([one.item for one in verdicts], np.int64)
    chosen = np.array([one.chosen for one in verdicts], np.int64)
    decided, cluster = chosen != NO_VERDICT, table.cluster[item]
    flips, of_flips = _flips(verdicts)
    if len(flips):
        yield _share("flipped", None, size, flips, table.cluster[of_flips])
    for position in range(1 if size == 2 else size):
        credit = np.where(chosen == TIE, 1 / size, (chosen == position).astype(float))
        yield _share("prefers", position + 1, size, credit[decided], cluster[decided])
    better = _better_positions(table, verdicts)
    credit = np.where(chosen == better, 1.0, 0.0)
    credit[chosen == TIE] = 1 / size if rule.tie == "share" else 0.0
    credit[chosen == NO_VERDICT] = {"loss": 0.0, "exclude": np.nan, "share": 1 / size}[rule.failure]
    for position in range(size):
        there = (better == position) & ~np.isnan(credit)
        yield _share("accuracy", position + 1, size, credit[there], cluster[there])
    yield _share("ties", None, size, (chosen == TIE)[decided].astype(float), cluster[decided])


def _share(name: str, position: int | None, size: int, credit: FloatArray, cluster: Codes | IntArray) -> Share:
    if not len(credit):
        return Share(name, position, size, np.nan, None, 0)
    number = np.unique(cluster, return_inverse=True)[1]
    return Share(name, position, size, float(credit.mean()), wilson(credit, number)[0], len(credit))


def _flips(verdicts: list[Presented]) -> tuple[FloatArray, IntArray]:
    """Whether the verdicts on the same responses differ, float64[g], and the items, for groups with all verdicts."""
    groups: dict[tuple[int, tuple[int, ...], int], list[int]] = {}
    for one in verdicts:
        member = one.chosen if one.chosen < 0 else one.members[one.chosen]
        groups.setdefault((one.item, tuple(sorted(one.members)), one.vote), []).append(member)
    found = [
        (len(set(own)) > 1, item) for (item, _, _), own in groups.items() if len(own) > 1 and NO_VERDICT not in own
    ]
    return np.array([own for own, _ in found], np.float64), np.array([item for _, item in found], np.int64)


def _better_positions(table: ItemTable, verdicts: list[Presented]) -> IntArray:
    """The position of the better response in each verdict's order, -1 if it is not among the responses or not known."""
    known: dict[tuple[int, tuple[int, ...]], int] = {}
    found = np.full(len(verdicts), -1, np.int64)
    for row, one in enumerate(verdicts):
        shape, members = int(table.shape[one.item]), tuple(sorted(one.members))
        if (shape, members) not in known:
            known[shape, members] = _winner(table, shape, members)
        if (winner := known[shape, members]) >= 0:
            found[row] = one.members.index(winner)
    return found


def _winner(table: ItemTable, shape: int, members: tuple[int, ...]) -> int:
    """The member that beats all others in comparisons of the shape; -1 if there is none."""
    beaten: dict[int, set[int]] = {}
    for comparison in table.shapes[shape].comparisons:
        if comparison.gold is not None:
            winner = comparison.members[comparison.gold]
            beaten.setdefault(winner, set()).update(comparison.members)
    return next((one for one in members if beaten.get(one, set()) >= set(members)), -1)
