"""Judges' protocols of two responses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.metrics.stats.positions import Presented
from rmeval.protocols.base import Question
from rmeval.protocols.judging.asked import Output
from rmeval.protocols.judging.chance import Guess, pair_guess
from rmeval.protocols.judging.evidence import pair_evidence, pair_variants
from rmeval.protocols.judging.orders import rotations, seeded_order
from rmeval.protocols.judging.presented import pair_positions, presented, tie_share
from rmeval.protocols.judging.protocol import JudgeProtocol
from rmeval.protocols.pairwise import PAIRWISE, VALUE
from rmeval.types import Comparison, Observation, Request

__all__ = ["JudgePairs"]


class JudgePairs(JudgeProtocol):
    """Two responses in each request, each pair in both orders or in one that is drawn."""

    gives_scores = False

    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """The orders of each pair, once per vote."""
        pairs = PAIRWISE.pairs([Comparison(members, None) for members in comparisons])
        return [
            Question(order, vote)
            for pair in pairs
            for order in (
                [seeded_order(self.options.order_seed, item, pair)] if self.order == "seeded" else rotations(pair)
            )
            for vote in range(self.options.votes)
        ]

    def parse(self, request: Request, raw: Output) -> Observation:
        """The observation for a judge's output."""
        if raw.error is not None:
            return Observation(request.key, "error", usage=raw.usage, error=raw.error)
        if raw.finish != "stop":
            return Observation(request.key, "refused" if raw.finish == "refused" else "no_verdict", usage=raw.usage)
        found = {
            self.card.verdicts[label] for label in re.findall(self.card.find, raw.text) if label in self.card.verdicts
        }
        if len(found) != 1:
            return Observation(request.key, "unparsed", usage=raw.usage)
        (prefers,) = found
        choice = {1.0: 0, 0.0: 1}.get(prefers, -1)
        return Observation(request.key, "ok", {VALUE: prefers}, choice, raw.usage)

    def variants(self, observations: ObservationTable) -> list[str]:
        """The ways to combine orders and votes, see `pair_evidence`."""
        return pair_variants(self)

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str) -> EvidenceTable:
        """The preferences between pairs of responses, see `pair_evidence`."""
        return pair_evidence(self, items, observations, rows, variant)

    def presented(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> Iterator[Presented]:
        """The verdicts in the orders in which the judge reads the responses."""
        return presented(self, items, rows, pair_positions(observations, VALUE))

    def guess(self, observations: ObservationTable, rows: Codes, variant: str) -> Guess | None:
        """Random verdicts with the judge's share of declared ties."""
        tie = tie_share(pair_positions(observations, VALUE)[rows])
        return pair_guess(variant, tie, self.votes, self.form != "text")
