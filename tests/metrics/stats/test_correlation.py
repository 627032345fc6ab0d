from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rmeval.metrics.stats.correlation import kendall, pearson, ranks, spearman

few = st.lists(st.sampled_from([-2.0, 0.0, 0.1, 0.3, 1.0, 7.0]), min_size=2, max_size=9)


@given(st.data(), few)
def test_as_scipy_has_them(data: st.DataObject, one: list[float]) -> None:
    other = data.draw(st.lists(st.sampled_from([0.0, 0.1, 2.0, 5.0]), min_size=len(one), max_size=len(one)))
    for ours, theirs in ((pearson, stats.pearsonr), (spearman, stats.spearmanr), (kendall, stats.kendalltau)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.ConstantInputWarning)
            wanted = theirs(one, other).statistic
        assert float(ours(np.array(one), np.array(other))) == pytest.approx(wanted, abs=1e-9, nan_ok=True)


def test_many_at_once_and_by_hand() -> None:
    one = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 1.0, 1.0]])
    other = np.array([[2.0, 1.0, 4.0, 3.0], [1.0, 2.0, 3.0, 4.0]])
    # Of six pairs four are in the same order; 1 - 6 x 4 / (4 x 15).
    assert kendall(one, other)[0] == pytest.approx(2 / 6)
    assert spearman(one, other)[0] == pytest.approx(0.6)
    assert np.isnan(kendall(one, other)[1])
    assert np.isnan(spearman(one, other)[1])
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_missing_places_are_left_out() -> None:
    one = np.array([1.0, np.nan, 2.0, 5.0, 9.0])
    other = np.array([3.0, 4.0, np.nan, 1.0, 2.0])
    assert pearson(one, other) == pytest.approx(stats.pearsonr([1, 5, 9], [3, 1, 2]).statistic)
    assert np.isnan(pearson(np.array([1.0, np.nan]), np.array([1.0, 2.0])))
    # The mean of three tenths is not a tenth to the last digit.
    assert np.isnan(pearson(np.full(3, 0.1), np.array([1.0, 2.0, 4.0])))
