"""The simulations whose results docs/simulations.md states can be run again, and their truths are right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_expit
from scripts.simulations import calibration, comparisons

from rmeval.metrics.stats.flips import sign_flips


def test_leads_of_ten_models_do_not_depend_on_the_order_of_items() -> None:
    unstable, leads, widest = comparisons.flipped(1, lambda own: sign_flips(comparisons.differences(own)), shuffles=2)
    assert (unstable, widest) == (0, 0.0)
    assert leads > 5


def test_a_model_that_is_much_better_leads_in_every_design() -> None:
    for name, design in comparisons.designs().items():
        values = design.draw(np.random.default_rng(0), [0.9, -0.9, 0.0])
        assert values.shape == (3, len(design.strata)), name
        assert comparisons.any_lead(values), name
        assert design.without_0(values) == (True, True), name


@pytest.mark.parametrize("name", ["20 problems of one comparison", "RM-Bench, 164 problems of five domains"])
def test_intervals_of_equal_models_rarely_exclude_0(name: str) -> None:
    """Jointly in at most 5% of tables, singly far more often; at most 7 of 50 has a probability of 99.7%."""
    random, design = np.random.default_rng(0), comparisons.designs()[name]
    joint, single = np.sum([design.without_0(design.draw(random, [0.0] * 5)) for _ in range(50)], axis=0)
    assert joint <= 7
    assert single > 7


def test_draws_of_the_earlier_test_are_near_the_exact_one() -> None:
    design = comparisons.designs()["60 problems of one comparison"]
    values = design.draw(np.random.default_rng(1), [0.1, 0.0, 0.0])
    exact = sign_flips(comparisons.differences(values))
    assert comparisons.random_flips(values) == pytest.approx(exact, abs=0.02)


def test_truths_of_calibration_are_those_of_many_margins(capsys: pytest.CaptureFixture[str]) -> None:
    margin = 2 * calibration.margins(np.random.default_rng(0), 40_000, 9, 0.8, 0.3).ravel()
    brier, log_loss, factor = calibration.truths(0.8, 2.0)
    assert np.mean(margin > 0) == pytest.approx(0.8, abs=0.01)
    assert np.square(expit(-margin)).mean() == pytest.approx(brier, abs=0.003)
    assert -log_expit(margin).mean() == pytest.approx(log_loss, abs=0.012)
    assert factor == 0.5
    right = np.where(margin > 0, 1.0, 0.0)
    apart = np.abs(np.mean(np.array_split((expit(np.abs(margin)) - right)[np.argsort(np.abs(margin))], 10), axis=1))
    assert apart.mean() == pytest.approx(calibration.true_error(margin, 2.0), abs=0.005)
    calibration.expected_errors(2)
    assert len(capsys.readouterr().out.splitlines()) == 12
