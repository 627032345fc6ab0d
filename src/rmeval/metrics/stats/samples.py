"""The problems of a number, in the form that intervals and tests of `rmeval.metrics.stats.likelihood` take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rmeval.data.tables import Codes
from rmeval.metrics.stats.likelihood import Sample
from rmeval.types import FloatArray, IntArray

__all__ = ["Strata", "sample"]

_SHARED = 2.0
"""Number of problems, in each stratum, of the distribution over all strata."""
_BOUNDS = 0.1
"""Number of problems, in each stratum, at the ends of the scale."""
_LEVERAGE = 0.9
"""Largest share of the values that the jackknife's correction takes a problem to have."""
_LEAST_DEGREES = 0.2
"""Least degrees of freedom per problem, since the correlation within problems is estimated from all problems."""


@dataclass(frozen=True, slots=True)
class Strata:
    """Groups of parts (kinds of comparisons) that share no problems; their sizes belong to a benchmark's design.

    Attributes:
        of_part: int64[parts], the stratum of each part.
        of_cluster: int64[clusters], the stratum of each problem.
    """

    of_part: IntArray
    of_cluster: IntArray

    @classmethod
    def of(cls, part: Codes | IntArray, cluster: Codes | IntArray, parts: int) -> Strata:
        """Return the strata of values, each of a part and a cluster."""
        clusters = int(cluster.max()) + 1 if len(cluster) else 0
        if parts == 1:
            return cls(np.zeros(1, np.int64), np.zeros(clusters, np.int64))
        edges = coo_array((np.ones(len(part), np.int8), (part, parts + cluster)), shape=(parts + clusters,) * 2)
        label = connected_components(edges, directed=False)[1].astype(np.int64)
        return cls(label[:parts], label[parts:])


def sample(
    values: FloatArray,
    part: Codes | IntArray,
    cluster: Codes | IntArray,
    shares: FloatArray,
    strata: Strata,
    difference: bool = False,
) -> Sample:
    """Return the problems of a weighted sum of parts' means, for `rmeval.metrics.stats.likelihood`.

    Contributions of problems are those of the linearized number; of a stratum whose problems have several values, they
    are divided by 1 - h for a problem with the share h of the values, as the jackknife does (CR3; Bell and McCaffrey
    2002, Survey Methodology 28:169). Because a stratum with few problems can have no error by chance, each stratum
    also contains `_SHARED` problems of the distribution over all strata, and problems at the bounds with the weight
    `_BOUNDS`.

    Args:
        values: float64[m], credits, or differences of credits; not NaN.
        part: int[m], the part of each value.
        cluster: int[m], the problem of each value.
        shares: float64[parts], the share of each part's mean in the number.
        strata: The strata of all values.
        difference: Whether values are differences of two credits.
    """
    used = shares[part] != 0
    if not used.all():
        values, part, cluster = values[used], part[used], cluster[used]
    problems = _Problems(values, part, cluster, shares, strata, difference)
    signed = difference or bool((shares < 0).any())
    low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
    size = float(problems.width.sum())
    if signed:
        reach = max(abs(low), high)
        return problems.sample((-reach * size, reach * size), signed)
    return problems.sample((low * size, high * size), signed)


