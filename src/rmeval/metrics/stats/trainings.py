"""Means over repeated trainings and over problems: both are samples, and each training meets every problem."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import nctdtrinc, stdtr, stdtrit

from rmeval.metrics.stats.power import POWER
from rmeval.metrics.stats.significance import LEVEL
from rmeval.types import FloatArray

__all__ = ["TrainingsMean", "trainings_mean"]


@dataclass(frozen=True, slots=True)
class TrainingsMean:
    """A mean over trainings and problems, with an uncertainty that covers both.

    Attributes:
        value: The mean.
        error: Its standard error; NaN with fewer than two problems.
        degrees: Degrees of freedom of the error.
        ci: 95% interval; None if the error is 0 or NaN, that is, if nothing varies.
        p: Two-sided p-value of the mean being 0; NaN without an interval.
        mde: Minimum detectable effect: the smallest true mean that the test finds with a power of 80%, if the error is
            as estimated; NaN without an interval.
        error_of_trainings: Standard error by the variation between trainings alone; NaN with one training.
        error_of_problems: Standard error by the variation between problems alone.
    """

    value: float
    error: float
    degrees: float
    ci: tuple[float, float] | None
    p: float
    mde: float
    error_of_trainings: float
    error_of_problems: float


def trainings_mean(values: FloatArray) -> TrainingsMean:
    """Compute a mean whose trainings and problems are both random samples.

    The variance of the mean is T + P - R (Cameron, Gelbach and Miller 2011, Journal of Business & Economic Statistics
    29:238, clusters in two ways; Owen 2007, Annals of Applied Statistics 1:386, section 3): T from the means of the
    trainings, P from the means of the problems, and R from the residuals, which both of them contain. It is at least
    the larger one of T and P. The interval and the test are of Student's t with the degrees of freedom of Satterthwaite
    (1946, Biometrics Bulletin 2:110): of n trainings alone they are n - 1. With one training, only problems count.

    Args:
        values: float64[problems, trainings], without NaN; values such as those of `Linearised.of_units`, whose mean is
            the number.
    """
    problems, trainings = values.shape
    value = float(values.mean())
    if problems < 2:
        return TrainingsMean(value, math.nan, math.nan, None, math.nan, math.nan, math.nan, math.nan)
    of_problem = values.mean(axis=1)
    by_problems = float(of_problem.var(ddof=1)) / problems
    by_trainings, residual = 0.0, 0.0
    if trainings > 1:
        of_training = values.mean(axis=0)
        by_trainings = float(of_training.var(ddof=1)) / trainings
        rest = values - of_problem[:, None] - of_training[None, :] + value
        freedom = (problems - 1) * (trainings - 1)
        residual = float(np.square(rest).sum()) / freedom / values.size
    variance = max(by_trainings + by_problems - residual, by_trainings, by_problems)
    spread = by_problems**2 / (problems - 1) + (by_trainings**2 / (trainings - 1) if trainings > 1 else 0.0)
    apart = math.sqrt(by_trainings) if trainings > 1 else math.nan
    # Rounding alone makes equal values differ by about 1e-16.
    if variance < 1e-24:
        return TrainingsMean(value, 0.0, math.nan, None, math.nan, math.nan, apart, math.sqrt(by_problems))
    error, degrees = math.sqrt(variance), variance**2 / spread
    critical = float(stdtrit(degrees, 1 - LEVEL / 2))
    return TrainingsMean(
        value,
        error,
        degrees,
        (value - critical * error, value + critical * error),
        min(1.0, 2 * float(stdtr(degrees, -abs(value) / error))),
        float(nctdtrinc(degrees, 1 - POWER, critical)) * error,
        apart,
        math.sqrt(by_problems),
    )
