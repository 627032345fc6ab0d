"""Judges' protocols that choose the best of several responses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.errors import RunError
from rmeval.metrics.stats.positions import Presented
from rmeval.protocols.base import Question
from rmeval.protocols.judging.card import MOST
from rmeval.protocols.judging.chance import Guess, best_guess
from rmeval.protocols.judging.presented import presented, tie_share
from rmeval.protocols.judging.protocol import JudgeProtocol
from rmeval.protocols.judging.several import PROBABILITIES, best_evidence, best_variants, choices
from rmeval.protocols.judging.verdict import Probabilities, Verdict

__all__ = ["JudgeBest"]


class JudgeBest(JudgeProtocol):
    """The responses of a comparison in one request, in all rotations or in one order that is drawn."""

    gives_scores = False

    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """The orders of each comparison, once per vote.

        Raises:
            RunError: If two comparisons share several responses, whose preference would then have two values, or a
                comparison has more responses than letters.
        """
        if any(len(members) > MOST for members in comparisons):
            raise RunError(
                f"item {item} has a comparison of more than {MOST} responses: choose a `protocol` of ratings"
            )
        if any(len(set(one) & set(other)) > 1 for one, other in combinations(comparisons, 2)):
            raise RunError(
                f"item {item} has comparisons that share several responses, of which {self.card.name} would choose one "
                "for each: choose a `protocol` of pairs or of ratings"
            )
        return self.in_orders(item, comparisons)

    def read(self, text: str, count: int, presented: Sequence[str]) -> Verdict | None:
        """The response that a text chooses."""
        label, names = self.label_of(text, count, presented), self.card.names(count)
        return Verdict(choice=names.index(label)) if label is not None and label in names else None

    def decide(self, probabilities: Probabilities) -> Verdict:
        """The probability of each response, and the most probable one."""
        names, likeliest = list(probabilities.shares), probabilities.likeliest()
        choice = None if likeliest is None else names.index(likeliest)
        return Verdict({PROBABILITIES: tuple(probabilities.shares.values())}, choice)

    def variants(self, observations: ObservationTable) -> list[str]:
        """The ways to combine rotations and votes, see `best_evidence`."""
        return best_variants(self)

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str) -> EvidenceTable:
        """The preferences for the chosen responses, see `best_evidence`."""
        return best_evidence(self, items, observations, rows, variant)

    def presented(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> Iterator[Presented]:
        """The choices in the orders in which the judge reads the responses."""
        return presented(self, items, rows, choices(observations).astype(np.int64))

    def guess(self, observations: ObservationTable, rows: Codes, variant: str) -> Guess | None:
        """Random choices with the judge's share of declared ties."""
        tie = tie_share(choices(observations)[rows])
        return best_guess(variant, tie, self.votes, self.form != "text")
