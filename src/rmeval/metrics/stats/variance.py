"""Variance components: which part of a number's uncertainty comes from problems, and which from what is repeated.

The terms are those of generalizability theory (Cronbach, Gleser, Nanda and Rajaratnam 1972, "The Dependability of
Behavioral Measurements"; Brennan 2001, "Generalizability Theory"). Problems are crossed with facets: settings, votes,
orders, prompts, judges or models that each problem is observed under. Items are nested in problems.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from scipy.special import chdtri, stdtrit

from rmeval.data.tables import Codes
from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.types import FloatArray, IntArray

__all__ = [
    "ITEM",
    "PROBLEM",
    "Clustering",
    "Component",
    "best_split",
    "crossed_components",
    "nested_components",
    "reliability",
    "standard_error",
]

PROBLEM = "problem"
ITEM = "item"
_Axes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """A variance component.

    Attributes:
        effect: What varies: `(PROBLEM,)`, a facet, or several of them, whose interaction it is. The interaction of all
            includes what is left of the variance of a single value.
        variance: The estimate; 0 if it is negative.
        estimate: The estimate as computed; a negative one is compatible with a variance of 0.
        ci: 95% interval; None with too few problems or levels.
    """

    effect: tuple[str, ...]
    variance: float
    estimate: float
    ci: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Clustering:
    """Items of problems: how alike outcomes of one problem are.

    Attributes:
        components: The components of problems, and of items within problems.
        correlation: Intra-class correlation: the share of the problems' component.
        correlation_ci: Its 95% interval; None with too few problems.
        design_effect: Variance of the mean, divided by that of as many items of different problems.
        effective: Number of items of different problems for which the mean would have the same variance.
    """

    components: tuple[Component, ...]
    correlation: float
    correlation_ci: tuple[float, float] | None
    design_effect: float
    effective: float


def crossed_components(values: FloatArray, facets: Sequence[str]) -> tuple[Component, ...]:
    """Estimate the variance components of values of problems that are crossed with facets, all of them random.

    This is the method of analysis of variance for unequal numbers of values (Henderson 1953, Biometrics 9:226, method
    1; Searle, Casella and McCulloch 1992, "Variance Components", chapter 5; Brennan 2001, chapter 7, "analogous
    ANOVA"): for each set of axes, T is the sum of squared totals of its cells, each divided by its number of values;
    the T are set equal to their expectations. Without missing values these are the estimates of the usual mean squares.

    Intervals of components of problems are from a jackknife over problems, with Student's t (Arvesen and Layard 1975,
    Annals of Statistics 3:1122). Those of other components must reflect how few levels there are; see `_of_levels`.

    Args:
        values: float64[problems, levels of the first facet, ...]; NaN is a missing value.
        facets: Name of each further axis.

    Returns:
        The component of each effect: single ones, then interactions.

    Raises:
        ValueError: If the components cannot be estimated: an axis has fewer than two levels, or problems are not
            observed under several levels.
    """
    known = ~np.isnan(values)
    axes = range(values.ndim)
    for axis in axes:
        kept = np.flatnonzero(known.any(axis=tuple(k for k in axes if k != axis)))
        values, known = values.take(kept, axis), known.take(kept, axis)
    if min(values.shape) < 2:
        raise ValueError("there are fewer than two problems, or fewer than two levels of a facet")
    effects = [own for size in range(1, values.ndim + 1) for own in combinations(axes, size)]
    # The mean as the origin keeps the squares small.
    centred = np.where(known, values - np.nanmean(values), 0.0)
    found = _solved(centred, known.astype(float), effects)
    names = (PROBLEM, *facets)
    components = []
    for place, effect in enumerate(effects):
        if 0 in effect:
            ci = _jackknife(found[0, place], found[1:, place])
        else:
            ci = _of_levels(known.astype(float), effects, found[0], effect)
        value = float(found[0, place])
        components.append(Component(tuple(names[axis] for axis in effect), max(0.0, value), value, ci))
    return tuple(components)


def _solved(values: FloatArray, known: FloatArray, effects: Sequence[_Axes]) -> FloatArray:
    """Return the estimates from all problems, and from all but each one: float64[problems + 1, effects]."""
    mean, mean_weights = _term(values, known, ()), [_coefficient(known, (), other) for other in effects]
    right = np.stack([_term(values, known, own) - mean for own in effects], axis=-1)
    left = np.stack(
        [
            np.stack(
                [_coefficient(known, own, b) - weight for b, weight in zip(effects, mean_weights, strict=True)], -1
            )
            for own in effects
        ],
        axis=-2,
    )
    scale = float(known.sum())
    if np.linalg.matrix_rank(left[0] / scale, tol=1e-9) < len(effects):
        raise ValueError("problems and facets are not crossed: no problem is observed under several levels")
    found: FloatArray = np.full(right.shape, np.nan)
    sound = np.abs(np.linalg.det(left / scale)) > 1e-12
    found[sound] = np.linalg.solve(left[sound], right[sound][..., None])[..., 0]
    return found


def _without_each(parts: FloatArray) -> FloatArray:
    """Return the sum over all problems, and the sums over all but each one, given the part of each problem."""
    total = parts.sum(axis=0)
    found: FloatArray = np.concatenate([total[None], total[None] - parts])
    return found


def _counts(known: FloatArray, axes: _Axes) -> FloatArray:
    """Return each problem's number of values in each cell of some axes; other axes have length 1."""
    found: FloatArray = known.sum(axis=tuple(k for k in range(1, known.ndim) if k not in axes), keepdims=True)
    return found


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Divide, and return 0 for cells without values."""
    found: FloatArray = np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below > 0.5)
    return found


def _added(cells: FloatArray) -> FloatArray:
    found: FloatArray = cells.reshape(len(cells), -1).sum(axis=1)
    return found


def _term(values: FloatArray, known: FloatArray, own: _Axes) -> FloatArray:
    """Return T of some axes with all problems, and without each one."""
    sums, counts = _counts(values, own), _counts(known, own)
    if 0 in own:
        return _without_each(_added(_ratio(sums**2, counts)))
    return _added(_ratio(_without_each(sums) ** 2, _without_each(counts)))


def _coefficient(known: FloatArray, own: _Axes, other: _Axes) -> FloatArray:
    """Return the coefficient of the variance of `other` in the expectation of T of `own`, as `_term` does.

    It is the sum over the cells a of `own` of sum n(a, b)² / n(a) over the cells b of `other`, with n(a, b) values in
    both.
    """
    both, counts = _counts(known, tuple({*own, *other})), _counts(known, own)
    if 0 in own:
        return _without_each(_added(_ratio(both**2, counts)))
    if 0 in other:
        squares = _counts(both**2, own)
        return _added(_ratio(_without_each(squares), _without_each(counts)))
    return _added(_ratio(_without_each(both) ** 2, _without_each(counts)))


def _jackknife(value: float, without: FloatArray) -> tuple[float, float] | None:
    """Return the interval of a variance from its estimates without each problem; its ends are at least 0."""
    count = len(without)
    # Equal estimates, for example if no value differs, do not show how they vary between problems.
    if count < MIN_CLUSTERS or not np.isfinite(without).all() or np.ptp(without) < 1e-15:
        return None
    error = math.sqrt((count - 1) / count * float(np.square(without - without.mean()).sum()))
    reach = float(stdtrit(count - 1, 0.975)) * error
    return max(0.0, float(value) - reach), max(0.0, float(value) + reach)


def _of_levels(
    known: FloatArray, effects: Sequence[_Axes], estimates: FloatArray, effect: _Axes
) -> tuple[float, float] | None:
    """Return the interval of the component of facets, which have few levels; None if the levels' means are equal.

    The means of the levels vary by this component and by noise: by each interaction with further axes, divided by the
    number of values that a mean averages over, and by other effects if levels lack different values. The interval is
    that of their variance by the chi-squared distribution, minus the estimated noise (Tukey 1951, Biometrics 7:33;
    Williams 1962, Biometrika 49:278). It assumes that the effects of the levels are normal.
    """
    degrees = math.prod(known.shape[axis] - 1 for axis in effect)
    noise = sum(
        float(estimates[place]) * _scatter(known, effect, other)
        for place, other in enumerate(effects)
        if other != effect
    )
    spread = float(estimates[effects.index(effect)]) + noise
    if spread < 1e-15:
        return None
    low, high = (degrees * spread / float(chdtri(degrees, tail)) - noise for tail in (0.025, 0.975))
    return max(0.0, low), max(0.0, high)


def _scatter(known: FloatArray, own: _Axes, other: _Axes) -> float:
    """Return what a component of 1 of `other` adds to the variance of the means of the cells of `own`.

    With the share w(a, b) of the values of cell a that are in cell b of `other`, this is the sum over b of the variance
    of w(a, b) over a: 0 if `other` is the same for all a. For interactions that contain `own`, it is the mean over a of
    the sum of squared shares. For other effects, only those of single axes are computed.
    """
    both, counts = _counts(known, tuple({*own, *other})), _counts(known, own).sum(axis=0, keepdims=True)
    share = _ratio(both if 0 in other else both.sum(axis=0, keepdims=True), counts)
    if set(other) > set(own):
        return float(np.square(share).sum() / np.count_nonzero(counts))
    if len(own) > 1:
        return 0.0
    return float(share.var(axis=own[0], ddof=1).sum())


def nested_components(values: FloatArray, cluster: Codes | IntArray) -> Clustering:
    """Estimate the variance components of problems and of the items within them.

    This is the one-way analysis of variance with unequal numbers of items (Searle, Casella and McCulloch 1992, chapter
    3; for outcomes of 0 and 1, Ridout, Demétrio and Firth 1999, Biometrics 55:137): with mean squares between and
    within problems, the component of problems is (between - within) / n0, n0 = (N - sum m² / N) / (C - 1), for N items
    of C problems with m items each. Intervals are from a jackknife over problems. The design effect is
    1 + (sum m² / N - 1) times the correlation (Kish 1965, "Survey Sampling", chapter 5).

    Args:
        values: float64[items], without NaN.
        cluster: int[items], the problem of each item.

    Raises:
        ValueError: If there are fewer than two problems, or each one has a single item.
    """
    member = np.unique(cluster, return_inverse=True)[1]
    size: FloatArray = np.bincount(member).astype(float)
    if len(size) < 2 or size.max(initial=0) < 2:
        raise ValueError("there are fewer than two problems, or each problem has a single item")
    values = values - values.mean()
    means = np.bincount(member, values) / size
    inside = _without_each(np.bincount(member, np.square(values - means[member])).astype(float))
    count, squares, sums, between = (_without_each(own) for own in (size, size**2, size * means, size * means**2))
    problems = np.concatenate([[len(size)], np.full(len(size), len(size) - 1)])
    with np.errstate(divide="ignore", invalid="ignore"):
        within = inside / (count - problems)
        across = (between - sums**2 / count) / (problems - 1)
        of_problems = (across - within) / ((count - squares / count) / (problems - 1))
        alike = of_problems / (of_problems + within)
    found = (
        Component(
            (PROBLEM,),
            max(0.0, float(of_problems[0])),
            float(of_problems[0]),
            _jackknife(of_problems[0], of_problems[1:]),
        ),
        Component((PROBLEM, ITEM), float(within[0]), float(within[0]), _jackknife(within[0], within[1:])),
    )
    total = sum(one.variance for one in found)
    correlation = found[0].variance / total if total else 0.0
    effect = 1 + (float(squares[0] / count[0]) - 1) * correlation
    ci = _jackknife(alike[0], alike[1:])
    return Clustering(found, correlation, ci, effect, float(count[0]) / effect)


def standard_error(components: Sequence[Component], sizes: Mapping[str, float], measured: str | None = None) -> float:
    """Compute the standard error of a mean over some numbers of problems and of levels of each facet.

    The variance of the mean is the sum of the components, each divided by the number of its cells (Brennan 2001,
    chapter 4, a D study with random facets). If the levels of one axis are measured, such as models, this is the
    standard error of the difference of two of them: twice the sum of the components of its interactions, since all
    other effects are the same for both (relative error).

    Args:
        components: The components.
        sizes: Number of problems and levels, by axis.
        measured: The axis whose levels are compared, if there is one.
    """
    if measured is None:
        return math.sqrt(sum(one.variance / math.prod(sizes[axis] for axis in one.effect) for one in components))
    return math.sqrt(2 * _relative(components, sizes, measured))


def _relative(components: Sequence[Component], sizes: Mapping[str, float], measured: str) -> float:
    return sum(
        one.variance / math.prod(sizes[axis] for axis in one.effect if axis != measured)
        for one in components
        if measured in one.effect and len(one.effect) > 1
    )


def reliability(components: Sequence[Component], sizes: Mapping[str, float], measured: str) -> float:
    """Compute the generalizability coefficient of the levels of one axis, such as models.

    It is the expected squared correlation of their measured and their true means: s / (s + d), where s is the component
    of the axis and d the variance of the relative error (Brennan 2001, chapter 4). NaN if both are 0.
    """
    own = next(one.variance for one in components if one.effect == (measured,))
    total = own + _relative(components, sizes, measured)
    return own / total if total else math.nan


def best_split(
    components: Sequence[Component], budget: int, facets: Sequence[str], measured: str | None = None
) -> dict[str, int]:
    """Find the numbers of problems and of levels of each facet that give the smallest standard error.

    Args:
        components: The components.
        budget: Largest number of values in total, for each measured level if there is one.
        facets: The axes besides problems that can be repeated.
        measured: As for `standard_error`.
    """

    def order(own: Mapping[str, int]) -> tuple[float, int]:
        # Of equally good splits, the one with the fewest repeats.
        return round(standard_error(components, own, measured), 12), math.prod(own[facet] for facet in facets)

    return min(_splits(budget, facets), key=order)


_MOST = 100
"""Levels of a facet in `best_split`."""


def _splits(budget: int, facets: Sequence[str]) -> Iterator[dict[str, int]]:
    most = max(1, min(_MOST, budget // 2))
    for levels in product(range(1, most + 1), repeat=len(facets)):
        problems = budget // math.prod(levels)
        if problems >= 2 or math.prod(levels) == 1:
            yield {PROBLEM: problems, **dict(zip(facets, levels, strict=True))}
