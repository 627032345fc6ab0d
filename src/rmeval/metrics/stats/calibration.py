"""Calibration of score differences under the Bradley-Terry model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, log_expit

from rmeval.data.tables import Codes
from rmeval.metrics.stats.bootstrap import bootstrap_random
from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.metrics.stats.losses import LossInterval, design_effect, loss_interval
from rmeval.types import FloatArray, IntArray

__all__ = ["BINS", "Calibration", "calibrate"]

BINS = 10
_DRAWS = 20_000
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of pairwise decisions: confidence compared with accuracy.

    With margin d, the score of the better response minus that of the worse, the model's confidence in the response that
    it prefers is 1/(1 + exp(-|d|)) (Bradley and Terry 1952, Biometrika 39:324).

    Attributes:
        confidence: float64[bins], mean confidence in each bin; bins hold equal numbers of pairs.
        accuracy: float64[bins], the share of right decisions.
        count: int64[bins].
        ece: Mean distance between the two, weighted by count (Guo et al. 2017, arXiv 1706.04599, with bins of equal
            counts).
        ece_ci: Its 95% interval, which contains the true distance for these bins with at least this probability; see
            `_reach`.
        ece_calibrated: The expected `ece` of a calibrated model with the same pairs and confidences, which is not 0 in
            a finite sample; see `_expected`.
        brier: Mean squared error of the probability of the better response (half of the sum over both responses): mean
            (1 - 1/(1 + exp(-d)))^2.
        brier_ci: Its 95% interval.
        log_loss: Mean of log(1 + exp(-d)), the training loss of reward models.
        log_loss_ci: Its 95% interval.
        scale: The factor on margins that minimizes the log loss: 1 for a calibrated model, below 1 for an overconfident
            one, 0 if margins have no or a negative relation to quality, infinite if every decision is right.
        scale_ci: Its 95% interval; None if `scale` is 0 or infinite.

    `loss_interval` computes the intervals of `brier`, `log_loss` and `scale`. There are none for fewer problems than
    `MIN_CLUSTERS`.
    """

    confidence: FloatArray
    accuracy: FloatArray
    count: IntArray
    ece: float
    ece_ci: Interval | None
    ece_calibrated: float
    brier: float
    brier_ci: Interval | None
    log_loss: float
    log_loss_ci: Interval | None
    scale: float
    scale_ci: Interval | None


def calibrate(margin: FloatArray, cluster: Codes | IntArray) -> Calibration | None:
    """Compute the calibration of margins.

    Args:
        margin: float64[n], score of the better response minus that of the worse; not NaN.
        cluster: int[n], the underlying problem.

    Returns:
        None without pairs.
    """
    if not len(margin):
        return None
    confidence = expit(np.abs(margin))
    right = np.where(margin > 0, 1.0, np.where(margin == 0, 0.5, 0.0))
    bins = min(BINS, len(margin))
    # Equal confidences share a bin, so that the order of the pairs does not matter.
    _, inverse, times = np.unique(confidence, return_inverse=True, return_counts=True)
    middle = (np.cumsum(times) - times / 2)[inverse]
    place = np.unique((middle * bins / len(margin)).astype(np.int64), return_inverse=True)[1]
    bins = int(place.max()) + 1
    count = np.bincount(place, minlength=bins)
    mean = np.bincount(place, confidence, bins) / count
    accuracy = np.bincount(place, right, bins) / count
    member = np.unique(cluster, return_inverse=True)[1]
    problems = int(member.max()) + 1
    together = np.unique(member * bins + place, return_inverse=True)[1] if problems >= MIN_CLUSTERS else member
    effect = design_effect(right - accuracy[place], together)
    size, wrong = np.abs(margin), 1 - right
    brier = loss_interval(size, wrong, np.square(expit(-size)), 2 * confidence - 1, member)
    log_loss = loss_interval(size, wrong, -log_expit(size), size, member)
    cells: FloatArray = np.bincount(member * bins + place, confidence - right, problems * bins).astype(
        float, copy=False
    )
    cells = cells.reshape(problems, bins)
    ece = float(np.abs(cells.sum(axis=0)).sum() / len(margin))
    cells /= len(margin)
    reach = _reach(cells, _least(log_loss, place, effect))
    scale = _scale(margin)
    return Calibration(
        mean,
        accuracy,
        count,
        ece,
        None if reach is None else (max(0.0, ece - reach), ece + reach),
        _expected(
            np.asarray(np.bincount(place, confidence * (1 - confidence), bins), np.float64),
            max(1.0, effect),
            len(margin),
        ),
        float(np.square(expit(-margin)).mean()),
        None if brier is None else brier.loss,
        float(-log_expit(margin).mean()),
        None if log_loss is None else log_loss.loss,
        scale,
        None if log_loss is None or not 0 < scale < np.inf else (max(0.0, log_loss.factor[0]), log_loss.factor[1]),
    )


def _least(found: LossInterval | None, place: IntArray, effect: float) -> FloatArray:
    """Return the variance that each bin's difference has at least, even if all decisions are right."""
    if found is None:
        return np.zeros(int(place.max()) + 1)
    return np.asarray(np.bincount(place, effect * found.variance), np.float64) / len(place) ** 2


def _reach(cells: FloatArray, least: FloatArray) -> float | None:
    """Compute a bound on the distance between the calibration error and its true value.

    The differences of confidence and accuracy in the bins are approximately normal. Their summed distance from the true
    differences is below the 95th percentile of such sums in 95 of 100 cases; by the triangle inequality, the distance
    of the calibration error from its true value is at most this sum.

    Args:
        cells: float64[problems, bins], each problem's contribution to the differences.
        least: float64[bins], the least variance of each difference, since the estimate is 0 if all decisions are right.
    """
    problems, bins = cells.shape
    if problems < MIN_CLUSTERS:
        return None
    apart = cells - cells.mean(axis=0)
    covariance = apart.T @ apart * problems / (problems - 1)
    covariance += np.diag(np.maximum(0.0, least - np.diag(covariance)))
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    random = bootstrap_random()
    degrees = problems - 1
    student = np.sqrt(degrees / random.chisquare(degrees, (_DRAWS, 1)))
    drawn = random.standard_normal((_DRAWS, bins)) @ root.T * student
    return float(np.quantile(np.abs(drawn).sum(axis=1), 0.95))


def _expected(variance: FloatArray, effect: float, count: int) -> float:
    """Compute the expected calibration error for differences that are normal around 0: sqrt(2/pi) times the deviation.

    Args:
        variance: float64[bins], the sum of the variances of a calibrated model's decisions.
        effect: The design effect, since pairs of one problem are not independent; it comes from the model's decisions.
        count: Number of pairs.
    """
    return float(np.sqrt(2 / np.pi) * np.sqrt(effect * variance).sum() / count)


def _scale(margin: FloatArray) -> float:
    """Compute the factor that minimizes the log loss, where its slope is 0; infinite if every decision is right."""
    size = float(np.abs(margin).max())
    if not size:
        return 0.0
    if margin.min() >= 0:
        return np.inf

    def slope(factor: float) -> float:
        return float(np.mean(margin * expit(-factor * margin)))

    if slope(0.0) <= 0:
        return 0.0
    high = 1.0 / size
    while slope(high) > 0:
        high *= 2
    return float(brentq(slope, 0.0, high, xtol=high * 2.0**-60))
