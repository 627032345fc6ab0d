"""Judges' protocols that choose the best of several responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.errors import RunError
from rmeval.metrics.stats.positions import Presented
from rmeval.protocols.base import Question
from rmeval.protocols.judging.asked import Output
from rmeval.protocols.judging.chance import Guess, best_guess
from rmeval.protocols.judging.orders import rotations, seeded_order
from rmeval.protocols.judging.presented import best_positions, presented, tie_share
from rmeval.protocols.judging.protocol import JudgeProtocol
from rmeval.protocols.judging.several import best_evidence, best_variants
from rmeval.types import Observation, Request

__all__ = ["JudgeBest"]


class JudgeBest(JudgeProtocol):
    """The responses of a comparison in one request, in all rotations or in one order that is drawn."""

    gives_scores = False

    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """The orders of each comparison, once per vote.

        Raises:
            RunError: If two comparisons share several responses, whose preference would then have two values.
        """
        if any(len(set(one) & set(other)) > 1 for one, other in combinations(comparisons, 2)):
            raise RunError(
                f"item {item} has comparisons that share several responses, of which {self.card.name} would choose one "
                "for each: choose a `protocol` of pairs or of ratings"
            )
        return [
            Question(order, vote)
            for members in comparisons
            for order in (
                [seeded_order(self.options.order_seed, item, members)] if self.order == "seeded" else rotations(members)
            )
            for vote in range(self.options.votes)
        ]

    def parse(self, request: Request, raw: Output) -> Observation:
        """The observation for a judge's output."""
        raise NotImplementedError

    def variants(self, observations: ObservationTable) -> list[str]:
        """The ways to combine rotations and votes, see `best_evidence`."""
        return best_variants(self)

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str) -> EvidenceTable:
        """The preferences for the chosen responses, see `best_evidence`."""
        return best_evidence(self, items, observations, rows, variant)

    def presented(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> Iterator[Presented]:
        """The choices in the orders in which the judge reads the responses."""
        return presented(self, items, rows, best_positions(observations))

    def guess(self, observations: ObservationTable, rows: Codes, variant: str) -> Guess | None:
        """Random choices with the judge's share of declared ties."""
        tie = tie_share(best_positions(observations)[rows])
        return best_guess(variant, tie, self.votes, self.form != "text")
