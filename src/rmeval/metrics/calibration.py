"""Whether a difference of scores means what Bradley and Terry say it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit

from rmeval.metrics.intervals import MIN_CLUSTERS, bootstrap_random, resampled_means
from rmeval.tables import Codes
from rmeval.types import FloatArray, IntArray

__all__ = ["BINS", "Calibration", "calibrate"]

BINS = 10
_GROUPS = 5_000
"""More problems than this are drawn in so many groups."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Confidence and success of pairwise decisions.

    With margin d, the score of the better answer less that of the worse, the model is confident by 1/(1 + exp(-|d|)) in
    the answer that it prefers (Bradley and Terry 1952, Biometrika 39:324).

    Attributes:
        confidence: float64[bins], mean confidence in each bin; bins hold equal numbers of pairs.
        accuracy: float64[bins], the share of right decisions.
        count: int64[bins].
        ece: Mean distance between the two, weighted by count (Guo et al. 2017, arXiv 1706.04599, with bins of equal
            counts).
        ece_ci: Its 95% interval, bias-corrected (a distance is too large on average in a small sample).
        brier: Mean squared error of the probability given to the better answer, twice over both answers halved:
            mean (1 - 1/(1 + exp(-d)))^2.
        log_loss: Mean of log(1 + exp(-d)), what a reward model is trained on.
        scale: What margins must be multiplied by to have the least log loss; 1 is calibrated, below 1 overconfident; 0
            where margins say nothing or the contrary.
    """

    confidence: FloatArray
    accuracy: FloatArray
    count: IntArray
    ece: float
    ece_ci: tuple[float, float] | None
    brier: float
    log_loss: float
    scale: float


def calibrate(margin: FloatArray, cluster: Codes | IntArray) -> Calibration | None:
    """Calibration of margins.

    Args:
        margin: float64[n], score of the better answer less that of the worse; not NaN.
        cluster: int[n], the underlying problem.

    Returns:
        None where there are no pairs.
    """
    if not len(margin):
        return None
    confidence = expit(np.abs(margin))
    right = np.where(margin > 0, 1.0, np.where(margin == 0, 0.5, 0.0))
    bins = min(BINS, len(margin))
    place = np.empty(len(margin), np.int64)
    place[np.argsort(confidence, kind="stable")] = np.arange(len(margin)) * bins // len(margin)
    count = np.bincount(place, minlength=bins)
    mean = np.bincount(place, confidence, bins) / count
    accuracy = np.bincount(place, right, bins) / count
    return Calibration(
        mean,
        accuracy,
        count,
        _ece(np.bincount(place, confidence - right, bins) / len(margin)),
        _interval(place, confidence - right, cluster, bins),
        float(np.mean(np.square(expit(-margin)))),
        float(-np.mean(log_expit(margin))),
        _scale(margin),
    )


def _ece(apart: FloatArray) -> float:
    return float(np.abs(apart).sum(axis=-1))


def _interval(place: IntArray, apart: FloatArray, cluster: Codes | IntArray, bins: int) -> tuple[float, float] | None:
    """Bootstrap over problems, turned round at the number itself (Davison and Hinkley 1997, section 5.2: basic)."""
    member = np.unique(cluster, return_inverse=True)[1]
    clusters = int(member.max()) + 1
    if clusters < MIN_CLUSTERS:
        return None
    if clusters > _GROUPS:
        # Each has a confidence of its own, so that none are alike; drawn in as many groups they spread as much.
        member, clusters = member % _GROUPS, _GROUPS
    sums = np.asarray(np.bincount(member * bins + place, apart, clusters * bins), np.float64).reshape(clusters, bins)
    counts = np.asarray(np.bincount(member, minlength=clusters), np.float64)[:, None]
    value = _ece(np.bincount(place, apart, bins) / len(place))
    low, high = np.quantile(np.abs(resampled_means(sums, counts, bootstrap_random())).sum(axis=1), [0.025, 0.975])
    return max(0.0, 2 * value - float(high)), max(0.0, 2 * value - float(low))


def _scale(margin: FloatArray) -> float:
    """The factor of least log loss, by bisection of its slope."""
    size = float(np.abs(margin).max())
    if not size:
        return 0.0

    def slope(factor: float) -> float:
        return float(np.mean(margin * expit(-factor * margin)))

    if slope(0.0) <= 0:
        return 0.0
    low, high = 0.0, 1.0 / size
    while slope(high) > 0 and high < 1e6 / size:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return (low + high) / 2
