"""Effects of a change that should not matter: size, interval, p-value, and the smallest effect that would be found."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtri, ndtri

from rmeval.data.tables import Codes
from rmeval.metrics.stats.flips import sign_flips
from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.metrics.stats.likelihood import limits, p_values
from rmeval.metrics.stats.power import POWER, ContributionSizes, detectable
from rmeval.metrics.stats.samples import Strata, sample
from rmeval.metrics.stats.significance import LEVEL, least
from rmeval.types import FloatArray, IntArray

__all__ = ["Effect", "balanced_effect", "benjamini_hochberg", "paired_effect"]


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect that is 0 if the change does not matter.

    Attributes:
        value: The effect.
        ci: Its 95% interval; None with fewer problems than `MIN_CLUSTERS`.
        p: Two-sided p-value.
        mde: The minimum detectable effect: the smallest true effect that the test finds with a power of 80%, at the
            strictest level of the correction; NaN if there are too few problems for any.
        count: Number of values.
        problems: Number of problems.
    """

    value: float
    ci: tuple[float, float] | None
    p: float
    mde: float
    count: int
    problems: int


def paired_effect(values: FloatArray, cluster: Codes | IntArray, tests: int, largest: float) -> Effect | None:
    """Compute the mean of differences that have either sign with equal probability if the change does not matter.

    The p-value is that of sign flips of problems, see `rmeval.metrics.stats.flips`, and the interval that of
    differences of models, see `rmeval.metrics.stats.likelihood`. If no verdict changes, the smallest effect that is
    found follows from the number of changes in one direction that is significant.

    Args:
        values: float64[n], the differences; NaN is excluded.
        cluster: int[n], the problem of each.
        tests: Number of tests that are corrected together.
        largest: The largest possible difference.

    Returns:
        None without values.
    """
    known = ~np.isnan(values)
    values, member = values[known], np.unique(cluster[known], return_inverse=True)[1]
    if not len(values):
        return None
    problems = int(member.max()) + 1
    part = np.zeros(len(values), np.int32)
    own: FloatArray = np.bincount(member, values / len(values), problems).astype(np.float64)
    made, level = ContributionSizes.of(own * problems), LEVEL / tests
    if made.share:
        mde = detectable(made, problems, level)
    else:
        enough = least(tests)
        mde = float(bdtri(enough - 1, problems, 1 - POWER)) * largest if problems >= enough else math.nan
    seen = sample(values / largest, part, member, np.ones(1), Strata.of(part, member, 1), difference=True)
    low, high = limits([seen])[0].tolist()
    ci = (low * largest, high * largest) if problems >= MIN_CLUSTERS else None
    value = float(values.mean())
    value = 0.0 if abs(value) < 1e-12 * largest else value
    return Effect(value, ci, float(sign_flips([own])[0]), mde, len(values), problems)


def balanced_effect(values: FloatArray, part: Codes | IntArray, cluster: Codes | IntArray, tests: int) -> Effect | None:
    """Compute the mean over two groups of their mean differences, with equal weights.

    P-value and interval are those of `rmeval.metrics.stats.likelihood`; the minimum detectable effect is (z + z.80)
    standard errors, where z is the normal quantile of the level.

    Args:
        values: float64[n], differences of at most one half; NaN is excluded.
        part: int[n], the group, 0 or 1.
        cluster: int[n], the problem of each.
        tests: Number of tests that are corrected together.

    Returns:
        None if a group has no value.
    """
    known = ~np.isnan(values)
    values, part = values[known], part[known]
    member = np.unique(cluster[known], return_inverse=True)[1]
    count = np.bincount(part, minlength=2)
    if not count.all():
        return None
    problems = int(member.max()) + 1
    seen = sample(2 * values, part, member, np.full(2, 0.5), Strata.of(part, member, 2), difference=True)
    means = np.bincount(part, values) / count
    own = np.bincount(member, (values - means[part]) / count[part] / 2, problems)
    error = math.sqrt(float(np.square(own).sum()) * problems / max(problems - 1, 1))
    mde = float(ndtri(1 - LEVEL / tests / 2) + ndtri(POWER)) * error if error and problems >= least(tests) else math.nan
    if problems < MIN_CLUSTERS:
        return Effect(float(means.mean()), None, 1.0, math.nan, len(values), problems)
    low, high = limits([seen])[0].tolist()
    above = float(p_values([seen], 0.0)[0])
    p = min(1.0, 2 * min(above, 1 - above))
    return Effect(float(means.mean()), (low / 2, high / 2), p, mde, len(values), problems)


def benjamini_hochberg(p: FloatArray) -> FloatArray:
    """Correct p-values so that of the significant effects at most the level are false ones on average.

    The k-th smallest of n becomes the smallest of n p(i) / i for i from k on, and at most 1 (Benjamini and Hochberg
    1995, JRSS-B 57:289). This holds for independent and for positively dependent tests (Benjamini and Yekutieli 2001).
    """
    order = np.argsort(p, kind="stable")
    steps = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty(len(p))
    found[order] = np.minimum(1.0, np.minimum.accumulate(steps[::-1])[::-1])
    return found
