"""Whether a difference of scores means what Bradley and Terry say it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit

from rmeval.tables import Codes
from rmeval.types import FloatArray, IntArray

__all__ = ["BINS", "Calibration", "calibrate"]

BINS = 10


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
        ece_calibrated: What it would be on average for a model that is calibrated, with as many pairs and these
            confidences: distances are never 0 in a sample.
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
    ece_calibrated: float
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
    # Equal confidences are in one bin, whatever the order of the pairs.
    _, inverse, times = np.unique(confidence, return_inverse=True, return_counts=True)
    middle = (np.cumsum(times) - times / 2)[inverse]
    place = np.unique((middle * bins / len(margin)).astype(np.int64), return_inverse=True)[1]
    bins = int(place.max()) + 1
    count = np.bincount(place, minlength=bins)
    mean = np.bincount(place, confidence, bins) / count
    accuracy = np.bincount(place, right, bins) / count
    return Calibration(
        mean,
        accuracy,
        count,
        _ece(np.bincount(place, confidence - right, bins) / len(margin)),
        _expected(
            np.asarray(np.bincount(place, confidence * (1 - confidence), bins), np.float64),
            np.bincount(cluster),
            len(margin),
        ),
        float(np.mean(np.square(expit(-margin)))),
        float(-np.mean(log_expit(margin))),
        _scale(margin),
    )


def _ece(apart: FloatArray) -> float:
    return float(np.abs(apart).sum(axis=-1))


def _expected(variance: FloatArray, sizes: IntArray, count: int) -> float:
    """The mean of distances that are normal around 0: sqrt(2/pi) times their deviation, in each bin.

    Pairs of one problem are taken to be right or wrong together, the careful way: then deviations are larger by the
    square root of the mean size that a pair finds its problem to have.
    """
    design = float(np.square(sizes.astype(float)).sum()) / count
    return float(np.sqrt(2 / np.pi) * np.sqrt(design * variance).sum() / count)


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
