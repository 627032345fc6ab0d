"""Paired comparison of models on the same comparisons, with problems as the unit of resampling."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np

from rmeval.data.tables import Codes
from rmeval.metrics.composition import Composition, Measure, Part, Shares
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.stats.flips import sign_flips
from rmeval.metrics.stats.intervals import MIN_CLUSTERS, SCORE, wilson
from rmeval.metrics.stats.likelihood import Sample, limits
from rmeval.metrics.stats.power import ContributionSizes, detectable
from rmeval.metrics.stats.samples import Strata, sample
from rmeval.metrics.stats.significance import LEVEL, holm, mcnemar
from rmeval.metrics.stats.simultaneous import critical_value
from rmeval.types import FloatArray

__all__ = ["Difference", "PairedOutcomes", "compare"]


@dataclass(frozen=True)
class PairedOutcomes:
    """Comparisons that several models have in common, with the credit of each model.

    Attributes:
        credit: float64[models, m], see `Outcomes.credit`; without NaN.
        part: int32[m], position of each comparison's kind in `parts`.
        parts: The distinct kinds.
        item: int32[m], the item.
        cluster: int32[m], the underlying problem, numbered from 0 without gaps.
    """

    credit: FloatArray
    part: Codes
    parts: tuple[Part, ...]
    item: Codes
    cluster: Codes

    @classmethod
    def of(cls, found: Sequence[Outcomes]) -> PairedOutcomes:
        """Return the comparisons of the same items that the outcomes of every model include."""
        first = found[0]
        credit = np.stack([one.credit for one in found])
        known = ~np.isnan(credit).any(axis=0)
        codes = first.subset[first.item].astype(np.int64) * len(first.tags) + first.tag
        present, part = np.unique(codes[known], return_inverse=True)
        cluster = np.unique(first.cluster[first.item][known], return_inverse=True)[1]
        return cls(
            credit[:, known],
            part.astype(np.int32),
            tuple((first.subsets[code // len(first.tags)], first.tags[code % len(first.tags)]) for code in present),
            first.item[known],
            cluster.astype(np.int32),
        )

    @cached_property
    def counts(self) -> dict[Part, int]:
        """Number of comparisons of each kind."""
        return {part: int(n) for part, n in zip(self.parts, np.bincount(self.part), strict=True)}

    @cached_property
    def n_clusters(self) -> int:
        """Number of problems."""
        return int(self.cluster.max()) + 1 if len(self.cluster) else 0

    @cached_property
    def means(self) -> FloatArray:
        """Return the accuracy of each model in each kind, float64[models, parts]."""
        sizes = np.bincount(self.part)
        return np.stack([np.bincount(self.part, own) / sizes for own in self.credit])

    def shares(self, shares: Shares) -> FloatArray:
        """Return a number's shares in the order of `parts`, float64[parts]."""
        return np.array([shares.get(part, 0.0) for part in self.parts])

    def by_cluster(self, weights: FloatArray) -> FloatArray:
        """Return each problem's contribution to a number, float64[models, clusters], given the share of each kind."""
        return self._summed(weights, self.credit)

    def weights(self, shares: FloatArray) -> FloatArray:
        """Return the weight of each comparison in a number, float64[m], given the share of each kind."""
        each: FloatArray = (shares / np.bincount(self.part))[self.part]
        return each

    def _summed(self, shares: FloatArray, values: Iterable[FloatArray]) -> FloatArray:
        own = self.weights(shares)
        return np.stack([np.bincount(self.cluster, own * each, self.n_clusters) for each in values])

    @cached_property
    def strata(self) -> Strata:
        """Groups of kinds that share no problems."""
        return Strata.of(self.part, self.cluster, len(self.parts))

    def critical(self, weights: FloatArray) -> float:
        """Return the critical value with which the intervals of all pairs of models hold jointly, for one number."""
        apart = (credit - mean[self.part] for credit, mean in zip(self.credit, self.means, strict=True))
        return critical_value(self._summed(weights, apart), self.strata.of_cluster)

    def sample(self, model: int, weights: FloatArray) -> Sample:
        """Return the problems of a model's number, given the share of each kind."""
        return sample(self.credit[model], self.part, self.cluster, weights, self.strata)

    def difference(self, first: int, second: int, weights: FloatArray) -> Sample:
        """Return the problems of the difference of two models in a number."""
        own = self.credit[first] - self.credit[second]
        return sample(own, self.part, self.cluster, weights, self.strata, difference=True)


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of two models in one number, on the comparisons that both have.

    Attributes:
        first: Name of the first model.
        second: Name of the second model.
        metric: The number, as in `Record`.
        scope: The scope, as in `Record`.
        value: The first model's number minus the second's.
        ci: 95% interval of this difference alone, or None with too few problems.
        ci_simultaneous: The interval that is wide enough for those of all pairs of models, in this number, to contain
            the true differences jointly in 95 of 100 cases; equal to `ci` for two models.
        ci_method: Method of the intervals.
        p: Two-sided p-value of cluster sign flips, see `rmeval.metrics.stats.flips`.
        p_holm: `p`, corrected for all differences of its family.
        p_mcnemar: P-value of McNemar's test on the discordant comparisons, clustered by problem.
        p_mcnemar_mid: Its mid-p-value, if each problem has one comparison; otherwise equal to `p_mcnemar`.
        discordant: The numbers of comparisons in which the first and the second model has the larger credit.
        superiority: The first model's share of the discordant comparisons; NaN if there are none.
        superiority_ci: Its 95% interval.
        n_items: Number of items.
        n_clusters: Number of problems.
        mde: The minimum detectable effect: the smallest true difference that a test on this number of problems detects
            with a power of 80%, at the level that the correction requires of the smallest p-value; NaN if the models
            agree on every problem, or if there are too few problems.
    """

    first: str
    second: str
    metric: str
    scope: str
    value: float
    ci: tuple[float, float] | None
    ci_simultaneous: tuple[float, float] | None
    ci_method: str | None
    p: float
    p_holm: float
    p_mcnemar: float
    p_mcnemar_mid: float
    discordant: tuple[int, int]
    superiority: float
    superiority_ci: tuple[float, float] | None
    n_items: int
    n_clusters: int
    mde: float

    @property
    def leads(self) -> int:
        """1 if the first model's number is significantly larger, -1 if the second's is, 0 if neither."""
        return 0 if self.p_holm >= LEVEL else 1 if self.value > 0 else -1

    def swapped(self) -> Difference:
        """Return the same difference with the two models swapped."""
        ci, joint, share = self.ci, self.ci_simultaneous, self.superiority_ci
        return replace(
            self,
            first=self.second,
            second=self.first,
            value=-self.value,
            ci=None if ci is None else (-ci[1], -ci[0]),
            ci_simultaneous=None if joint is None else (-joint[1], -joint[0]),
            discordant=(self.discordant[1], self.discordant[0]),
            superiority=1 - self.superiority,
            superiority_ci=None if share is None else (1 - share[1], 1 - share[0]),
        )


def compare(
    paired: PairedOutcomes,
    names: Sequence[str],
    composition: Composition,
    families: Sequence[Sequence[Measure]],
    detailed: Collection[Measure] | None = None,
) -> dict[Measure, list[Difference]]:
    """Compare every pair of models in several numbers.

    Args:
        paired: The comparisons.
        names: Name of each model.
        composition: The compositions of the numbers.
        families: Families of numbers; p-values are corrected within each family, over its numbers and all pairs of
            models.
        detailed: The numbers whose differences have everything; the others have value, p-values and discordant
            comparisons only, which takes much less time. None for all.

    Returns:
        For each number, one difference for each pair of models, in the order of `combinations`.
    """
    pairs = list(combinations(range(len(names)), 2))
    found: dict[Measure, list[Difference]] = {}
    for family in families:
        shares = [paired.shares(composition[measure]) for measure in family]
        columns = (
            own[first] - own[second]
            for weights in shares
            for own in [paired.by_cluster(weights)]
            for first, second in pairs
        )
        p = sign_flips(columns)
        corrected = holm(p)
        rows = iter(zip(p.tolist(), corrected.tolist(), strict=True))
        for measure, weights in zip(family, shares, strict=True):
            values = paired.means @ weights
            is_detailed = detailed is None or measure in detailed
            spread = _spread(paired, pairs, weights) if is_detailed else [None] * len(pairs)
            found[measure] = [
                _difference(paired, weights, names, pair, measure, values, own, next(rows), len(p))
                for pair, own in zip(pairs, spread, strict=True)
            ]
    return found


class _Spread(NamedTuple):
    """The interval of a difference alone, and its simultaneous interval."""

    own: tuple[float, float]
    joint: tuple[float, float]


def _spread(paired: PairedOutcomes, pairs: Sequence[tuple[int, int]], weights: FloatArray) -> list[_Spread]:
    samples = [paired.difference(*pair, weights) for pair in pairs]
    own = joint = limits(samples)
    if len(pairs) > 1:
        joint = limits(samples, np.full(len(pairs), paired.critical(weights)))
    return [
        _Spread((low, high), (lower, upper))
        for (low, high), (lower, upper) in zip(own.tolist(), joint.tolist(), strict=True)
    ]


def _difference(
    paired: PairedOutcomes,
    weights: FloatArray,
    names: Sequence[str],
    pair: tuple[int, int],
    measure: Measure,
    values: FloatArray,
    spread: _Spread | None,
    p: tuple[float, float],
    tests: int,
) -> Difference:
    share = weights[paired.part]
    inside = share != 0
    # If the weight is negative, such as that of Hard in Easy minus Hard, a loss increases the number.
    ahead = paired.credit[pair[0], inside] - paired.credit[pair[1], inside]
    difference = ahead * np.sign(share[inside])
    cluster = paired.cluster[inside]
    present = np.bincount(cluster) > 0
    clusters = int(np.count_nonzero(present))
    own = ahead * share[inside] / np.bincount(paired.part)[paired.part[inside]]
    contributed: FloatArray = np.bincount(cluster, own).astype(np.float64)[present] * clusters
    value = float(values[pair[0]] - values[pair[1]])
    if abs(value) < 1e-12:
        value = 0.0
    apart = difference != 0
    won = difference[apart] > 0
    interval = spread if clusters >= MIN_CLUSTERS else None
    return Difference(
        first=names[pair[0]],
        second=names[pair[1]],
        metric=measure[0],
        scope=measure[1],
        value=value,
        ci=interval and interval.own,
        ci_simultaneous=interval and interval.joint,
        ci_method=SCORE if interval else None,
        p=p[0],
        p_holm=p[1],
        p_mcnemar=mcnemar(difference, cluster) if spread else math.nan,
        p_mcnemar_mid=mcnemar(difference, cluster, mid=True) if spread else math.nan,
        discordant=(int(won.sum()), int((~won).sum())),
        superiority=float(won.mean()) if len(won) else math.nan,
        superiority_ci=wilson(won.astype(float), cluster[apart])[0] if spread else None,
        n_items=len(np.unique(paired.item[inside])),
        n_clusters=clusters,
        mde=detectable(ContributionSizes.of(contributed), clusters, LEVEL / tests) if spread else math.nan,
    )
