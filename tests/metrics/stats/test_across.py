"""Numbers over several benchmarks: the false discovery rate, mean ranks and means, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, rankdata

from rmeval.metrics.stats.across import benjamini_yekutieli, mean_interval, mean_rank_interval, middle_ranks
from rmeval.metrics.stats.intervals import combined_interval
from rmeval.metrics.stats.significance import holm, rank_intervals


def test_false_discoveries_by_hand() -> None:
    """With three tests c = 1 + 1/2 + 1/3 = 11/6, so that c n = 5.5."""
    found = benjamini_yekutieli(np.array([0.02, 0.001, 0.03]))
    # 5.5 x .001 = .0055; 5.5 x .02 / 2 = .055 and 5.5 x .03 / 3 = .055.
    assert found == pytest.approx([0.055, 0.0055, 0.055])
    # The third step, 5.5 x .012 / 3 = .022, is below the second, 5.5 x .01 / 2 = .0275, and lowers it.
    assert benjamini_yekutieli(np.array([0.001, 0.01, 0.012])) == pytest.approx([0.0055, 0.022, 0.022])
    assert benjamini_yekutieli(np.array([0.04])) == pytest.approx([0.04])
    assert benjamini_yekutieli(np.array([0.5, 0.9])).tolist() == [1.0, 1.0]
    assert benjamini_yekutieli(np.array([])).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_false_discoveries_equal_those_of_scipy_in_any_order(values: list[float], shuffle: object) -> None:
    p = np.array(values)
    found = benjamini_yekutieli(p)
    assert found == pytest.approx(false_discovery_control(p, method="by"), abs=1e-12)
    order = np.random.default_rng(len(values)).permutation(len(values))
    assert benjamini_yekutieli(p[order]) == pytest.approx(found[order], abs=0)
    assert (found >= np.minimum(1, p)).all()


def test_ranks_in_the_middle_are_those_of_scipy() -> None:
    merits = np.array([0.5, 0.9, 0.5, 0.1, 0.5])
    assert middle_ranks(merits).tolist() == [3.0, 1.0, 3.0, 5.0, 3.0]
    assert middle_ranks(merits).tolist() == rankdata(-merits, "average").tolist()


def test_means_by_hand() -> None:
    assert mean_rank_interval([(1, 3), (2, 2), (1, 1)]) == pytest.approx((4 / 3, 2.0))
    # Half of sqrt(.03^2 + .04^2) below and half of sqrt(.06^2 + .08^2) above the mean.
    assert mean_interval([0.6, 0.8], [(0.57, 0.66), (0.76, 0.88)]) == pytest.approx((0.675, 0.75))
    # Three numbers: a third of sqrt(3 x .03^2).
    low, high = mean_interval([0.5, 0.6, 0.7], [(0.47, 0.53), (0.57, 0.63), (0.67, 0.73)])
    assert (low, high) == pytest.approx((0.6 - 0.03 / 3**0.5, 0.6 + 0.03 / 3**0.5))
    assert mean_interval([0.5], [(0.4, 0.7)]) == pytest.approx((0.4, 0.7))
    assert mean_interval([0.6, 0.8], [(0.5, 0.7)] * 2) == pytest.approx(
        combined_interval((0.5, 0.6, (0.5, 0.7)), (0.5, 0.8, (0.5, 0.7)))
    )


def test_intervals_of_mean_ranks_hold_jointly() -> None:
    """Four models, two of which are equal, on three benchmarks; normal differences with a common family."""
    random, held = np.random.default_rng(3), 0
    truth = np.array([[3.0, 0.4, 0.4, 0.0], [2.0, 0.0, 0.0, 0.2], [0.2, 0.1, 0.1, 0.0]])
    pairs = [(i, j) for i in range(4) for j in range(i)]
    for _ in range(300):
        seen = truth + random.normal(size=truth.shape) / 2**0.5
        z = np.array([abs(own[i] - own[j]) for own in seen for i, j in pairs])
        corrected = holm(2 * _upper(z)).reshape(3, -1)
        ranges = []
        for own, p in zip(seen, corrected, strict=True):
            lead = [[False] * 4 for _ in range(4)]
            for (i, j), one in zip(pairs, p, strict=True):
                if one < 0.05:
                    lead[i if own[i] > own[j] else j][j if own[i] > own[j] else i] = True
            ranges.append(rank_intervals(lead))
        found = [mean_rank_interval(own) for own in zip(*ranges, strict=True)]
        held += all(
            low <= 1 + np.mean((truth > truth[:, [k]]).sum(axis=1))
            and 4 - np.mean((truth < truth[:, [k]]).sum(axis=1)) <= high
            for k, (low, high) in enumerate(found)
        )
    assert held / 300 >= 0.95 - 3 * (0.95 * 0.05 / 300) ** 0.5


def _upper(z: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return np.asarray(ndtr(-z))
