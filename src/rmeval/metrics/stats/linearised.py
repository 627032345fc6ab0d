"""Values of problems or items whose mean is a number of the benchmark, and whose variance is that of the number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rmeval.data.tables import Codes
from rmeval.metrics.composition import Shares
from rmeval.metrics.outcomes import Outcomes
from rmeval.types import FloatArray, IntArray

__all__ = ["Linearised", "linearise"]


class Linearised(NamedTuple):
    """A number, and the contribution of each comparison to its deviation from the number's expectation.

    Attributes:
        value: The number.
        part: float64[m], the contributions, whose sum is 0; NaN for comparisons that do not belong to the number.
    """

    value: float
    part: FloatArray

    def of_units(self, unit: Codes | IntArray, count: int) -> FloatArray:
        """Return one value for each unit, such as a problem; their mean is the number.

        A value is the number plus the unit's contributions times the number of units. If every unit has one comparison
        of equal weight, the values are the credits.

        Args:
            unit: int[m], the unit of each comparison.
            count: Number of units.

        Returns:
            float64[count]; NaN for a unit without comparisons.
        """
        known = ~np.isnan(self.part)
        there = np.bincount(unit[known], minlength=count) > 0
        sums = np.bincount(unit[known], self.part[known], count)
        return np.where(there, self.value + there.sum() * sums, np.nan)


def linearise(found: Outcomes, shares: Shares) -> Linearised:
    """Linearise a weighted sum of the accuracies of kinds of comparisons (Woodruff 1971, JASA 66:411).

    A comparison of a kind with weight w, of which there are n, contributes w/n times its credit minus the kind's
    accuracy. If all comparisons have the same weight, the number is a plain accuracy (or a multiple of one), and the
    accuracy over all kinds is subtracted: then the numbers of comparisons of each kind are not part of the design.

    Args:
        found: The outcomes; those that the score rule excludes are left out.
        shares: The weight of each kind.
    """
    kind = found.subset[found.item].astype(np.int64) * len(found.tags) + found.tag
    weight = np.zeros(len(found.subsets) * len(found.tags))
    for (subset, tag), share in shares.items():
        if subset in found.subsets and tag in found.tags:
            weight[found.subsets.index(subset) * len(found.tags) + found.tags.index(tag)] = share
    known = ~np.isnan(found.credit) & (weight[kind] != 0)
    count = np.bincount(kind[known], minlength=len(weight))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(kind[known], found.credit[known], len(weight)) / count
        each = weight / count
    used = count > 0
    value = float(weight[used] @ mean[used])
    if used.any() and np.ptp(each[used]) < 1e-12 * float(np.abs(each[used]).max()):
        mean = np.full(len(weight), value / float(weight[used].sum()))
    part = np.where(known, each[kind] * (found.credit - mean[kind]), np.nan)
    return Linearised(value, part)
