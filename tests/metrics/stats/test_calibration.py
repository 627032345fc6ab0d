"""Calibration of margins, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_expit, ndtri, stdtrit

from rmeval.metrics.stats.calibration import calibrate
from rmeval.metrics.stats.losses import design_effect, loss_interval
from rmeval.types import FloatArray


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


def calibrated(random: np.random.Generator, problems: int, accuracy: float, shared: float = 0.3) -> FloatArray:
    """Margins of a calibrated scorer, float64[problems, 9]: three better responses against three worse ones.

    The margins a - b + c have a normal distribution with mean m and variance 2m, so that exp(margin) is the ratio of
    the densities of right and wrong decisions; c, with a share of the variance, is common to the problem.
    """
    mean = 2 * ndtri(accuracy) ** 2
    better, worse = random.standard_normal((problems, 3, 1)), random.standard_normal((problems, 1, 3))
    noise = np.sqrt((1 - shared) / 2) * (better - worse) + np.sqrt(shared) * random.standard_normal((problems, 1, 1))
    found: FloatArray = mean + np.sqrt(2 * mean) * noise.reshape(problems, 9)
    return found


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.9])
def test_pairs_that_share_scores_are_not_taken_as_right_or_wrong_together(shared: float) -> None:
    random = np.random.default_rng(5)
    found = []
    for _ in range(60):
        one = calibrate(calibrated(random, 60, 0.7, shared).ravel(), np.repeat(np.arange(60), 9))
        assert one is not None
        found.append((one.ece, one.ece_calibrated))
    errors = np.array(found).mean(axis=0)
    assert errors[1] == pytest.approx(errors[0], rel=0.08)
    # If all nine pairs were right or wrong together: three times as much as for independent pairs.
    assert errors[1] < 0.09


def test_the_design_effect_by_hand() -> None:
    member = np.array([0, 0, 1, 1, 2, 3, 4])
    # Squares of the sums 2, 0, 1, -1, 0 and 2, -2, 1, -1, 0 of each problem, divided by the sum of squares.
    assert design_effect(np.array([1.0, 1.0, 1.0, -1.0, 1.0, -1.0, 0.0]), member) == 6 / 6
    assert design_effect(np.array([1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 0.0]), member) == pytest.approx(10 / 6)
    # Sums 0, 0, 1, 0, 0 and squares 2, 2, 1: 1/5 from effectively 25/9 problems, and 1 from four more.
    offset = design_effect(np.array([1.0, -1.0, 1.0, -1.0, 1.0, 0.0, 0.0]), member)
    assert offset == pytest.approx((25 / 9 / 5 + 4) / (25 / 9 + 4))
    # Without residuals or with few problems, all pairs of a problem count as one: (4 + 4 + 1 + 1 + 1) / 7, (1 + 9) / 4.
    assert design_effect(np.zeros(7), member) == pytest.approx(11 / 7)
    assert design_effect(np.array([1.0, -1.0, 1.0, -1.0]), np.array([0, 1, 1, 1])) == pytest.approx(10 / 4)


def test_intervals_of_equal_losses_are_wilsons() -> None:
    """Margins of one size: the loss is a share of wrong decisions, times a constant; Student's t instead of normal."""
    wrong = np.repeat([1.0, 0.0], [3, 37])
    found = loss_interval(np.ones(40), wrong, np.full(40, 0.5), np.full(40, 2.0), np.arange(40))
    assert found is not None
    t = float(stdtrit(39, 0.975))
    centre, reach = (
        (3 / 40 + t**2 / 80) / (1 + t**2 / 40),
        t * np.sqrt(3 / 40 * 37 / 40 / 40 + t**2 / 6400) / (1 + t**2 / 40),
    )
    assert found.loss == pytest.approx((0.5 + 2 * (centre - reach), 0.5 + 2 * (centre + reach)))
    # A share p of wrong decisions at margins of 1 is the factor log((1 - p) / p).
    low, high = centre - reach, centre + reach
    assert found.factor == pytest.approx((np.log((1 - high) / high), np.log((1 - low) / low)))


def test_a_model_that_is_always_right_has_intervals() -> None:
    found = calibrate(np.full(30, 1.25), np.arange(30))
    assert found is not None and found.ece_ci and found.brier_ci and found.log_loss_ci
    # Three of thirty wrong, the most that is plausible, add .1 tanh(.625) to the Brier score.
    assert found.brier_ci == pytest.approx((found.brier, found.brier + 0.0679), abs=0.003)
    assert found.log_loss_ci[1] - found.log_loss == pytest.approx(0.153, abs=0.005)
    assert found.ece_ci[1] - found.ece_ci[0] > 0.1


def test_huge_margins_have_intervals() -> None:
    found = calibrate(np.array([1e200] * 20 + [-1e200]), np.arange(21))
    assert found is not None and found.brier_ci and found.log_loss_ci
    assert found.log_loss_ci == pytest.approx((1e200 * found.brier_ci[0], 1e200 * found.brier_ci[1]))
    assert 0 < found.brier_ci[0] < 1 / 21 < found.brier_ci[1] < 0.3
    extreme = calibrate(np.array([1e-9] * 10 + [-1e9]), np.arange(11))
    assert extreme is not None and extreme.brier_ci and extreme.brier_ci[1] <= 1


@pytest.mark.parametrize("accuracy", [0.6, 0.97])
def test_intervals_of_losses_hold_the_truth_for_strong_models(accuracy: float) -> None:
    """Overconfident scorers, 60 problems of nine pairs; with standard errors of the losses 80 to 85 of 100 hold it."""
    random = np.random.default_rng(6)
    margin = 1.5 * calibrated(random, 100_000, accuracy)
    wanted = np.array([np.square(expit(-margin)).mean(), -log_expit(margin).mean(), 1 / 1.5])
    hits = np.zeros(3)
    for start in range(0, 120 * 60, 60):
        own = margin[start : start + 60].ravel()
        found = calibrate(own, np.repeat(np.arange(60), 9))
        assert found is not None and found.brier_ci and found.log_loss_ci
        # Without a wrong decision there is no factor, and no interval of it.
        intervals = (found.brier_ci, found.log_loss_ci, found.scale_ci or (0, np.inf))
        hits += [low <= true <= high for (low, high), true in zip(intervals, wanted, strict=True)]
    # Three standard deviations of a binomial with p = .95 and n = 120 are .06.
    assert (hits / 120 >= 0.95 - 0.06).all()


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


def test_intervals_do_not_depend_on_rounding() -> None:
    # Each problem has as many right as wrong decisions of each size, so that all residuals cancel up to rounding, which
    # the order of the sum decides.
    sizes = np.random.default_rng(3).exponential(20, (12, 9))
    found = []
    for order in range(6):
        pairs = np.random.default_rng(order).permuted(np.concatenate([sizes, -sizes], axis=1), axis=1)
        calibration = calibrate(pairs.ravel(), np.repeat(np.arange(12), 18))
        assert calibration is not None
        assert calibration.log_loss_ci is not None
        assert calibration.brier_ci is not None
        found.append((*calibration.log_loss_ci, *calibration.brier_ci))
    for one in found[1:]:
        np.testing.assert_allclose(one, found[0], rtol=1e-9)