class _Problems:
    """Contributions of problems to a number, in the strata that contribute to it."""

    def __init__(
        self,
        values: FloatArray,
        part: Codes | IntArray,
        cluster: Codes | IntArray,
        shares: FloatArray,
        strata: Strata,
        difference: bool,
    ) -> None:
        parts, clusters = len(shares), len(strata.of_cluster)
        count = np.bincount(part, minlength=parts)
        there = count > 0
        mean = np.divide(np.bincount(part, values, parts), count, out=np.zeros(parts), where=there)
        per = np.divide(shares, count, out=np.zeros(parts), where=there)
        rest = values - mean[part]
        self.value = float(mean @ np.where(there, shares, 0.0))
        size = np.bincount(cluster, minlength=clusters)
        present = size > 0
        labels, stratum = np.unique(strata.of_cluster[present], return_inverse=True)
        own = np.searchsorted(labels, strata.of_part[there])
        strata_ = len(labels)
        self.size, self.stratum = size[present].astype(float), stratum
        self.problems = np.bincount(stratum, minlength=strata_).astype(float)
        self.width = np.bincount(own, np.abs(shares[there]), strata_)
        self.centre = np.bincount(own, (shares * mean)[there], strata_) / self.width
        negative = np.bincount(own, shares[there] > 0, strata_) == 0
        self.side = np.where(negative, -1.0, 1.0)
        scale = self.problems / self.width
        self.apart = np.bincount(cluster, rest * per[part], clusters)[present] * scale[stratum]
        single = np.bincount(own, minlength=strata_) == 1
        alone = np.bincount(stratum, self.size > 1, strata_) == 0
        of_value = np.searchsorted(labels, strata.of_cluster[cluster])
        shared = np.bincount(of_value, (values != 0) & (values != 1), strata_) > 0
        self.difference = difference
        self.independent = single & alone & ~shared & (not difference)
        self.degrees = np.full(strata_, np.inf)
        if not self.independent.all():
            variance = np.bincount(part, np.square(rest), parts)[there]
            independent = np.bincount(own, np.square(per[there]) * variance, strata_) / np.square(self.width)
            total = np.bincount(cluster, rest, clusters)[present].astype(float)
            square = np.bincount(cluster, np.square(rest), clusters)[present].astype(float)
            for one in np.flatnonzero(~self.independent).tolist():
                self._estimate(one, float(independent[one]), total, square)

    def _estimate(self, one: int, independent: float, total: FloatArray, square: FloatArray) -> None:
        """Correct the contributions in a stratum whose problems have several values, and compute degrees of freedom.

        The variance of a problem with m values is taken as proportional to m (1 + (m - 1) r), where r is their
        correlation, estimated by the analysis of variance (Donner 1986, Int. Stat. Rev. 54:67). If problems have
        different sizes, the variance is at least that of this model, since one large problem does not estimate its own
        variance; the degrees of freedom are Satterthwaite's for variances of these proportions. Those of a difference
        are the problems less one: its values have both signs, so that reweighting the large problems increases the
        variance at the limit enough, and intervals with fewer degrees cover 99 to 100%.
        """
        inside = self.stratum == one
        size, apart = self.size[inside], self.apart[inside]
        problems, values = len(size), float(size.sum())
        leverage = np.minimum(size / values, _LEVERAGE)
        apart = apart / (1 - leverage) * ((problems - 1) / problems) ** (1.0 if len(self.problems) > 1 else 0.5)
        self.degrees[one] = max(problems - 1, 1)
        if size.min() != size.max():
            between = float((total[inside] ** 2 / size).sum()) / (problems - 1)
            within = float((square[inside] - total[inside] ** 2 / size).sum()) / max(values - problems, 1)
            typical = (values - float((size**2).sum()) / values) / (problems - 1)
            spread = between + (typical - 1) * within
            correlation = min(1.0, max(0.0, (between - within) / spread)) if spread > 0 else 0.0
            effect = size * (1 + (size - 1) * correlation)
            observed = float((apart**2).sum()) / problems**2
            modelled = independent * float(effect.sum()) / values
            if 0 < observed < modelled:
                apart = apart * np.sqrt(modelled / observed)
            if not self.difference:
                freedom = float(effect.sum()) ** 2 / float((effect**2).sum()) - 1
                self.degrees[one] = max(freedom, _LEAST_DEGREES * (problems - 1), 1)
        self.apart[inside] = apart

    def sample(self, bounds: tuple[float, float], signed: bool) -> Sample:
        """Return the sample, with the shared problems and those at the bounds."""
        strata = len(self.problems)
        # The values of problems, in the direction of a share that is positive.
        values = (self.apart + self.centre[self.stratum]) * self.side[self.stratum]
        every, times = _counted(values)
        ends = self._ends(values, bounds, signed)
        atoms, weights = [], []
        for one in range(strata):
            found, weight = every, times
            if strata > 1:
                found, weight = _counted(values[self.stratum == one])
                found = np.concatenate([found, every])
                weight = np.concatenate([weight, _SHARED * times / times.sum()])
            found, weight = _counted(np.concatenate([found, ends]), np.concatenate([weight, np.full(2, _BOUNDS / 2)]))
            atoms.append((found * self.side[one] - self.centre[one]) * self.width[one])
            weights.append(weight)
        # The variance of n problems with `added` further ones is too small by this factor.
        added = _SHARED + _BOUNDS
        small = 1 / (1 - self.problems / np.square(self.problems + added))
        return Sample(
            self.value,
            bounds,
            np.concatenate(atoms),
            np.concatenate(weights),
            np.array([len(one) for one in atoms]),
            self.problems,
            self.degrees,
            small if strata > 1 else np.ones(1),
        )

    def _ends(self, values: FloatArray, bounds: tuple[float, float], signed: bool) -> FloatArray:
        """Return the values of the problems at the bounds; of differences, as large as the largest one that occurs."""
        if signed:
            reach = float(np.abs(values).max())
            return np.array([-1.0, 1.0]) * (reach if reach > 1e-9 else 1.0)
        return np.array(bounds) / float(self.width.sum())


def _counted(values: FloatArray, weights: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Return the distinct values and their total weights; values that differ by rounding are equal."""
    found, place, count = np.unique(np.round(values, 9), return_inverse=True, return_counts=True)
    return found, np.asarray(count if weights is None else np.bincount(place, weights), np.float64)
