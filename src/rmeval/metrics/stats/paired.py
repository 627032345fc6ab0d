"""Paired comparison of models on the same comparisons, with problems as the unit of resampling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rmeval.data.tables import Codes
from rmeval.metrics.composition import Composition, Measure, Part, Shares
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.stats.flips import sign_flips
from rmeval.metrics.stats.intervals import REPLICATES, bootstrap_interval, bootstrap_random, resampled_means, wilson
from rmeval.metrics.stats.power import Contributions, detectable
from rmeval.metrics.stats.significance import LEVEL, holm, mcnemar
from rmeval.types import FloatArray

__all__ = ["Difference", "PairedOutcomes", "compare", "number_replicates"]


SMALL = 10
"""Kinds with fewer problems than this are drawn together, as such a kind is too small to estimate its variance."""


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
        own = (weights / np.bincount(self.part))[self.part]
        return np.stack([np.bincount(self.cluster, own * credit, self.n_clusters) for credit in self.credit])

    def effective_clusters(self, weights: FloatArray) -> float:
        """Return the number of problems for which a mean would have the variance of this mean of parts.

        All parts are assumed to have equal variances. For parts without shared problems, with weights w and n problems
        each, the number is (sum w)^2 / sum(w^2 / n).
        """
        share = [
            (float(np.abs(weights[parts]).sum()), len(np.unique(self.cluster[np.isin(self.part, parts)])))
            for parts in self._strata()
        ]
        return sum(weight for weight, _ in share) ** 2 / sum(weight**2 / count for weight, count in share)

    def replicates(self, random: np.random.Generator) -> FloatArray:
        """Compute accuracies over resampled problems, float64[replicates, models, parts].

        All models use the same draws. Kinds without shared problems are drawn separately, since their sizes are part of
        the benchmark's design.
        """
        models = len(self.credit)
        found = np.full((REPLICATES, models, len(self.parts)), np.nan)
        for parts in self._strata():
            inside = np.isin(self.part, parts)
            place = np.searchsorted(parts, self.part[inside])
            member = np.unique(self.cluster[inside], return_inverse=True)[1]
            shape = int(member.max()) + 1, len(parts)
            cell = member * len(parts) + place
            size = shape[0] * shape[1]
            sums = [np.bincount(cell, own[inside], size).reshape(shape) for own in self.credit]
            counts = np.bincount(cell, minlength=size).reshape(shape).astype(float)
            means = resampled_means(np.concatenate(sums, axis=1), counts, random)
            found[:, :, parts] = means.reshape(REPLICATES, models, len(parts))
        return found

    def _strata(self) -> Iterator[Codes]:
        """Yield groups of kinds that share no problems; kinds with fewer problems than `SMALL` form one group."""
        parts = len(self.parts)
        edges = coo_array(
            (np.ones(len(self.part), np.int8), (self.part, parts + self.cluster)),
            shape=(parts + self.n_clusters,) * 2,
        )
        _, label = connected_components(edges, directed=False)
        small = []
        for stratum in dict.fromkeys(label[:parts].tolist()):
            if np.count_nonzero(label[parts:] == stratum) < SMALL:
                small.append(stratum)
            else:
                yield np.flatnonzero(label[:parts] == stratum).astype(np.int32)
        if small:
            yield np.flatnonzero(np.isin(label[:parts], small)).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of two models in one number, on the comparisons that both have.

    Attributes:
        first: Name of the first model.
        second: Name of the second model.
        metric: The number, as in `Record`.
        scope: The scope, as in `Record`.
        value: The first model's number minus the second's.
        ci: 95% interval of the difference, or None with too few problems.
        ci_method: Method of the interval.
        p: Two-sided p-value of cluster sign flips.
        p_holm: `p`, corrected for all differences of its family.
        p_mcnemar: P-value of McNemar's test on the discordant comparisons, clustered by problem.
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
    ci_method: str | None
    p: float
    p_holm: float
    p_mcnemar: float
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
        ci, share = self.ci, self.superiority_ci
        return replace(
            self,
            first=self.second,
            second=self.first,
            value=-self.value,
            ci=None if ci is None else (-ci[1], -ci[0]),
            discordant=(self.discordant[1], self.discordant[0]),
            superiority=1 - self.superiority,
            superiority_ci=None if share is None else (1 - share[1], 1 - share[0]),
        )


def compare(
    paired: PairedOutcomes, names: Sequence[str], composition: Composition, families: Sequence[Sequence[Measure]]
) -> dict[Measure, list[Difference]]:
    """Compare every pair of models in several numbers.

    Args:
        paired: The comparisons.
        names: Name of each model.
        composition: The compositions of the numbers.
        families: Families of numbers; p-values are corrected within each family, over its numbers and all pairs of
            models.

    Returns:
        For each number, one difference for each pair of models, in the order of `combinations`.
    """
    replicates = paired.replicates(bootstrap_random())
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
            spread = number_replicates(replicates, weights)
            values = paired.means @ weights
            found[measure] = [
                _difference(
                    paired,
                    weights,
                    names,
                    pair,
                    measure,
                    values,
                    spread[:, pair[0]] - spread[:, pair[1]],
                    next(rows),
                    len(p),
                )
                for pair in pairs
            ]
    return found


def number_replicates(replicates: FloatArray, weights: FloatArray) -> FloatArray:
    """Compute a number over resamples; the share of a kind that a resample lacks is distributed over the others.

    Args:
        replicates: float64[..., parts].
        weights: float64[parts], the share of each kind.
    """
    used = np.flatnonzero(weights)
    replicates, weights = replicates[..., used], weights[used]
    known = ~np.isnan(replicates)
    if known.all() or (weights < 0).any():
        return replicates @ weights
    with np.errstate(invalid="ignore"):
        spread: FloatArray = np.where(known, replicates, 0.0) @ weights / (known @ weights)
    return spread


def _difference(
    paired: PairedOutcomes,
    weights: FloatArray,
    names: Sequence[str],
    pair: tuple[int, int],
    measure: Measure,
    values: FloatArray,
    spread: FloatArray,
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
    interval, method = bootstrap_interval(value, spread, clusters, proportion=False)
    return Difference(
        first=names[pair[0]],
        second=names[pair[1]],
        metric=measure[0],
        scope=measure[1],
        value=value,
        ci=interval,
        ci_method=method,
        p=p[0],
        p_holm=p[1],
        p_mcnemar=mcnemar(difference, cluster),
        discordant=(int(won.sum()), int((~won).sum())),
        superiority=float(won.mean()) if len(won) else math.nan,
        superiority_ci=wilson(won.astype(float), cluster[apart])[0],
        n_items=len(np.unique(paired.item[inside])),
        n_clusters=clusters,
        mde=detectable(Contributions.of(contributed), clusters, LEVEL / tests),
    )
