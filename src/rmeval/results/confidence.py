"""The confidence of a model's decisions: from scores, probabilities, or the verdicts of several orders and votes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from rmeval.data.observations import NO_CHOICE, Vectors
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Mask, starts
from rmeval.metrics.stats.calibration import Calibration, calibrate
from rmeval.metrics.stats.detection import Detection, detect
from rmeval.protocols.pairwise import VALUE
from rmeval.protocols.verdicts import PREFERS
from rmeval.store.run import StoredRun
from rmeval.types import FloatArray, IntArray

__all__ = ["Decisions", "Readings", "decisions_of"]

_Probabilities = Callable[[IntArray, Sequence[int]], FloatArray]
"""For items and members of a comparison, float64[k, n, n]: the probability that one member is better than another."""
_BLOCK = 1 << 14
_SURE = 36.0
"""Log-odds at which a probability is 1 in double precision, as the limits of scikit-learn's `log_loss`."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """A model's decisions of comparisons with a winner, in the order of `rmeval.metrics.outcomes.outcomes`.

    Attributes:
        source: What the probabilities come from: `scores`, `probabilities`, or `verdicts` of orders and votes.
        item: int64[m], position of the item.
        confidence: float64[m], the probability that the preferred response is better than its strongest rival; NaN
            where it is unknown.
        right: float64[m], 1 for a right decision, 0 for a wrong one, 1/k if the winner is one of k preferred responses;
            NaN likewise.
        better: float64[m], the probability that the better of two responses is better; NaN for other numbers of
            responses.
    """

    source: str
    item: IntArray
    confidence: FloatArray
    right: FloatArray
    better: FloatArray

    @property
    def known(self) -> Mask:
        """bool[m], whether the confidence is known."""
        found: Mask = ~np.isnan(self.confidence)
        return found

    def calibration(self, items: ItemTable) -> Calibration | None:
        """Compare confidence with accuracy on pairs; None if no pair has a known probability."""
        pairs = ~np.isnan(self.better)
        with np.errstate(divide="ignore"):
            odds = np.log(self.better[pairs]) - np.log1p(-self.better[pairs])
        # Equal shares of verdicts must share a bin, whichever response they are of.
        return calibrate(np.clip(np.round(odds, 9), -_SURE, _SURE), items.cluster[self.item[pairs]])

    def detection(self, items: ItemTable) -> Detection | None:
        """Compute how well confidence separates right from wrong decisions; None if all are right, or all wrong."""
        known = self.known
        return detect(self.confidence[known], self.right[known], items.cluster[self.item[known]])


def decisions_of(run: StoredRun, evidence: EvidenceTable) -> Decisions:
    """Return the decisions of a run with their confidence.

    The probability that one response is better than another is the mean over orders, rotations and votes where the
    model compares responses: of its probabilities, or of its verdicts with 1, 0, and one half for a tie. Where it
    scores them, it is 1/(1 + exp(-d)) for a difference d of scores (Bradley and Terry 1952).

    Args:
        run: The run.
        evidence: Its evidence, whose scores are used if the model scores single responses.
    """
    table = run.items.table
    if run.protocol.gives_scores and not evidence.beats:
        return _decided(table, "scores", lambda where, members: _score_odds(evidence, where, members))
    source, matrices = _matrices(run)
    return _decided(
        table,
        source,
        lambda where, members: np.stack([matrices[k][np.ix_(members, members)] for k in where.tolist()]),
    )


def _score_odds(evidence: EvidenceTable, where: IntArray, members: Sequence[int]) -> FloatArray:
    scores = evidence.scores[evidence.table.offsets[where][:, None] + np.array(members)]
    with np.errstate(invalid="ignore"):
        found: FloatArray = expit(scores[:, :, None] - scores[:, None, :])
    return found


def _decided(table: ItemTable, source: str, probabilities: _Probabilities) -> Decisions:
    """Decide each comparison by the probabilities of its members."""
    first = starts([sum(c.gold is not None for c in shape.comparisons) for shape in table.shapes], table.shape)
    confidence, right, better = (np.full(int(first[-1]), np.nan) for _ in range(3))
    for comparisons, positions in table.by_comparisons():
        decided = [comparison for comparison in comparisons if comparison.gold is not None]
        for number, comparison in enumerate(decided):
            for start in range(0, len(positions), _BLOCK):
                where = positions[start : start + _BLOCK]
                places, gold = first[where] + number, comparison.gold or 0
                chance = probabilities(where, comparison.members)
                confidence[places], right[places] = _decision(chance, gold)
                if len(comparison.members) == 2:
                    better[places] = chance[:, gold, 1 - gold]
    item = np.repeat(np.arange(len(table)), np.diff(first))
    return Decisions(source, item, confidence, right, better)


def _decision(chance: FloatArray, gold: int) -> tuple[FloatArray, FloatArray]:
    """Return the confidence of each decision, and whether it is right.

    Args:
        chance: float64[k, n, n], for each comparison the probability that one member is better than another.
        gold: Position of the winner.
    """
    size = chance.shape[1]
    lead = np.where(np.eye(size, dtype=bool), np.inf, chance).min(axis=2)
    top = lead.max(axis=1)
    tied = lead == top[:, None]
    right = np.where(np.isnan(top), np.nan, tied[:, gold] / np.maximum(tied.sum(axis=1), 1))
    return top, right


def _matrices(run: StoredRun) -> tuple[str, list[FloatArray]]:
    """Return what probabilities come from, and for each item the probability that one response is better than another.

    A pair of responses whose verdict is missing in one of its orders is unknown.
    """
    read = Readings.of(run)
    found = []
    place = 0
    for item in run.items.table:
        questions = run.protocol.questions(item)
        orders: dict[tuple[int, ...], list[FloatArray]] = {}
        for question in questions:
            orders.setdefault(question.members, []).append(read.strengths(place, len(question.members)))
            place += 1
        found.append(_matrix(len(item.responses), orders))
    return read.source, found


def _matrix(responses: int, orders: Mapping[tuple[int, ...], Sequence[FloatArray]]) -> FloatArray:
    total, count = np.zeros((responses, responses)), np.zeros((responses, responses))
    for members, votes in orders.items():
        known = [_chances(own) for own in votes if not np.isnan(own).any()]
        own = np.ix_(members, members)
        total[own] += np.mean(known, axis=0) if known else np.nan
        count[own] += 1
    with np.errstate(invalid="ignore"):
        found: FloatArray = np.round(total / count, 12)
    return found


def _chances(strength: FloatArray) -> FloatArray:
    """Return the probability that one is better than another, a/(a + b); one half if both are 0."""
    together = strength[:, None] + strength[None, :]
    return np.where(together > 0, strength[:, None] / np.where(together > 0, together, 1), 0.5)


@dataclass(frozen=True, slots=True)
class Readings:
    """What observations contain of the members of each request, in the order in which they are presented.

    Attributes:
        source: See `Decisions`.
        first: float64[requests], the probability of the first of two members; None if there is no such value.
        lists: Lists of probabilities or ratings of the members; None likewise.
        rated: Whether they are ratings.
        choice: int[requests], the preferred member; None likewise.
        rows: int32[requests], the row of each request in `lists`.
    """

    source: str
    first: FloatArray | None
    lists: Vectors | None
    rated: bool
    choice: Codes | None
    rows: Codes

    @classmethod
    def of(cls, run: StoredRun) -> Readings:
        """Return those of all requests of a run, in the order of items and their requests."""
        rows, seen = run.requests.rows, run.observations
        name = next((name for name in (VALUE, PREFERS) if name in seen.values), None)
        if name is not None:
            first = seen.column(name, rows)
            sharp = bool(np.isin(first[~np.isnan(first)], (0, 0.5, 1)).all())
            return cls("verdicts" if sharp else "probabilities", first, None, False, None, rows)
        for kind, rated in (("p", False), ("ratings", True)):
            if kind in seen.vectors:
                return cls("ratings" if rated else "probabilities", None, seen.vectors[kind], rated, None, rows)
        return cls("verdicts", None, None, False, None if seen.choice is None else seen.choice[rows], rows)

    def strengths(self, place: int, members: int) -> FloatArray:
        """Return a number of at least 0 for each member, whose ratios are odds; NaN if nothing is known."""
        if self.first is not None:
            own = self.first[place]
            return np.array([own, 1 - own]) if members == 2 else np.full(members, np.nan)
        if self.lists is not None:
            listed = self.lists[int(self.rows[place])]
            if listed is None or len(listed) != members:
                return np.full(members, np.nan)
            values = np.array(listed)
            return np.exp(values - values.max()) if self.rated else values
        chosen = NO_CHOICE if self.choice is None else int(self.choice[place])
        if chosen == NO_CHOICE:
            return np.full(members, np.nan)
        return np.ones(members) if chosen < 0 else np.eye(members)[chosen]
