"""Agreement of several judges: Krippendorff's alpha, and Cohen's and Fleiss' kappa, with clustered intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rmeval.data.tables import Codes
from rmeval.metrics.stats.bootstrap import REPLICATES, bootstrap_interval, bootstrap_random
from rmeval.types import FloatArray, IntArray

__all__ = ["Agreement", "cohen", "fleiss", "interval_alpha", "nominal_alpha"]

_BLOCK = 4_000_000


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient of agreement: 1 for judges that always agree, 0 for the agreement of independent judges.

    Attributes:
        name: `alpha (nominal)`, `alpha (interval)`, `kappa (Fleiss)` or `kappa (Cohen)`.
        value: The coefficient; NaN if it is not defined, as for verdicts that are all equal.
        ci: Its 95% interval over resampled problems.
        units: Number of units, such as comparisons, that it is computed from.
    """

    name: str
    value: float
    ci: tuple[float, float] | None
    units: int


def nominal_alpha(labels: FloatArray, cluster: Codes | IntArray) -> Agreement:
    """Compute Krippendorff's alpha for nominal data (Krippendorff 2011, Computing Krippendorff's Alpha-Reliability).

    With n_uc of m_u values in unit u equal to c, n_c of all n values equal to c, and units of one value left out,

        alpha = 1 - (n - 1) sum_u [(m_u² - sum_c n_uc²) / (m_u - 1)] / (n² - sum_c n_c²).

    Args:
        labels: float64[units, judges], whole numbers from 0; NaN for a missing value.
        cluster: int[units], the underlying problem of each unit.
    """
    counts, cluster = _counts(labels, cluster)
    sizes = counts.sum(axis=1)
    apart = (sizes**2 - (counts**2).sum(axis=1)) / (sizes - 1)

    def value(sums: FloatArray) -> FloatArray:
        number = sums[:, 1:].sum(axis=1)
        return 1 - _ratio((number - 1) * sums[:, 0], number**2 - (sums[:, 1:] ** 2).sum(axis=1))

    return _agreement("alpha (nominal)", np.column_stack([apart, counts]), cluster, value)


def interval_alpha(values: FloatArray, cluster: Codes | IntArray) -> Agreement:
    """Compute Krippendorff's alpha for interval data, whose disagreement is the squared difference of two values.

    The sum of squared differences of all pairs of m values is 2 m S for the sum S of squared deviations from their
    mean; units of one value are left out.

    Args:
        values: float64[units, judges]; NaN for a missing value.
        cluster: int[units], the underlying problem of each unit.
    """
    known = ~np.isnan(values)
    kept = known.sum(axis=1) > 1
    values, known, cluster = values[kept], known[kept], cluster[kept]
    # Differences do not depend on the origin, and sums of squares are more exact near it.
    filled = np.where(known, values - (values[known].mean() if known.any() else 0.0), 0.0)
    number, total, squares = known.sum(axis=1).astype(float), filled.sum(axis=1), (filled**2).sum(axis=1)
    apart = 2 * (number * squares - total**2) / np.maximum(number - 1, 1)

    def value(sums: FloatArray) -> FloatArray:
        every = 2 * (sums[:, 1] * sums[:, 3] - sums[:, 2] ** 2)
        return 1 - _ratio((sums[:, 1] - 1) * sums[:, 0], every)

    return _agreement("alpha (interval)", np.column_stack([apart, number, total, squares]), cluster, value)


def fleiss(labels: FloatArray, cluster: Codes | IntArray) -> Agreement:
    """Compute Fleiss' kappa (1971, Psychological Bulletin 76:378), on the units with a value of every judge.

    Args:
        labels: float64[units, judges], whole numbers from 0; NaN for a missing value.
        cluster: int[units], the underlying problem of each unit.
    """
    whole = ~np.isnan(labels).any(axis=1)
    counts, cluster = _counts(labels[whole], cluster[whole])
    judges = labels.shape[1]
    same = ((counts**2).sum(axis=1) - judges) / (judges * (judges - 1))

    def value(sums: FloatArray) -> FloatArray:
        units = sums[:, 1:].sum(axis=1) / judges
        expected = ((sums[:, 1:] / (judges * units)[:, None]) ** 2).sum(axis=1)
        return _ratio(sums[:, 0] / units - expected, 1 - expected)

    return _agreement("kappa (Fleiss)", np.column_stack([same, counts]), cluster, value)


def cohen(one: FloatArray, other: FloatArray, cluster: Codes | IntArray) -> Agreement:
    """Compute Cohen's kappa (1960, Educational and Psychological Measurement 20:37) of two judges.

    Args:
        one: float64[units], the first judge's labels, whole numbers from 0; NaN for a missing value.
        other: Those of the second judge.
        cluster: int[units], the underlying problem of each unit.
    """
    whole = ~np.isnan(one + other)
    first, second = one[whole].astype(np.int64), other[whole].astype(np.int64)
    kinds = int(max(first.max(initial=0), second.max(initial=0))) + 1
    eye = np.eye(kinds)

    def value(sums: FloatArray) -> FloatArray:
        units = sums[:, 1 : 1 + kinds].sum(axis=1)
        expected = (sums[:, 1 : 1 + kinds] * sums[:, 1 + kinds :]).sum(axis=1) / units**2
        return _ratio(sums[:, 0] / units - expected, 1 - expected)

    columns = np.column_stack([first == second, eye[first], eye[second]])
    return _agreement("kappa (Cohen)", columns.astype(float), cluster[whole], value)


def _counts(labels: FloatArray, cluster: Codes | IntArray) -> tuple[FloatArray, Codes | IntArray]:
    """The number of judges with each label, float64[units, labels], of the units with two values or more."""
    kept = (~np.isnan(labels)).sum(axis=1) > 1
    labels = labels[kept]
    kinds = int(np.nanmax(labels)) + 1 if len(labels) else 1
    counts: FloatArray = np.stack([(labels == kind).sum(axis=1) for kind in range(kinds)], axis=1).astype(float)
    return counts, cluster[kept]


def _ratio(over: FloatArray, under: FloatArray) -> FloatArray:
    """The ratio, NaN where the denominator is 0."""
    found: FloatArray = np.divide(over, under, out=np.full(np.shape(over), np.nan), where=under > 0)
    return found


def _agreement(
    name: str, columns: FloatArray, cluster: Codes | IntArray, value: Callable[[FloatArray], FloatArray]
) -> Agreement:
    """A coefficient that is a function of sums over units, with an interval over resampled clusters."""
    if not len(columns):
        return Agreement(name, np.nan, None, 0)
    member = np.unique(cluster, return_inverse=True)[1]
    clusters = int(member.max()) + 1
    sums = np.stack([np.bincount(member, column, clusters) for column in columns.T], axis=1)
    own = float(value(sums.sum(axis=0)[None])[0])
    random = bootstrap_random()
    replicates: list[FloatArray] = []
    block = max(1, _BLOCK // clusters)
    for start in range(0, REPLICATES, block):
        size = min(block, REPLICATES - start)
        drawn = random.multinomial(clusters, np.full(clusters, 1 / clusters), size=size).astype(float)
        replicates.append(value(drawn @ sums))
    ci = None if np.isnan(own) else bootstrap_interval(own, np.concatenate(replicates), clusters, proportion=False)[0]
    return Agreement(name, own, ci, len(columns))
