"""What each problem of a benchmark adds to one of its numbers, also if only some of the problems have outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rmeval.data.tables import Codes, ItemTable
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.composition import Measure, Part, Shares
from rmeval.metrics.outcomes import Outcomes
from rmeval.types import FloatArray

__all__ = ["ContributionBounds"]

_LOWEST: Mapping[str, float] = {"margin": -1.0}
"""The lowest credit of a kind of comparisons by its tag, if that is not 0; 1 is the highest of all."""


@dataclass(frozen=True)
class ContributionBounds:
    """The range of what each problem adds to a number. The number is the sum over all problems.

    Attributes:
        measure: The number.
        weight: What a won comparison of each kind adds: the share of the kind divided by its number of comparisons.
        low: float64[problems], the least that each problem can add.
        high: float64[problems], the most.
    """

    measure: Measure
    weight: Mapping[Part, float]
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(
        cls, measure: Measure, shares: Shares, counts: Mapping[Part, int], all_of: Outcomes, table: ItemTable
    ) -> ContributionBounds:
        """Return the ranges of all problems.

        Args:
            measure: The number.
            shares: Its composition.
            counts: Number of comparisons of each kind.
            all_of: Any outcomes of all items; only which comparisons there are counts.
            table: All items; clusters are the problems.
        """
        weight = {part: share / counts[part] for part, share in shares.items()}
        parts = _parts(all_of)
        each = np.array([weight.get(part, 0.0) for part in parts])
        lowest = np.array([_LOWEST.get(tag, 0.0) for _, tag in parts])
        ends = np.stack([each * lowest, each])
        kind, problem = _kinds(all_of), table.cluster[all_of.item]
        problems = int(table.cluster.max()) + 1
        low: FloatArray = np.bincount(problem, ends.min(axis=0)[kind], problems).astype(float)
        high: FloatArray = np.bincount(problem, ends.max(axis=0)[kind], problems).astype(float)
        return cls(measure, weight, low, high)

    @property
    def problems(self) -> int:
        """Number of problems."""
        return len(self.low)

    def added(self, found: Outcomes, problem: Codes) -> FloatArray:
        """Return what each problem adds, float64[problems]; 0 for problems without outcomes.

        Args:
            found: The outcomes of some of the items.
            problem: int32[n], the problem of each of these items.

        Raises:
            DataError: If a credit is outside of the range on which sequences rely.
        """
        parts, kind = _parts(found), _kinds(found)
        lowest = np.array([_LOWEST.get(tag, 0.0) for _, tag in parts])
        wrong = ~((found.credit >= lowest[kind]) & (found.credit <= 1))
        if wrong.any():
            part, credit = parts[kind[wrong][0]], found.credit[wrong][0]
            raise DataError(
                f"a comparison of {quoted(part[0])} has the credit {credit:g}: `until` needs credits from 0 to 1, so "
                "leave it out"
            )
        each = np.array([self.weight.get(part, 0.0) for part in parts])
        added: FloatArray = np.bincount(problem[found.item], each[kind] * found.credit, self.problems).astype(float)
        return added


def _kinds(found: Outcomes) -> Codes:
    """Return the kind of each comparison, as a position in `_parts`."""
    kinds: Codes = found.subset[found.item] * len(found.tags) + found.tag
    return kinds


def _parts(found: Outcomes) -> list[Part]:
    return [(subset, tag) for subset in found.subsets for tag in found.tags]
