"""The pairwise protocol: which of two responses is better, in both orders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np

from rmeval.data.observations import ObservationTable, count_statuses
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Shape
from rmeval.messages import count_of
from rmeval.protocols.base import BaseProtocol, Question, request_key
from rmeval.types import Comparison, FloatArray, Item, Observation, Request

__all__ = [
    "AGREE",
    "LABEL_MASS",
    "MEAN",
    "NET",
    "ODDS",
    "PAIRWISE",
    "PAIRWISE_CHOSEN",
    "VALUE",
    "Pairwise",
    "agreed",
    "net",
    "parse_preference",
    "sign",
]

VALUE = "p_first"
ODDS = "log_odds"
"""What the probability is of, where a model says it: it tells apart what is 1 as a probability."""
LABEL_MASS = "label_mass"
"""The part of a language model's probability that the tokens which it answers with have together."""
MEAN, AGREE, NET = "orders/mean", "orders/agree", "orders/net"
"""How two orders become one preference: by the mean of their probabilities, where they agree, or by most wins."""


class Pairwise(BaseProtocol):
    """Two requests, one an order, for each pair of answers that a comparison holds.

    In a comparison of more than two answers either each is compared with each (round robin), or the winner with each of
    the others, which is all that its outcome depends on. For pairs and for RM-Bench's cells that is the same.

    Attributes:
        name: Name and version, part of a run's identity.
    """

    gives_scores = False

    def __init__(self, name: str, round_robin: bool) -> None:
        self.name = name
        self._round_robin = round_robin

    def pairs(self, comparisons: Sequence[Comparison]) -> list[tuple[int, int]]:
        """The pairs of an item's answers to compare, the smaller index first."""
        return _pairs(self._round_robin, tuple((tuple(one.members), one.gold) for one in comparisons))

    def asks(self, item: str, responses: int, comparisons: Sequence[tuple[int, ...]]) -> list[Question]:
        """Both orders of each pair; of comparisons without a winner, all pairs."""
        return self._both_orders(_pairs(True, tuple((members, None) for members in comparisons)))

    def questions(self, item: Item | Shape) -> Sequence[Question]:
        """Both orders of each pair."""
        return self._both_orders(self.pairs(item.comparisons))

    @staticmethod
    def _both_orders(pairs: Sequence[tuple[int, int]]) -> list[Question]:
        return [Question(order) for one, other in pairs for order in ((one, other), (other, one))]

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """The keys of both orders of each pair; which pairs are asked about is no part of a question."""
        return tuple(
            request_key("pairwise@1", (digests[first], digests[second]))
            for one, other in self.pairs(item.comparisons)
            for first, second in ((one, other), (other, one))
        )

    def parse(self, request: Request, raw: Any) -> Observation:
        """The observation for the probability that the answer shown first is better."""
        return parse_preference(request.key, raw)

    def variants(self, observations: ObservationTable) -> list[str]:
        """The ways of making one preference of two orders."""
        return [MEAN, AGREE, NET]

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str = MEAN) -> EvidenceTable:
        """A matrix of preferences for each item, from the probabilities that the first answer is better.

        With p the probability in the one order and q in the other, `orders/mean` prefers the first answer of the pair
        where (p + 1 - q) / 2 is above one half; `orders/agree` where both orders do, and else calls it a tie;
        `orders/net` where more orders do than prefer the other, so that a win and a tie are a win, and an order
        without an answer counts for neither (JudgeBench, `compute_final_metrics` in its `utils/metrics.py`).
        """
        seen, odds = observations.column(VALUE, rows), observations.column(ODDS, rows)
        beats: dict[int, FloatArray] = {}
        place = 0
        for position, item in enumerate(items):
            matrix = np.full((len(item.responses), len(item.responses)), np.nan)
            for one, other in self.pairs(item.comparisons):
                first, second = float(seen[place]), 1 - float(seen[place + 1])
                apart = float(odds[place]) - float(odds[place + 1])
                place += 2
                if variant == AGREE:
                    preference = agreed(first, second)
                elif variant == NET:
                    preference = net(first, second)
                elif math.isnan(apart):
                    preference = sign((first + second) / 2)
                else:  # p + 1 - q is above 1 exactly where the log-odds of p are above those of q.
                    preference = 0.5 + 0.5 * float(np.sign(apart))
                matrix[one, other], matrix[other, one] = preference, 1 - preference
            beats[position] = matrix
        failures = count_statuses(observations.status[rows[np.isnan(seen)]])
        return EvidenceTable(items, variant, np.full(int(items.offsets[-1]), np.nan), failures, beats)

    def same_tokens(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> int:
        """Pairs that read the same in both orders."""
        return int(observations.same_sequence(rows[::2], rows[1::2]).sum())

    def notes(self, observations: ObservationTable, rows: Codes) -> list[str]:
        """How often the two orders of a pair contradict each other."""
        if VALUE not in observations.values:
            return []
        mass = label_mass_notes(observations, rows)
        both = observations.values[VALUE][rows].reshape(-1, 2)
        first, second = both[:, 0], 1 - both[:, 1]
        known = ~np.isnan(first + second)
        if not known.any():
            return mass
        against = int((np.sign(first - 0.5) != np.sign(second - 0.5))[known].sum())
        # A tie is half a preference for either.
        shown = float(np.mean(0.5 + 0.5 * np.sign(both[known] - 0.5)))
        return [
            f"the two orders disagree on {against} of {known.sum()} pairs; the first response is preferred in "
            f"{100 * shown:.1f}% of all requests",
            *mass,
        ]


@lru_cache(maxsize=1 << 10)
def _pairs(round_robin: bool, comparisons: tuple[tuple[tuple[int, ...], int | None], ...]) -> list[tuple[int, int]]:
    """The pairs of some comparisons' members: each with each, or each winner with the others."""
    found: set[tuple[int, int]] = set()
    for members, gold in comparisons:
        if round_robin or gold is None:
            found.update(combinations(sorted(members), 2))
        else:
            winner = members[gold]
            found.update((min(winner, other), max(winner, other)) for other in members if other != winner)
    return sorted(found)


def label_mass_notes(observations: ObservationTable, rows: Codes) -> list[str]:
    """The share of a language model's probability that the labels have."""
    if LABEL_MASS not in observations.values or np.isnan(own := observations.values[LABEL_MASS][rows]).all():
        return []
    low = int((own < 0.5).sum())
    return [
        f"the labels that are read have {100 * float(np.nanmean(own)):.1f}% of the model's probability on average, and "
        f"less than half of it in {count_of(low, 'answer')}"
    ]


def sign(probability: float) -> float:
    """1 above one half, 0 below it, 0.5 there; NaN stays."""
    return math.nan if math.isnan(probability) else 0.5 + 0.5 * float(np.sign(probability - 0.5))


def agreed(first: float, second: float) -> float:
    """What both orders prefer, from the preference that each gives; 0.5 where they differ."""
    one, other = sign(first), sign(second)
    return math.nan if math.isnan(one + other) else one if one == other else 0.5


def net(first: float, second: float) -> float:
    """What more of two orders prefer; an order without an answer counts for neither."""
    known = [2 * sign(own) - 1 for own in (first, second) if not math.isnan(own)]
    return 0.5 + 0.5 * float(np.sign(sum(known))) if known else math.nan


def parse_preference(
    key: str,
    probability: float,
    tokens: int | None = None,
    truncated: bool = False,
    odds: float | None = None,
    beside: Mapping[str, float] = MappingProxyType({}),
) -> Observation:
    """The observation for the probability that the answer shown first is better.

    Args:
        key: The key of what was asked.
        probability: What came back.
        tokens: Length of what the model read, if that is known.
        truncated: Whether the model saw only a part of it.
        odds: The log-odds that the probability was made of.
        beside: Other numbers about the answer, by name.
    """
    usage = {} if tokens is None else {"tokens": tokens}
    if not 0 <= probability <= 1:
        gave = "no number" if math.isnan(probability) else str(probability)
        return Observation(key, "error", usage=usage, error=f"the model returned {gave} for a probability")
    values = {VALUE: float(probability)} | ({} if odds is None else {ODDS: odds}) | dict(beside)
    return Observation(key, "ok", values, usage=usage, input_truncated=truncated)


PAIRWISE = Pairwise("pairwise@1", round_robin=True)
PAIRWISE_CHOSEN = Pairwise("pairwise-chosen@1", round_robin=False)
