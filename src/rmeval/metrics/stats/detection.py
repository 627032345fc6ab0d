"""Confidence as a detector of right decisions: the area under the ROC curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, stdtrit

from rmeval.data.tables import Codes
from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.types import FloatArray, IntArray

__all__ = ["Detection", "detect"]


@dataclass(frozen=True, slots=True)
class Detection:
    """How well confidence separates right decisions from wrong ones.

    Attributes:
        auroc: The probability that a right decision has a higher confidence than a wrong one; equal confidences count
            one half. 0.5 for a confidence without information, 1 if every wrong decision has a lower confidence than
            every right one.
        ci: Its 95% interval; None with fewer problems than `MIN_CLUSTERS`, or at 0 and 1.
        right: Number of right decisions; one half for a tie.
        wrong: Number of wrong decisions, likewise.
    """

    auroc: float
    ci: tuple[float, float] | None
    right: float
    wrong: float


def detect(confidence: FloatArray, right: FloatArray, cluster: Codes | IntArray) -> Detection | None:
    """Compute the area under the ROC curve of confidence for right decisions, with problems as clusters.

    The area is Mann and Whitney's statistic. A tie is half a right and half a wrong decision. The variance is that of
    the decisions' placements (DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837), summed by problem (Obuchowski
    1997, Biometrics 53:567); the interval is symmetric on the logit scale, with Student's t for the smaller of the
    numbers of problems that have a right and a wrong decision.

    Args:
        confidence: float64[n], not NaN.
        right: float64[n], 1 for a right decision, 0 for a wrong one, a value between them for a tie.
        cluster: int[n], the underlying problem.

    Returns:
        None if all decisions are right, or all are wrong.
    """
    wrong = 1 - right
    n_right, n_wrong = float(right.sum()), float(wrong.sum())
    if not n_right or not n_wrong:
        return None
    _, level = np.unique(confidence, return_inverse=True)
    rights, wrongs = np.bincount(level, right), np.bincount(level, wrong)
    # The share of the wrong decisions with a lower confidence, and of the right ones with a higher one.
    below = ((np.cumsum(wrongs) - wrongs / 2) / n_wrong)[level]
    above = (1 - (np.cumsum(rights) - rights / 2) / n_right)[level]
    area = float(right @ below) / n_right
    member = np.unique(cluster, return_inverse=True)[1]
    parts = right * (below - area) / n_right + wrong * (above - area) / n_wrong
    problems = int(member.max()) + 1
    fewer = min(len(np.unique(member[side > 0])) for side in (right, wrong))
    ci = None
    if problems >= MIN_CLUSTERS and fewer > 1 and 0 < area < 1:
        variance = float(np.square(np.bincount(member, parts)).sum()) * problems / (problems - 1)
        reach = float(stdtrit(fewer - 1, 0.975)) * np.sqrt(variance) / (area * (1 - area))
        ci = float(expit(logit(area) - reach)), float(expit(logit(area) + reach))
    return Detection(area, ci, n_right, n_wrong)
