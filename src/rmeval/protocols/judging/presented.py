"""A judge's verdicts by the order in which it reads the responses, and what random verdicts get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, ItemTable
from rmeval.metrics.stats.positions import NO_VERDICT, TIE, Presented
from rmeval.protocols.judging.chance import Guess
from rmeval.protocols.judging.evidence import Questions
from rmeval.types import IntArray

__all__ = ["GivesVerdicts", "pair_positions", "presented", "tie_share", "top_positions"]


@runtime_checkable
class GivesVerdicts(Protocol):
    """A protocol of judges, whose outputs may lack a verdict, and may depend on the order of the responses."""

    @property
    def votes(self) -> int:
        """Number of outputs on the same responses in the same order."""
        ...

    @property
    def rule(self) -> str | None:
        """Name of the score rule that is part of the protocol; None for the benchmark's own."""
        ...

    def presented(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> Iterator[Presented]:
        """Yield the verdicts on two or more responses whose order is known."""
        ...

    def guess(self, observations: ObservationTable, rows: Codes, variant: str) -> Guess | None:
        """What random verdicts get by a variant of the evidence; None if the evidence is made of scores."""
        ...


def presented(protocol: Questions, items: ItemTable, rows: Codes, positions: IntArray) -> Iterator[Presented]:
    """Yield the verdicts of a judge.

    Args:
        protocol: Its protocol.
        items: The items.
        rows: int32[m], the row of each of the items' requests.
        positions: int64[n], the position of the preferred response as presented, for each row of the observations.
    """
    place = 0
    for position, item in enumerate(items):
        for one in protocol.questions(item):
            yield Presented(position, one.members, one.vote, int(positions[rows[place]]))
            place += 1


def pair_positions(observations: ObservationTable, name: str) -> IntArray:
    """The preferred positions, int64[n], by the probability that the response presented first is better."""
    seen = observations.column(name, np.arange(len(observations.status)))
    return np.where(np.isnan(seen), NO_VERDICT, np.where(seen > 0.5, 0, np.where(seen < 0.5, 1, TIE)))


def top_positions(observations: ObservationTable, name: str) -> IntArray:
    """The position with the highest of several ratings, int64[n]; a tie if several positions have it."""
    found = np.full(len(observations.status), NO_VERDICT)
    vectors = observations.vectors.get(name)
    for row in range(len(found)):
        if vectors is not None and (own := vectors[row]):
            best = max(own)
            found[row] = own.index(best) if own.count(best) == 1 else TIE
    return found


def tie_share(positions: IntArray | Codes) -> float:
    """The share of declared ties among the verdicts at these positions; 0 if there are none."""
    decided = positions[positions != NO_VERDICT]
    return float((decided == TIE).mean()) if len(decided) else 0.0
