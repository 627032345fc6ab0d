from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_expit

from rmeval.metrics.stats.ratings import bradley_terry


def test_two_players_by_hand() -> None:
    # Who wins three of four has odds of three.
    one, other = bradley_terry(np.array([[0.0, 3.0], [1.0, 0.0]]))
    assert one - other == pytest.approx(np.log(3), abs=1e-5)
    assert one + other == pytest.approx(0, abs=1e-12)
    # A draw is half a win for each: 2.5 of 4.
    one, other = bradley_terry(np.array([[0.0, 2.5], [1.5, 0.0]]))
    assert one - other == pytest.approx(np.log(2.5 / 1.5), abs=1e-5)


def test_the_maximum_of_the_likelihood() -> None:
    random = np.random.default_rng(0)
    tables = random.integers(0, 40, (3, 6, 6)) / 2
    tables[:, 0, 1] = tables[:, 1, 0] = 0
    together = bradley_terry(tables)
    for wins, found in zip(tables, together, strict=True):
        one, other = np.nonzero(~np.eye(6, dtype=bool))

        def loss(
            rating: np.ndarray, wins: np.ndarray = wins, one: np.ndarray = one, other: np.ndarray = other
        ) -> float:
            return float(-(wins[one, other] * log_expit(rating[one] - rating[other])).sum())

        wanted = minimize(loss, np.zeros(6), method="BFGS", options={"gtol": 1e-8}).x
        assert found == pytest.approx(wanted - wanted.mean(), abs=1e-4)


def test_who_always_wins_is_finite_and_first() -> None:
    wins = np.array([[0.0, 9.0, 9.0], [0.0, 0.0, 5.0], [0.0, 4.0, 0.0]])
    found = bradley_terry(wins)
    assert np.isfinite(found).all()
    assert found[0] > found[1] + 5
    assert found[1] - found[2] == pytest.approx(np.log(5 / 4), abs=1e-3)
    assert bradley_terry(np.zeros((3, 3))).tolist() == [0, 0, 0]
    # Two groups that never met are each about their own mean.
    apart = np.zeros((4, 4))
    apart[0, 1], apart[1, 0], apart[2, 3], apart[3, 2] = 3, 1, 1, 3
    assert bradley_terry(apart) == pytest.approx(np.array([1, -1, -1, 1]) * np.log(3) / 2, abs=1e-5)
