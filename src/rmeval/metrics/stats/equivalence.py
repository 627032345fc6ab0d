"""Tests that a model is no worse than another one by a margin, or that two models are equivalent within it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy.special import ndtri

from rmeval.metrics.composition import Measure
from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.metrics.stats.likelihood import Sample, limits, p_values
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.metrics.stats.significance import LEVEL, holm
from rmeval.metrics.targets import best
from rmeval.types import FloatArray

__all__ = ["Equivalence", "Verdict", "equivalences", "one_sided"]

Verdict = Literal["equivalent", "each no worse", "first no worse", "second no worse", "not shown"]


@dataclass(frozen=True, slots=True)
class Equivalence:
    """Whether two models are equivalent within a margin in one number, or one is no worse than the other.

    P-values are one-sided, and NaN with too few problems. Those of `no worse` are NaN, too, if neither larger nor
    smaller numbers are better, as for the style gap, whose best value is 0.

    Attributes:
        first: Name of the first model.
        second: Name of the second model.
        metric: The number, as in `Record`.
        scope: The scope, as in `Record`.
        margin: The margin, a share: 0.02 is 2 points.
        value: The first model's number minus the second's.
        ci: 90% interval of this difference alone, which is inside the margin if and only if `p` is below 5%; None with
            too few problems.
        p: P-value of the test of equivalence: the larger one of the tests that the difference is above minus the
            margin, and below the margin.
        p_holm: `p`, corrected for all pairs of models.
        p_first: P-value of the test that the first model is no worse than the second by the margin.
        p_first_holm: `p_first`, corrected for both directions of all pairs of models.
        p_second: P-value of the test that the second model is no worse than the first by the margin.
        p_second_holm: `p_second`, corrected likewise.
        n_clusters: Number of problems.
    """

    first: str
    second: str
    metric: str
    scope: str
    margin: float
    value: float
    ci: tuple[float, float] | None
    p: float
    p_holm: float
    p_first: float
    p_first_holm: float
    p_second: float
    p_second_holm: float
    n_clusters: int

    @property
    def verdict(self) -> Verdict:
        """What the corrected p-values show at a level of 5%."""
        if self.p_holm < LEVEL:
            return "equivalent"
        first, second = self.p_first_holm < LEVEL, self.p_second_holm < LEVEL
        if first and second:
            return "each no worse"
        return "first no worse" if first else "second no worse" if second else "not shown"


def one_sided(samples: Sequence[Sample], margin: float) -> FloatArray:
    """Compute p-values of the two one-sided tests of each difference, float64[samples, 2].

    The first is of the null hypothesis that the true difference is at most minus the margin: the probability, at that
    difference, of an estimate at least as large. The second is of the null hypothesis that it is at least the margin:
    the probability, at that difference, of an estimate at least as small. The larger of the two is the p-value of the
    test of equivalence (Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657, section "The two
    one-sided tests procedure"); it needs no correction for the two, because both have to reject. Each is a score test
    (of paired shares: Tango 1998, Statistics in Medicine 17:891), see `rmeval.metrics.stats.likelihood.p_values`.
    """
    below, above = p_values(samples, -margin), 1 - p_values(samples, margin)
    # Sums in another order of items differ in the last digits.
    found: FloatArray = np.clip(np.round(np.stack([below, above], axis=1), 12), 0, 1)
    return found


def equivalences(
    paired: PairedOutcomes,
    names: Sequence[str],
    models: Sequence[int],
    measure: Measure,
    weights: FloatArray,
    margin: float,
) -> list[Equivalence]:
    """Test every pair of models for equivalence, and each model for non-inferiority to each other one.

    P-values are corrected by Holm's method in two families: tests of equivalence over all pairs, and tests of
    non-inferiority over both directions of all pairs.

    Args:
        paired: The comparisons.
        names: Name of each model.
        models: Positions of the models, in the order in which they are paired.
        measure: The number.
        weights: The share of each kind of comparison in it, see `PairedOutcomes.shares`.
        margin: The margin, a share.
    """
    pairs = list(combinations(models, 2))
    inside = np.unique(paired.cluster[weights[paired.part] != 0])
    enough = len(inside) >= MIN_CLUSTERS
    samples = [paired.difference(*pair, weights) for pair in pairs]
    if enough:
        sides = one_sided(samples, margin)
        ends = limits(samples, np.full(len(pairs), -ndtri(LEVEL)))
    else:
        sides, ends = np.full((len(pairs), 2), math.nan), np.zeros((len(pairs), 2))
    worse = _directed(sides, best(measure[0]))
    p, p_worse = sides.max(axis=1), worse.ravel()
    directed = bool(np.isfinite(p_worse).all())
    p_holm = holm(p) if enough else p
    p_worse_holm = (holm(p_worse) if directed else p_worse).reshape(worse.shape)
    return [
        Equivalence(
            first=names[pair[0]],
            second=names[pair[1]],
            metric=measure[0],
            scope=measure[1],
            margin=margin,
            value=samples[k].value,
            ci=(float(ends[k, 0]), float(ends[k, 1])) if enough else None,
            p=float(p[k]),
            p_holm=float(p_holm[k]),
            p_first=float(worse[k, 0]),
            p_first_holm=float(p_worse_holm[k, 0]),
            p_second=float(worse[k, 1]),
            p_second_holm=float(p_worse_holm[k, 1]),
            n_clusters=len(inside),
        )
        for k, pair in enumerate(pairs)
    ]


def _directed(sides: FloatArray, target: float) -> FloatArray:
    """Return p-values of the first model being no worse, and the second, from the tests of the difference."""
    if math.isinf(target):
        return sides if target > 0 else sides[:, ::-1]
    return np.full_like(sides, math.nan)
