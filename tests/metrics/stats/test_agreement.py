"""Coefficients of agreement, against published examples and the values of other packages."""

from __future__ import annotations

import numpy as np
import pytest

from rmeval.metrics.stats.agreement import cohen, fleiss, interval_alpha, nominal_alpha

NAN = np.nan
# Example C of Krippendorff (2011, Computing Krippendorff's Alpha-Reliability): 4 observers, 12 units.
EXAMPLE = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T
THREE = np.array([[0, 0, 1, 1, 0, 1, 2, 1], [0, 1, 1, 1, 0, 1, 2, 0], [0, 0, 1, 0, 0, 1, 1, 1]], float).T
RATINGS = np.array([[8.5, 7, 3, 9, NAN, 5], [8, 6.5, 4, 9.5, 7, NAN], [7, 7, NAN, 8, 6, 5.5]]).T


def test_values_of_other_packages() -> None:
    """Values of krippendorff 0.9.0 (`alpha`) and statsmodels 0.15.0 (`fleiss_kappa`, `cohens_kappa`)."""
    units = np.arange(12)
    assert nominal_alpha(EXAMPLE, units).value == pytest.approx(0.743421052631579, abs=1e-15)
    assert interval_alpha(EXAMPLE, units).value == pytest.approx(0.8491071428571428, abs=1e-15)
    assert nominal_alpha(THREE, units[:8]).value == pytest.approx(0.4390243902439024, abs=1e-15)
    assert fleiss(THREE, units[:8]).value == pytest.approx(0.41463414634146334, abs=1e-15)
    assert cohen(THREE[:, 0], THREE[:, 1], units[:8]).value == pytest.approx(0.5789473684210527, abs=1e-15)
    assert interval_alpha(RATINGS, units[:6]).value == pytest.approx(0.8780841799709724, abs=1e-15)


def test_units_that_count() -> None:
    # The last unit has one value; Fleiss' kappa needs all.
    assert nominal_alpha(EXAMPLE, np.arange(12)).units == 11
    assert fleiss(EXAMPLE, np.arange(12)).units == 8
    assert cohen(EXAMPLE[:, 0], EXAMPLE[:, 2], np.arange(12)).units == 8


def test_interval_data_do_not_depend_on_origin_and_scale() -> None:
    moved = interval_alpha(1e6 + 3 * RATINGS, np.arange(6))
    assert moved.value == pytest.approx(0.8780841799709724, abs=1e-9)


def test_no_variation_has_no_coefficient() -> None:
    same = np.ones((9, 3))
    for found in (nominal_alpha(same, np.arange(9)), fleiss(same, np.arange(9)), interval_alpha(same, np.arange(9))):
        assert np.isnan(found.value)
        assert found.ci is None
    assert np.isnan(cohen(same[:, 0], same[:, 1], np.arange(9)).value)
    empty = np.full((3, 2), NAN)
    assert nominal_alpha(empty, np.arange(3)).units == fleiss(empty, np.arange(3)).units == 0


def test_intervals_resample_problems() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 2, 60)
    labels = np.stack([np.where(random.random(60) < 0.8, truth, 1 - truth) for _ in range(3)], axis=1).astype(float)
    alone = nominal_alpha(labels, np.arange(60))
    assert alone.ci is not None
    assert alone.ci[0] < alone.value < alone.ci[1]
    # Each unit four times, as one problem: the same coefficient (but for the correction), and no narrower interval.
    copies = nominal_alpha(np.repeat(labels, 4, axis=0), np.repeat(np.arange(60), 4))
    assert copies.ci is not None
    assert copies.value == pytest.approx(alone.value, abs=0.01)
    assert copies.ci[1] - copies.ci[0] == pytest.approx(alone.ci[1] - alone.ci[0], rel=0.05)
