"""Over-optimisation in best-of-N: quality against the distance from the writer, and whether it falls again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri, stdtrit

from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.metrics.stats.significance import LEVEL
from rmeval.types import FloatArray

__all__ = ["Decline", "decline", "divergence", "fit_matrix", "peak_of"]

_ROUNDING = 1e-12


def divergence(number: float) -> float:
    """Compute log n - (n-1)/n, the KL divergence in nats of best-of-n from the writer's distribution.

    Stiennon et al. 2020 (arXiv 2009.01325, appendix G.3) give this formula, and Gao, Schulman and Hilton 2023 (arXiv
    2210.10760) plot against its square root. It is an upper bound of the divergence (Beirami et al. 2024, arXiv
    2401.01879, theorem 1), which is far below it if the writer gives few texts most of the probability.
    """
    # Rounding may make the divergence of a number near 1 negative.
    return max(0.0, math.log(number) - (number - 1) / number)


def fit_matrix(numbers: Sequence[int]) -> FloatArray:
    """Return the matrix that computes alpha and beta by least squares from the gains over a random pick.

    The form is gain = d (alpha - beta d) with d the square root of `divergence` (Gao, Schulman and Hilton 2023, section
    3.1, for best-of-n). The fit is linear in alpha and beta, and thus in the gains.

    Args:
        numbers: The numbers n, of which two or more are larger than 1.

    Returns:
        float64[2, numbers].
    """
    distance = np.sqrt([divergence(number) for number in numbers])
    found: FloatArray = np.linalg.pinv(np.stack([distance, -np.square(distance)], axis=1))
    return found


def peak_of(alpha: float, beta: float, most: int) -> float | None:
    """Return the number n at which d (alpha - beta d) is largest; None if that is not between 1 and `most`."""
    if alpha <= 0 or beta <= 0:
        return None
    target = (alpha / (2 * beta)) ** 2
    if target >= divergence(most):
        return None
    return float(brentq(lambda number: divergence(number) - target, 1.0, float(most)))


@dataclass(frozen=True, slots=True)
class Decline:
    """Whether quality at the largest n is below its peak.

    Attributes:
        peak: Position of the largest quality: the end if none is larger, otherwise the first of several.
        drop: The largest quality minus that at the end.
        low: One-sided lower 95% limit of the largest true drop, corrected for the choice of the peak; NaN if unknown.
        p: One-sided p-value of the hypothesis that quality at no smaller n is higher than at the end, corrected for the
            choice of the peak; NaN with fewer than `MIN_CLUSTERS` problems, or if the differences do not vary.
    """

    peak: int
    drop: float
    low: float
    p: float


def decline(curve: FloatArray, replicates: FloatArray, clusters: int) -> Decline:
    """Test whether quality at some smaller n is higher than at the largest.

    The statistic is the largest of the differences from the end, each divided by its standard error. Its distribution
    is that of the largest centred difference over resampled problems, so that the choice of the peak among all n is
    accounted for (Westfall and Young 1993, "Resampling-Based Multiple Testing", section 2.3; Romano and Wolf 2005,
    Econometrica 73:1237, for the studentized bootstrap). With few problems, resamples vary too little: the differences
    are expanded by sqrt(n/(n-1)) and by the ratio of the 95th percentiles of Student's t and of the normal distribution
    (Hesterberg 2015, The American Statistician 69:371, section 5.1).

    Args:
        curve: float64[n], quality by increasing n.
        replicates: float64[b, n], the same over resampled problems.
        clusters: Number of problems.
    """
    # Rounding must not move the peak from the end.
    peak = int(np.argmax(curve)) if curve.max() - curve[-1] > _ROUNDING else len(curve) - 1
    drops, spread = curve[:-1] - curve[-1], replicates[:, :-1] - replicates[:, -1:]
    none = Decline(peak, float(curve[peak] - curve[-1]), math.nan, math.nan)
    if clusters < MIN_CLUSTERS or not len(replicates):
        return none
    wider = math.sqrt(clusters / (clusters - 1))
    error = spread.std(axis=0) * wider
    known = error > _ROUNDING
    if not known.any():
        return none
    few = float(stdtrit(clusters - 1, 1 - LEVEL) / ndtri(1 - LEVEL))
    apart = ((spread - drops)[:, known] * few * wider / error[known]).max(axis=1)
    observed = float((drops[known] / error[known]).max())
    p = (1 + float((apart >= observed - _ROUNDING).sum())) / (1 + len(apart))
    low = float((drops[known] - np.quantile(apart, 1 - LEVEL) * error[known]).max())
    return Decline(peak, none.drop, low, p)
