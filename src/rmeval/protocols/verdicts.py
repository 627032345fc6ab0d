"""Protocols of imported verdicts on pairs, in one order or in both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rmeval.data.digests import digest
from rmeval.data.observations import ObservationTable, count_statuses
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Shape
from rmeval.metrics.stats.positions import TIE, Presented
from rmeval.protocols.base import Question
from rmeval.protocols.judging.chance import Guess, pair_guess
from rmeval.protocols.pairwise import AGREE, MEAN, NET, Pairwise, agreed, net, sign
from rmeval.types import FloatArray, Item, Observation, Request, Status

__all__ = ["FIRST", "SECOND", "VERDICTS", "VERDICTS_BOTH", "Verdicts", "parse_verdict"]

PREFERS = "prefers"
"""1 if the first response of the pair is preferred, 0 if the second is, 0.5 for a declared tie."""
SHOWN = "shown_first"
"""The response of the pair that the judge read first, 0 or 1, if known."""
ONE, FIRST, SECOND = "verdict", "orders/first", "orders/second"
"""Variants of the evidence: the only verdict on each pair, or one of two verdicts."""


class Verdicts(Pairwise):
    """One request, or one per order, for each pair of a comparison's winner and another response.

    A verdict is stored in the order of the item's responses, independent of the order in which the judge read them. The
    file determines which of two verdicts on a pair is the first.

    Attributes:
        name: Name and version, part of a run's identity.
        orders: Number of verdicts on a pair.
    """

    def __init__(self, name: str, orders: int) -> None:
        super().__init__(name, round_robin=False)
        self.orders = orders

    def keys(self, item: Item, digests: Sequence[str]) -> tuple[str, ...]:
        """The keys of the verdicts on each pair; equal pairs of different items may have different verdicts."""
        return tuple(
            digest([self.name, item.id, digests[one], digests[other], one, other, order])
            for one, other in self.pairs(item.comparisons)
            for order in range(self.orders)
        )

    def questions(self, item: Item | Shape) -> list[Question]:
        """Each pair, once per verdict."""
        return [Question(pair) for pair in self.pairs(item.comparisons) for _ in range(self.orders)]

    def parse(self, request: Request, raw: Any) -> Observation:
        """The observation for a verdict, see `PREFERS`."""
        return parse_verdict(request.key, raw)

    def variants(self, observations: ObservationTable) -> list[str]:
        """The ways to combine the verdicts on a pair into one preference, and the verdicts of each order alone."""
        return [ONE] if self.orders == 1 else [MEAN, AGREE, NET, FIRST, SECOND]

    def fold(self, items: ItemTable, observations: ObservationTable, rows: Codes, variant: str = MEAN) -> EvidenceTable:
        """A matrix of preferences for each item; see `Pairwise.fold` for the variants.

        `orders/first` and `orders/second` are the verdicts of one order alone. If one of two verdicts on a pair is
        missing, `orders/mean` counts it against the winner. With shared ties and without tie verdicts, the number is
        then the mean of the numbers of both orders with missing verdicts as losses (`correct_average` of LLMBar's
        statistics, and `single_accuracy` of offsetbias' `run_bench.py`). After a tie in one order the other decides.
        """
        seen = observations.column(PREFERS, rows).reshape(-1, self.orders)
        used = {FIRST: [0], SECOND: [1]}.get(variant, list(range(self.orders)))
        beats: dict[int, FloatArray] = {}
        place = 0
        for position, item in enumerate(items):
            matrix = np.full((len(item.responses), len(item.responses)), np.nan)
            winners = {
                comparison.members[comparison.gold] for comparison in item.comparisons if comparison.gold is not None
            }
            for one, other in self.pairs(item.comparisons):
                known = [float(seen[place, order]) for order in used]
                place += 1
                if variant == MEAN and len(known) == 2 and (one in winners) != (other in winners):
                    known = _completed(known, float(other in winners))
                matrix[one, other] = _preference(known, variant)
                matrix[other, one] = 1 - matrix[one, other]
            beats[position] = matrix
        failures = count_statuses(observations.status[rows[np.isnan(seen.ravel())]])
        return EvidenceTable(items, variant, np.full(int(items.offsets[-1]), np.nan), failures, beats)

    def notes(self, observations: ObservationTable, rows: Codes) -> list[str]:
        """Notes on how often two orders disagree, and how often the response that was read first is preferred."""
        prefers, shown = (observations.column(name, rows).reshape(-1, self.orders) for name in (PREFERS, SHOWN))
        found = []
        both = prefers[~np.isnan(prefers).any(axis=1)]
        if self.orders > 1 and len(both):
            against = int((both[:, 0] != both[:, 1]).sum())
            found.append(f"the two orders disagree on {against} of {len(both)} pairs")
        known = ~np.isnan(prefers + shown)
        if known.any():
            first = np.where(shown[known] == 0, prefers[known], 1 - prefers[known])
            found.append(
                f"the response shown first is preferred in {100 * float(first.mean()):.1f}% of the verdicts with "
                "a known order"
            )
        return ["; ".join(found)] if found else []

    @property
    def votes(self) -> int:
        """One verdict in each order."""
        return 1

    @property
    def rule(self) -> str | None:
        """The benchmark's own score rule."""
        return None

    def presented(self, items: ItemTable, observations: ObservationTable, rows: Codes) -> Iterator[Presented]:
        """The verdicts whose order is known; a missing verdict has none."""
        prefers, shown = (observations.column(name, rows) for name in (PREFERS, SHOWN))
        place = 0
        for position, item in enumerate(items):
            for one, other in self.pairs(item.comparisons):
                for row in range(place, place + self.orders):
                    if math.isnan(prefers[row] + shown[row]):
                        continue
                    members = (one, other) if shown[row] == 0 else (other, one)
                    first = prefers[row] if shown[row] == 0 else 1 - prefers[row]
                    yield Presented(position, members, 0, TIE if first == 0.5 else int(first < 0.5))
                place += self.orders

    def guess(self, observations: ObservationTable, rows: Codes, variant: str) -> Guess:
        """Random verdicts with the judge's share of declared ties."""
        seen = observations.column(PREFERS, rows)
        known = seen[~np.isnan(seen)]
        return pair_guess(variant, float((known == 0.5).mean()) if len(known) else 0.0, votes=1, graded=False)


def _completed(verdicts: Sequence[float], against: float) -> list[float]:
    """Two verdicts with a single missing one replaced by `against`; two missing verdicts are unchanged."""
    if all(map(math.isnan, verdicts)):
        return list(verdicts)
    return [against if math.isnan(verdict) else verdict for verdict in verdicts]


def _preference(verdicts: Sequence[float], variant: str) -> float:
    if len(verdicts) == 1:
        return verdicts[0]
    if variant == AGREE:
        return agreed(*verdicts)
    return net(*verdicts) if variant == NET else sign(sum(verdicts) / len(verdicts))


def parse_verdict(
    key: str, prefers: float, shown_first: int | None = None, status: Status = "ok", error: str | None = None
) -> Observation:
    """The observation for a verdict.

    Args:
        key: The key of the request.
        prefers: The verdict, see `PREFERS`; NaN if there is none.
        shown_first: The response that the judge read first, see `SHOWN`.
        status: The status of a missing verdict; `ok` becomes `unparsed`.
        error: The reason why it is missing.
    """
    if math.isnan(prefers):
        return Observation(key, "unparsed" if status == "ok" else status, error=error)
    values = {PREFERS: float(prefers)} | ({} if shown_first is None else {SHOWN: float(shown_first)})
    return Observation(key, "ok", values)


VERDICTS = Verdicts("imported-verdicts@1", orders=1)
VERDICTS_BOTH = Verdicts("imported-verdicts-both@1", orders=2)
