"""Cascades of two models: a cheap one decides where it is confident, an expensive one decides the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rmeval.data.tables import Mask
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.types import FloatArray, IntArray

__all__ = ["FOLDS", "Curve", "Two", "curve_of", "fold_of", "held_out"]

FOLDS = 5
"""Number of parts of the problems for cross-validation."""


@dataclass(frozen=True)
class Two:
    """The comparisons of two models in one number.

    Attributes:
        paired: The comparisons; the cheap model's credit first.
        shares: float64[parts], the share of each kind in the number.
        confidence: float64[m], the cheap model's confidence; -1 where it is unknown: the expensive model decides these.
        cost: float64[2, m], dollars of each comparison for each model; NaN where unknown.
    """

    paired: PairedOutcomes
    shares: FloatArray
    confidence: FloatArray
    cost: FloatArray

    def part(self, problems: Mask) -> Two:
        """Return the comparisons of the problems where the mask bool[problems] is true."""
        own = problems[self.paired.cluster]
        paired = PairedOutcomes(
            self.paired.credit[:, own],
            self.paired.part[own],
            self.paired.parts,
            self.paired.item[own],
            self.paired.cluster[own],
        )
        return Two(paired, self.shares, self.confidence[own], self.cost[:, own])

    @property
    def weights(self) -> FloatArray:
        """Return the weight of each comparison in the number, float64[m]; kinds without comparisons are left out."""
        counts = np.bincount(self.paired.part, minlength=len(self.shares))
        present = self.shares * (counts > 0)
        present = present / present.sum()
        each = np.divide(present, counts, out=np.zeros(len(present)), where=counts > 0)
        found: FloatArray = each[self.paired.part]
        return found


class Curve(NamedTuple):
    """What each threshold of a confidence yields, from no escalation to all.

    Attributes:
        tau: float64[k], the thresholds: a confidence of at least `tau` is accepted.
        escalated: float64[k], share of the comparisons that the expensive model decides.
        accuracy: float64[k], the number.
        cost: float64[k], dollars of all comparisons; NaN where unknown.
    """

    tau: FloatArray
    escalated: FloatArray
    accuracy: FloatArray
    cost: FloatArray


def curve_of(two: Two) -> Curve:
    """Compute the number, the share escalated and the cost at every threshold that changes a decision."""
    order = np.argsort(two.confidence, kind="stable")
    sure = two.confidence[order]
    # Comparisons of equal confidence are escalated together.
    last = np.flatnonzero(np.append(sure[1:] != sure[:-1], True)) + 1
    number = np.concatenate([[0], last])
    cheap, expensive = two.weights * two.paired.credit
    gained = np.concatenate([[0.0], np.cumsum((expensive - cheap)[order])])
    paid = np.concatenate([[0.0], np.cumsum(two.cost[1][order])])
    tau = np.append(sure[number[:-1]], np.inf)
    found = Curve(tau, number / len(sure), cheap.sum() + gained[number], two.cost[0].sum() + paid[number])
    # Decisions of unknown confidence are never accepted.
    known = found.tau >= 0
    return Curve(*(column[known] for column in found))


def fold_of(problems: int, seed: int = 0) -> IntArray:
    """Return the fold of each problem, int64[problems]; folds have nearly equal sizes."""
    found: IntArray = np.random.default_rng(seed).permutation(np.arange(problems) % min(FOLDS, max(problems, 1)))
    return found


def held_out(two: Two, choose: Callable[[Two], float]) -> tuple[Mask, list[float]]:
    """Choose a threshold without the problems on which it is used.

    Args:
        two: The comparisons, of two problems or more.
        choose: Returns the threshold for the comparisons of the other problems.

    Returns:
        bool[m], whether the expensive model decides each comparison; and the thresholds of the folds.
    """
    fold = fold_of(two.paired.n_clusters)
    escalated = np.zeros(len(two.confidence), bool)
    taus = []
    for number in range(int(fold.max()) + 1):
        out = fold == number
        tau = choose(two.part(~out))
        own = out[two.paired.cluster]
        escalated[own] = two.confidence[own] < tau
        taus.append(tau)
    return escalated, taus
