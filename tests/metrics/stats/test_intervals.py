from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rmeval.metrics.stats.intervals import combined_interval, wilson


@given(st.integers(0, 40), st.integers(0, 40))
def test_wilson_equals_scipy(won: int, lost: int) -> None:
    """Also with few decisions of one kind, but for the limit on their side, which is then farther."""
    if not won + lost:
        return
    credit = np.array([1.0] * won + [0.0] * lost)
    found, method = wilson(credit, np.arange(won + lost))
    wanted = binomtest(won, won + lost).proportion_ci(method="wilson")
    assert method == "wilson"
    assert found is not None
    few = 4 + 4 * min(won, lost) / (won + lost)
    if won > few or not won or won > lost:
        assert found[0] == pytest.approx(wanted.low, abs=1e-8)
    if lost > few or not lost or lost > won:
        assert found[1] == pytest.approx(wanted.high, abs=1e-8)
    assert found[0] <= wanted.low + 1e-8 and found[1] >= wanted.high - 1e-8


def test_wilson_by_hand() -> None:
    # 30 of 50, z = 1.959964: centre (.6 + 3.841459/100)/(1 + 3.841459/50) = .592865; half .131051.
    found, _ = wilson(np.array([1.0] * 30 + [0.0] * 20), np.arange(50))
    assert found == pytest.approx((0.461814, 0.723916), abs=1e-5)


def test_the_limit_towards_a_near_bound_is_that_of_the_likelihood_ratio() -> None:
    """Of 20 decisions one is lost: 19 log(.95/p) + log(.05/(1-p)) = z^2/2 at p = .9974; Wilson's limit is .9911."""
    found, _ = wilson(np.array([1.0] * 19 + [0.0]), np.arange(20))
    assert found is not None
    assert found[0] == pytest.approx(binomtest(19, 20).proportion_ci(method="wilson").low, abs=1e-8)
    ratio = 19 * np.log(0.95 / found[1]) + np.log(0.05 / (1 - found[1]))
    # The atoms at the bounds have a weight of 0.05 each.
    assert ratio == pytest.approx(1.959964**2 / 2, rel=0.08)


def test_copies_add_nothing() -> None:
    """Each problem asked six times with the same outcome is as much evidence as asked once."""
    random = np.random.default_rng(0)
    credit = (random.random(100) < 0.7).astype(float)
    once, _ = wilson(credit, np.arange(100))
    six, method = wilson(np.repeat(credit, 6), np.repeat(np.arange(100), 6))
    assert method == "wilson(clustered)"
    assert six == pytest.approx(once, abs=0.003)


def test_unanimous_clusters_count_once_each() -> None:
    found, _ = wilson(np.ones(20), np.repeat(np.arange(5), 4))
    five, _ = wilson(np.ones(5), np.arange(5))
    assert found == pytest.approx(five)


def test_no_values_no_interval() -> None:
    assert wilson(np.array([np.nan]), np.array([0]))[0] is None


def test_the_interval_of_a_sum_by_hand() -> None:
    """Distances of 0.3 and 0.4 below, weighed, are 0.5 together; with full correlation 0.7, against it 0.1."""
    first, second = (1.0, 0.5, (0.2, 0.5)), (2.0, 0.3, (0.1, 0.35))
    assert combined_interval(first, second) == pytest.approx((0.6, 1.2))
    assert combined_interval(first, second, 1.0) == pytest.approx((0.4, 1.2))
    assert combined_interval(first, second, -1.0) == pytest.approx((1.0, 1.2))
