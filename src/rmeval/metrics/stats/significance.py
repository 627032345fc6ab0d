"""Significance of differences: tests, corrections and ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.special import bdtr, chdtrc

from rmeval.data.tables import Codes
from rmeval.types import FloatArray

__all__ = [
    "LEVEL",
    "groups",
    "holm",
    "least",
    "mcnemar",
    "rank_intervals",
]

LEVEL = 0.05
"""Level below which the corrected p-value of a difference is significant."""


def mcnemar(difference: FloatArray, cluster: Codes, mid: bool = False) -> float:
    """Compute the p-value of McNemar's test of paired wins and losses (McNemar 1947, Psychometrika 12:153).

    If each problem has one comparison, this is the exact binomial test on the discordant comparisons. If several
    comparisons share a problem, it is the test of Durkalski et al. 2003 (Statistics in Medicine 22:2417): (sum d)^2 /
    sum d^2 over problems, where d is the number of wins minus the number of losses in a problem, as chi-squared with
    one degree of freedom.

    The exact test is conservative, since its p-value takes few distinct values. The mid-p-value counts one half of the
    probability of the observed result (Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91): the
    level is not guaranteed, but in their 9,595 settings it always held, with nearly the power of the asymptotic test.

    Args:
        difference: float64[m], credit of the first model minus that of the second.
        cluster: int32[m], the problem of each comparison.
        mid: Whether to return the mid-p-value of the exact test; without effect on the test of clusters.

    Returns:
        Two-sided p-value; 1 if all credits are equal.
    """
    apart = difference != 0
    if not apart.any():
        return 1.0
    signs = np.sign(difference[apart])
    if np.bincount(cluster).max() == 1:
        fewer = min(int((signs > 0).sum()), int((signs < 0).sum()))
        up_to, below = (float(bdtr(number, len(signs), 0.5)) if number >= 0 else 0.0 for number in (fewer, fewer - 1))
        exact = min(1.0, 2 * up_to)
        # If both models win equally often, the observed result is counted once.
        half = (up_to - below) * (0.5 if 2 * fewer == len(signs) else 1.0)
        return exact - half if mid else exact
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


def least(tests: float = 1) -> int:
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
