"""Judges' protocols that rate responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.metrics.stats.positions import Presented
from rmeval.protocols.base import Question
from rmeval.protocols.judging.card import JudgeCard
from rmeval.protocols.judging.evidence import RATING, RATINGS, rating_evidence, rating_variants
from rmeval.protocols.judging.presented import presented, top_positions
from rmeval.protocols.judging.protocol import JudgeProtocol
from rmeval.protocols.judging.reading import json_verdict, list_in, number_of, rating_in
from rmeval.protocols.judging.several import rate_all_evidence, rate_all_variants
from rmeval.protocols.judging.verdict import Probabilities, Verdict

__all__ = ["RATING", "RATINGS", "JudgeRateAll", "JudgeRating"]


class JudgeRating(JudgeProtocol):
    """One response in each request."""

    gives_scores = True

    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> Sequence[Question]:
        """Each response, once per vote."""
        return [Question((member,), vote) for member in range(responses) for vote in range(self.options.votes)]

    def read(self, text: str, count: int, presented: Sequence[str]) -> Verdict | None:
        """The rating that a text states."""
        if self.card.json_field:
            rating = _rating(json_verdict(text, self.card, presented), self.card)
        else:
            rating = rating_in(text, self.card, presented)
        return None if rating is None else Verdict({RATING: rating})

    def decide(self, probabilities: Probabilities) -> Verdict:
        """The expected rating."""
        return Verdict({RATING: probabilities.expectation(self.card.labels)})

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
        return self.in_orders(item, [tuple(range(responses))])

    def read(self, text: str, count: int, presented: Sequence[str]) -> Verdict | None:
        """The rating of each response, by name or in the order in which they are presented."""
        found = (
            json_verdict(text, self.card, presented) if self.card.json_field else list_in(text, self.card, presented)
        )
        names = self.card.member_names(count)
        if isinstance(found, Mapping):
            found = [found[name] for name in names] if set(found) == set(names) else None
        if not isinstance(found, list) or len(found) != count:
            return None
        ratings = [_rating(one, self.card) for one in found]
        return Verdict({RATINGS: tuple(one for one in ratings if one is not None)}) if None not in ratings else None

    def decide(self, probabilities: Probabilities) -> Verdict:
        """No verdict: labels are of one response at a time."""
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


def _rating(found: Any, card: JudgeCard) -> float | None:
    """A rating in JSON, as a number or as a text such as `8/10`; None if it is not one of the scale."""
    assert card.scale is not None
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    return number_of(found if isinstance(found, str) else repr(found), card.scale)
