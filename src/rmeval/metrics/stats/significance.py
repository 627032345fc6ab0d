"""Significance of differences: tests, corrections, power and ranks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from scipy.special import bdtr, chdtrc, ndtr, ndtri

from rmeval.data.tables import Codes, Mask
from rmeval.types import FloatArray

__all__ = [
    "FLIPS",
    "LEVEL",
    "POWER",
    "detectable",
    "groups",
    "holm",
    "least",
    "mcnemar",
    "needed",
    "rank_intervals",
    "rare",
    "sign_flips",
]

LEVEL = 0.05
"""Level below which the corrected p-value of a difference is significant."""
POWER = 0.8
FLIPS = 9_999
SIGN_FLIPS = f"cluster sign flips({FLIPS}, seed 0)"
_CARE = 3.0
"""Factor by which the saddlepoint approximation can be too small if contributions are very unequal."""
_TOGETHER = 5_000
"""Maximum number of problems for which one matrix product tests all numbers with the same flips."""
_EXACT = 12
"""Maximum number of problems for which the test is exact, as it enumerates all flips."""
_BLOCK = 1_000


def sign_flips(columns: Iterable[FloatArray], clusters: int) -> FloatArray:
    """Compute two-sided p-values of differences, from random flips of the sign of each problem's contribution.

    If two models are equally good on every problem, each contribution to their difference has either sign with equal
    probability (Fisher's randomisation test for paired data; Good 2005, "Permutation, Parametric and Bootstrap Tests of
    Hypotheses", section 3.2). The p-value is the share of flips whose sum is at least as far from 0 as the observed
    sum, which counts as one of the flips (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585). With up to twelve
    problems that differ, all flips are enumerated. With many problems, equal contributions are flipped together by a
    binomial draw; if the contributions also have many distinct values, their sum is approximated by a normal
    distribution. `rare` computes p-values that are too small for random flips.

    Args:
        columns: float64[clusters] each.
        clusters: Number of problems.

    Returns:
        float64[number of columns].
    """
    if clusters > _TOGETHER:
        return np.array([_flip_alike(column) for column in columns])
    values = np.array(list(columns)).reshape(-1, clusters)
    p = np.array([_flip_all(column) for column in values])
    todo = np.isnan(p)
    p[todo] = _flip_together(values[todo])
    return p


def _flip_all(column: FloatArray) -> float:
    """Compute the p-value from all flips; NaN if there are too many."""
    values = column[column != 0]
    if len(values) > _EXACT:
        return math.nan
    signs = 1 - 2 * ((np.arange(1 << len(values))[:, None] >> np.arange(len(values))) & 1)
    return float(np.mean(_as_far(signs @ values, values)))


def _as_far(sums: FloatArray, values: FloatArray) -> Mask:
    """Return which sums are at least as far from 0 as the observed sum, with a tolerance for rounding."""
    real = abs(float(values.sum()))
    reached: Mask = np.abs(sums) >= real - 1e-9 * max(real, float(np.abs(values).max(initial=0)))
    return reached


def _flip_together(values: FloatArray) -> FloatArray:
    random = np.random.default_rng(0)
    beyond = np.zeros(len(values))
    for start in range(0, FLIPS, _BLOCK):
        size = min(_BLOCK, FLIPS - start)
        signs = 1.0 - 2.0 * random.integers(0, 2, (size, values.shape[1]), dtype=np.int8)
        sums = signs @ values.T
        beyond += [_as_far(sums[:, k], own).sum() for k, own in enumerate(values)]
    return np.array([_p(count, own) for count, own in zip(beyond.tolist(), values, strict=True)])


def _p(beyond: float, values: FloatArray) -> float:
    drawn = (beyond + 1) / (FLIPS + 1)
    return drawn if beyond else min(drawn, _CARE * rare(values[values != 0]))


def rare(values: FloatArray) -> float:
    """Approximate the small probability that the sum of numbers with random signs is as far from 0 as their own sum.

    This is Lugannani and Rice's saddlepoint approximation (1980, Adv. Appl. Prob. 12:475; for such tests Robinson 1982,
    JRSS-B 44:91) with the cumulant generating function sum log cosh(t d) of the flips. Since sums are not continuous,
    Daniels' second correction is applied (1987, Int. Stat. Rev. 55:37), with twice the smallest number as the step,
    which is exact for equal numbers.

    Args:
        values: float64[n], none of them 0.
    """
    size = np.abs(values)
    real = abs(float(values.sum()))
    if real >= float(size.sum()) * (1 - 1e-12):
        return float(2.0 ** (1 - len(values)))
    half = float(size.min())
    bound = real - half
    low, high = 0.0, 1.0 / float(size.max())
    while float((size * np.tanh(high * size)).sum()) < bound:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if float((size * np.tanh(middle * size)).sum()) < bound else (low, middle)
    point = (low + high) / 2
    # log cosh x = x + log(1 + exp(-2x)) - log 2, which never overflows.
    cumulant = float((point * size + np.log1p(np.exp(-2 * point * size)) - np.log(2)).sum())
    curvature = float((np.square(size) * (1 - np.square(np.tanh(point * size)))).sum())
    r, u = np.sqrt(2 * (point * bound - cumulant)), np.sinh(point * half) / half * np.sqrt(curvature)
    return float(min(1.0, 2 * (ndtr(-r) + np.exp(-(r**2) / 2) / np.sqrt(2 * np.pi) * (1 / u - 1 / r))))


def _flip_alike(column: FloatArray) -> float:
    values = column[column != 0]
    if len(values) <= _EXACT:
        return _flip_all(values)
    scale = float(np.abs(values).max())
    sizes, times = np.unique(np.round(np.abs(values) / scale, 9), return_counts=True)
    if len(sizes) > _BLOCK:
        normal = float(2 * ndtr(-abs(values.sum()) / np.sqrt(np.square(values).sum())))
        # In the tails, sums of unequal contributions are not normal.
        return normal if normal * FLIPS > 1 else min(1 / FLIPS, _CARE * rare(values))
    random = np.random.default_rng(0)
    sums = (2 * random.binomial(times, 0.5, (FLIPS, len(sizes))) - times) @ sizes
    return _p(float(_as_far(sums, values / scale).sum()), values)


def mcnemar(difference: FloatArray, cluster: Codes) -> float:
    """Compute the p-value of McNemar's test of paired wins and losses (McNemar 1947, Psychometrika 12:153).

    If each problem has one comparison, this is the exact binomial test on the discordant comparisons. If several
    comparisons share a problem, it is the test of Durkalski et al. 2003 (Statistics in Medicine 22:2417): (sum d)^2 /
    sum d^2 over problems, where d is the number of wins minus the number of losses in a problem, as chi-squared with
    one degree of freedom.

    Args:
        difference: float64[m], credit of the first model minus that of the second.
        cluster: int32[m], the problem of each comparison.

    Returns:
        Two-sided p-value; 1 if all credits are equal.
    """
    apart = difference != 0
    if not apart.any():
        return 1.0
    signs = np.sign(difference[apart])
    if np.bincount(cluster).max() == 1:
        fewer = min(int((signs > 0).sum()), int((signs < 0).sum()))
        return min(1.0, 2 * float(bdtr(fewer, len(signs), 0.5)))
    own = np.bincount(cluster[apart], signs)
    square = float(np.square(own).sum())
    return float(chdtrc(1, own.sum() ** 2 / square)) if square else 1.0


def holm(p: FloatArray) -> FloatArray:
    """Correct p-values so that the probability of any false positive is at most the level (Holm 1979, SJS 6:65).

    The k-th smallest of n becomes the largest of (n - i + 1) times the i-th smallest for i up to k, and at most 1.
    """
    order = np.argsort(p, kind="stable")
    found = np.empty(len(p))
    found[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return found


def detectable(error: float, tests: int = 1) -> float:
    """Compute the true difference that a two-sided test detects with a power of 80%, given the standard error.

    The difference is (z(1 - a/2) + z.8) times the standard error (Cohen 1988, "Statistical Power Analysis", chapter 2,
    for large samples). The level a is 5% divided by the number of tests in the family: the level that `holm` requires
    of the smallest p-value.
    """
    return float(ndtri(1 - LEVEL / tests / 2) + ndtri(POWER)) * error


def needed(clusters: int, error: float, difference: float, tests: int = 1) -> int | None:
    """Compute the number of problems needed to detect a difference with that power, given the error of `clusters`."""
    if not difference or math.isnan(error):
        return None
    return max(least(tests), math.ceil(clusters * (detectable(error, tests) / difference) ** 2 - 1e-9))


def least(tests: int = 1) -> int:
    """Compute the smallest number of problems n for which 2^(1-n), the least p-value of sign flips, is significant."""
    return math.floor(1 - math.log2(LEVEL / tests)) + 1


def rank_intervals(leads: Sequence[Sequence[bool]]) -> list[tuple[int, int]]:
    """Compute the range of ranks of each model from significant differences between models.

    A model's rank is at least one more than the number of models that lead it, and at most the number of models that it
    does not lead (Mogstad, Romano, Shaikh and Wilhelm 2024, Review of Economic Studies 91:476, section 3). With
    corrected tests, all ranges hold jointly with a probability of 95%.

    Args:
        leads: For each model, whether it leads each of the models.
    """
    count = len(leads)
    return [(1 + sum(leads[other][k] for other in range(count)), count - sum(leads[k])) for k in range(count)]


def groups(leads: Sequence[Sequence[bool]]) -> list[str]:
    """Compute a compact letter display: models share a letter if neither leads the other (Piepho 2004, JCGS 13:456).

    Args:
        leads: As for `rank_intervals`, with the models in the order in which letters are assigned.

    Returns:
        The letters of each model, such as `ab`.
    """
    count = len(leads)
    sets = [frozenset(range(count))]
    for one, other in combinations(range(count), 2):
        if leads[one][other] or leads[other][one]:
            split = [s - {out} for s in sets if {one, other} <= s for out in (one, other)]
            kept = [s for s in sets if not {one, other} <= s]
            every = list(dict.fromkeys([*kept, *split]))
            sets = [s for s in every if not any(s < t for t in every)]
    sets.sort(key=sorted)
    return ["".join(_letter(k) for k, own in enumerate(sets) if model in own) for model in range(count)]


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"({number})"
