"""Judges' protocols that rate responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.metrics.stats.positions import Presented
from rmeval.protocols.base import Question
from rmeval.protocols.judging.asked import Output
from rmeval.protocols.judging.evidence import RATING, RATINGS, rating_evidence, rating_variants
from rmeval.protocols.judging.orders import rotations, seeded_order
from rmeval.protocols.judging.presented import presented, top_positions
from rmeval.protocols.judging.protocol import JudgeProtocol
from rmeval.protocols.judging.several import rate_all_evidence, rate_all_variants
from rmeval.types import Observation, Request

__all__ = ["RATING", "RATINGS", "JudgeRateAll", "JudgeRating"]


class JudgeRating(JudgeProtocol):
    """One response in each request."""

    gives_scores = True

    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """Each response, once per vote."""
        return [Question((member,), vote) for member in range(responses) for vote in range(self.options.votes)]

    def parse(self, request: Request, raw: Output) -> Observation:
        """The observation for a judge's output."""
        raise NotImplementedError

    def variants(self, observations: ObservationTable) -> list[str]:
        """The rating, and each vote by itself if there are several."""
        return rating_variants(self)

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str) -> EvidenceTable:
        """The ratings as scores, see `rating_evidence`."""
        return rating_evidence(self, items, observations, rows, variant)


class JudgeRateAll(JudgeProtocol):
    """All responses of an item in one request, in all rotations or in one order that is drawn."""

    gives_scores = True

    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """The orders of the item's responses, once per vote."""
        every = tuple(range(responses))
        return [
            Question(order, vote)
            for order in (
                [seeded_order(self.options.order_seed, item, every)] if self.order == "seeded" else rotations(every)
            )
            for vote in range(self.options.votes)
        ]

    def parse(self, request: Request, raw: Output) -> Observation:
        """The observation for a judge's output."""
        raise NotImplementedError

    def variants(self, observations: ObservationTable) -> list[str]:
        """The ways to combine orders and votes, see `rate_all_evidence`."""
        return rate_all_variants(self)

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str) -> EvidenceTable:
        """The ratings as scores, see `rate_all_evidence`."""
        return rate_all_evidence(self, items, observations, rows, variant)

    def presented(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> Iterator[Presented]:
        """The responses with the highest ratings in the orders in which the judge reads them."""
        return presented(self, items, rows, top_positions(observations, RATINGS))
