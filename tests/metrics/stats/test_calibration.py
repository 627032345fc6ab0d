"""Calibration of margins, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from rmeval.metrics.stats.calibration import calibrate


def test_calibration_by_hand() -> None:
    # Two bins: confidence .5 and half right; and e / (1 + e) = .7311 with one of two right.
    found = calibrate(np.array([0.0, 0.0, 1.0, -1.0]), np.arange(4))
    assert found is not None
    assert found.ece == pytest.approx((0 + 0.2310586) / 2)
    assert found.log_loss == pytest.approx((2 * np.log(2) + np.log1p(np.exp(-1)) + np.log1p(np.exp(1))) / 4)
    assert found.brier == pytest.approx((0.25 + 0.25 + 0.0723295 + 0.5344466) / 4)
    assert found.scale == 0.0
    # Variances of the bins .25 + .25 and .1966 twice: sqrt(2/pi) (sqrt(.5) + sqrt(.3932)) / 4.
    assert found.ece_calibrated == pytest.approx(0.2661309)
    assert calibrate(np.empty(0), np.empty(0, int)) is None


@pytest.mark.parametrize("factor", [0.25, 1.0, 4.0])
def test_margins_that_are_as_sure_as_they_should_be(factor: float) -> None:
    random = np.random.default_rng(3)
    true = random.normal(0, 1.5, 20_000)
    right = np.where(random.random(len(true)) < expit(true), true, -true) * factor
    found = calibrate(right, np.arange(len(true)))
    assert found is not None
    assert found.scale == pytest.approx(1 / factor, rel=0.06)
    assert (found.ece < 0.015) == (factor == 1.0)


def test_equal_confidences_are_in_one_bin_whatever_the_order() -> None:
    right = np.repeat([1.0, -1.0], [70, 30])
    first, second = calibrate(right, np.arange(100)), calibrate(right[::-1], np.arange(100))
    assert first is not None and second is not None
    assert first.ece == pytest.approx(float(expit(1)) - 0.7)
    assert second.ece == pytest.approx(first.ece, abs=1e-12)
    assert len(first.count) == 1


def test_what_a_calibrated_model_has_for_an_error() -> None:
    random = np.random.default_rng(4)
    found = []
    for _ in range(60):
        true = random.normal(0, 1.5, 500)
        one = calibrate(np.where(random.random(500) < expit(true), true, -true), np.arange(500))
        assert one is not None
        found.append((one.ece, one.ece_calibrated))
    errors = np.array(found).mean(axis=0)
    assert errors[0] == pytest.approx(errors[1], rel=0.1)


def test_where_every_decision_is_right_no_factor_calibrates() -> None:
    found = calibrate(np.array([0.5, 1.0, 2.0, 0.0, 3.0, 1.5]), np.arange(6))
    assert found is not None
    assert np.isinf(found.scale)
    assert found.scale_ci is None
    few = calibrate(np.array([1.0, -1.0, 2.0]), np.arange(3))
    assert few is not None
    assert few.ece_ci is few.log_loss_ci is few.brier_ci is few.scale_ci is None


def test_intervals_of_calibration_hold_the_truth() -> None:
    """Margins twice as large as they should be, in problems of three pairs that are right or wrong together."""
    random = np.random.default_rng(9)
    size = np.abs(random.normal(0, 3, 200_000))
    # Of a pair with margin +-2d the better answer is preferred with probability 1/(1 + exp(-d)).
    chance = expit(size / 2)
    squares = chance * expit(-size) ** 2 + (1 - chance) * expit(size) ** 2
    losses = chance * np.log1p(np.exp(-size)) + (1 - chance) * np.log1p(np.exp(size))
    hits = np.zeros(4)
    for _ in range(300):
        size = np.abs(random.normal(0, 3, 360))
        cluster = np.repeat(np.arange(120), 3)
        right = random.random(120)[cluster] < expit(size / 2)
        found = calibrate(np.where(right, size, -size), cluster)
        assert found is not None
        assert found.ece_ci and found.brier_ci and found.log_loss_ci and found.scale_ci
        # The bins are ten equal parts of the confidences, which the truth depends on alone.
        apart = np.abs([np.mean(expit(part) - expit(part / 2)) for part in np.split(np.sort(size), 10)])
        true = float(apart.mean()), float(squares.mean()), float(losses.mean()), 0.5
        hits += [
            ci[0] <= own <= ci[1]
            for ci, own in zip((found.ece_ci, found.brier_ci, found.log_loss_ci, found.scale_ci), true, strict=True)
        ]
    # Three standard deviations of a binomial with p = .95 and n = 300 are .038; the error's may hold it more often.
    assert hits[1:] / 300 == pytest.approx(np.full(3, 0.95), abs=0.04)
    assert hits[0] / 300 >= 0.95
