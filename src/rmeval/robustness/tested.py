"""Effects of an audit with p-values that are corrected together, and what to conclude from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.metrics.stats.effects import benjamini_hochberg
from rmeval.metrics.stats.significance import LEVEL
from rmeval.robustness.effects import Pending, Rate

__all__ = ["AuditedEffect", "tested"]

Interval = tuple[float, float]


@dataclass(frozen=True)
class AuditedEffect:
    """An effect, or a rate without a null hypothesis.

    Attributes:
        probe: The probe.
        name: What is measured.
        value: The value.
        ci: Its 95% interval.
        unit: `share`, or `deviations` of scores.
        null: The value without an effect; NaN for a rate, of which the following are NaN or empty, too.
        p: Two-sided p-value.
        q: `p`, corrected for the false discovery rate of the audit.
        mde: The smallest effect that the audit finds with a power of 80%; NaN if it can find none.
        conclusion: `found`; `none`, if an effect of the smallest size that matters would have been found; or `unknown`,
            if it could not have been.
        problems_needed: Number of problems with which an effect of that size is found, approximately; NaN if unknown.
        count: Number of values.
        problems: Number of problems.
    """

    probe: str
    name: str
    value: float
    ci: Interval | None
    unit: str
    null: float
    p: float
    q: float
    mde: float
    conclusion: str
    problems_needed: float
    count: int
    problems: int

    @property
    def effect(self) -> float:
        """The value minus that without an effect."""
        return self.value - self.null


def tested(found: Sequence[Pending | Rate], smallest: float) -> Iterator[AuditedEffect]:
    """The effects with p-values that are corrected together."""
    tests = sum(isinstance(one, Pending) for one in found)
    effects = {k: one.compute(tests) for k, one in enumerate(found) if isinstance(one, Pending)}
    known = {k: one for k, one in effects.items() if one is not None}
    q = dict(zip(known, benjamini_hochberg(np.array([one.p for one in known.values()])).tolist(), strict=True))
    for k, one in enumerate(found):
        if isinstance(one, Rate):
            nan = math.nan
            yield AuditedEffect(
                one.probe, one.name, one.value, one.ci, "share", nan, nan, nan, nan, "", nan, one.count, one.problems
            )
        elif (seen := effects[k]) is not None:
            large = q[k] < LEVEL
            # Scores have no unit of their own: a tenth of a deviation is as small as 5 points of preference.
            least = smallest if one.unit == "share" else 2 * smallest
            conclusion = "found" if large else "none" if seen.mde <= least else "unknown"
            needed = math.nan if math.isnan(seen.mde) else seen.problems * max(1.0, (seen.mde / least) ** 2)
            ci = None if seen.ci is None else (seen.ci[0] + one.null, seen.ci[1] + one.null)
            yield AuditedEffect(
                one.probe,
                one.name,
                seen.value + one.null,
                ci,
                one.unit,
                one.null,
                seen.p,
                q[k],
                seen.mde,
                conclusion,
                math.ceil(needed) if math.isfinite(needed) else math.nan,
                seen.count,
                seen.problems,
            )
