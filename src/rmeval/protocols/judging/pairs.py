"""Judges' protocols of two responses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Shape
from rmeval.metrics.stats.positions import Presented
from rmeval.protocols.base import Question
from rmeval.protocols.judging.chance import Guess, pair_guess
from rmeval.protocols.judging.evidence import pair_evidence, pair_variants
from rmeval.protocols.judging.presented import pair_positions, presented, tie_share
from rmeval.protocols.judging.protocol import JudgeProtocol
from rmeval.protocols.judging.verdict import Probabilities, Verdict
from rmeval.protocols.pairwise import ODDS, PAIRWISE, PAIRWISE_CHOSEN, VALUE
from rmeval.types import Comparison, Item

__all__ = ["STRENGTH", "JudgePairs"]

STRENGTH = "strength"
"""How strong a preference is, where the labels differ in it."""


class JudgePairs(JudgeProtocol):
    """Two responses in each request, each pair in both orders or in one that is drawn."""

    gives_scores = False

    def pairs(self, comparisons: Sequence[Comparison]) -> list[tuple[int, int]]:
        """The pairs of an item's responses to compare, the smaller index first."""
        return (PAIRWISE_CHOSEN if self.options.against == "chosen" else PAIRWISE).pairs(comparisons)

    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """The orders of each pair, once per vote; of comparisons without a winner, all pairs."""
        return self.in_orders(item, PAIRWISE.pairs([Comparison(members, None) for members in comparisons]))

    def questions(self, item: Item | Shape) -> Sequence[Question]:
        """The orders of each pair, once per vote."""
        return self.in_orders(item.id if isinstance(item, Item) else "", self.pairs(item.comparisons))

    def read(self, text: str, count: int, presented: Sequence[str]) -> Verdict | None:
        """The preference that a text states."""
        label = self.label_of(text, count, presented)
        if label is None or label not in self.card.labels:
            return None
        prefers = self.card.labels[label]
        strength = {STRENGTH: self.card.strengths.get(label, 0.0)} if self.card.strengths else {}
        return Verdict({VALUE: prefers, **strength}, _choice(prefers))

    def decide(self, probabilities: Probabilities) -> Verdict:
        """The probability that the response presented first is better, and its log-odds if there are two labels."""
        raw, labels = probabilities.raw, self.card.labels
        first, second = (sum(raw[label] for label in labels if labels[label] == end) for end in (1.0, 0.0))
        odds = {}
        if set(labels.values()) == {0.0, 1.0} and first > 0 and second > 0:
            odds = {ODDS: math.log(first) - math.log(second)}
        likeliest = probabilities.likeliest()
        choice = None if likeliest is None else _choice(labels[likeliest])
        return Verdict({VALUE: probabilities.expectation(labels), **odds}, choice)

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


def _choice(prefers: float) -> int:
    return -1 if prefers == 0.5 else int(prefers < 0.5)
