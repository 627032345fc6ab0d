"""The pairwise protocol: each request has two responses, and each pair is presented in both orders."""

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
"""The log-odds of the probability, where a model returns them: they differ where probabilities are rounded to 1."""
LABEL_MASS = "label_mass"
"""The total probability of a language model's label tokens."""
MEAN, AGREE, NET = "orders/mean", "orders/agree", "orders/net"
"""Ways to combine two orders into one preference: the mean of their probabilities, their agreement, or net wins."""


class Pairwise(BaseProtocol):
    """Two requests, one per order, for each pair of responses in a comparison.

    In a comparison of more than two responses, either all pairs are compared (round robin), or only the winner with
    each of the others, which determines the outcome. For pairs and for RM-Bench's cells both are the same.

    Attributes:
        name: Name and version, part of a run's identity.
    """

    gives_scores = False

    def __init__(self, name: str, round_robin: bool) -> None:
        self.name = name
        self._round_robin = round_robin

    def pairs(self, comparisons: Sequence[Comparison]) -> list[tuple[int, int]]:
        """The pairs of an item's responses to compare, the smaller index first."""
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
        """The keys of both orders of each pair; they do not depend on which other pairs are compared."""
        return tuple(
            request_key("pairwise@1", (digests[first], digests[second]))
            for one, other in self.pairs(item.comparisons)
            for first, second in ((one, other), (other, one))
        )

    def parse(self, request: Request, raw: Any) -> Observation:
        """The observation for the probability that the response shown first is better."""
        return parse_preference(request.key, raw)

    def variants(self, observations: ObservationTable) -> list[str]:
        """The ways to combine two orders into one preference."""
        return [MEAN, AGREE, NET]

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str = MEAN) -> EvidenceTable:
        """A matrix of preferences for each item, from the probabilities that the first response is better.

        With p the probability in one order and q in the other, `orders/mean` prefers the first response of the pair if
        (p + 1 - q) / 2 is above one half. `orders/agree` prefers it if both orders do; orders that disagree are a tie.
        `orders/net` prefers it if more orders prefer it than the other: a win and a tie are a win, and an order
        without an observation counts for neither (JudgeBench, `compute_final_metrics` in its `utils/metrics.py`).
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
        """Number of pairs whose tokens are the same in both orders."""
        return int(observations.same_sequence(rows[::2], rows[1::2]).sum())

    def notes(self, observations: ObservationTable, rows: Codes) -> list[str]:
        """Notes on how often the two orders of a pair disagree, and on the position bias."""
        if VALUE not in observations.values:
            return []
        mass = label_mass_notes(observations, rows)
        both = observations.values[VALUE][rows].reshape(-1, 2)
        first, second = both[:, 0], 1 - both[:, 1]
        known = ~np.isnan(first + second)
        if not known.any():
            return mass
        against = int((np.sign(first - 0.5) != np.sign(second - 0.5))[known].sum())
        # A tie counts as half a preference for each response.
        shown = float(np.mean(0.5 + 0.5 * np.sign(both[known] - 0.5)))
        return [
            f"the two orders disagree on {against} of {known.sum()} pairs; the first response is preferred in "
            f"{100 * shown:.1f}% of all requests",
            *mass,
        ]


@lru_cache(maxsize=1 << 10)
def _pairs(round_robin: bool, comparisons: tuple[tuple[tuple[int, ...], int | None], ...]) -> list[tuple[int, int]]:
    """The pairs of members of some comparisons: all pairs, or each winner with the others."""
    found: set[tuple[int, int]] = set()
    for members, gold in comparisons:
        if round_robin or gold is None:
            found.update(combinations(sorted(members), 2))
        else:
            winner = members[gold]
            found.update((min(winner, other), max(winner, other)) for other in members if other != winner)
    return sorted(found)


def label_mass_notes(observations: ObservationTable, rows: Codes) -> list[str]:
    """Notes on the probability of a language model's label tokens."""
    if LABEL_MASS not in observations.values or np.isnan(own := observations.values[LABEL_MASS][rows]).all():
        return []
    low = int((own < 0.5).sum())
    return [
        f"the labels have {100 * float(np.nanmean(own)):.1f}% of the model's probability on average, and less than "
        f"half of it in {count_of(low, 'request')}"
    ]


def sign(probability: float) -> float:
    """1 above one half, 0 below it, 0.5 at one half; NaN for NaN."""
    return math.nan if math.isnan(probability) else 0.5 + 0.5 * float(np.sign(probability - 0.5))


def agreed(first: float, second: float) -> float:
    """The preference of both orders; 0.5 where they differ."""
    one, other = sign(first), sign(second)
    return math.nan if math.isnan(one + other) else one if one == other else 0.5


def net(first: float, second: float) -> float:
    """The net preference of two orders; an order without an observation counts for neither."""
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
    """The observation for the probability that the response shown first is better.

    Args:
        key: The key of the request.
        probability: The model's output.
        tokens: Length of the input, if known.
        truncated: Whether the input was cut.
        odds: The log-odds of the probability.
        beside: Other values of the observation, by name.
    """
    usage = {} if tokens is None else {"tokens": tokens}
    if not 0 <= probability <= 1:
        gave = "NaN" if math.isnan(probability) else str(probability)
        return Observation(key, "error", usage=usage, error=f"the model returned {gave} for a probability")
    values = {VALUE: float(probability)} | ({} if odds is None else {ODDS: odds}) | dict(beside)
    return Observation(key, "ok", values, usage=usage, input_truncated=truncated)


PAIRWISE = Pairwise("pairwise@1", round_robin=True)
PAIRWISE_CHOSEN = Pairwise("pairwise-chosen@1", round_robin=False)
