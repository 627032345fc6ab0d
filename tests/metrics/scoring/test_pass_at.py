"""pass@k equals the share of subsets with a right response."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.metrics.scoring.best_of_k import best_of_k
from rmeval.metrics.scoring.pass_at import pass_at

GOLDS = st.lists(st.booleans(), min_size=1, max_size=7)


@given(st.lists(GOLDS, min_size=1, max_size=4), st.integers(1, 8))
def test_it_is_the_share_of_subsets_with_a_right_response(golds: list[list[bool]], k: int) -> None:
    right, known = (np.array([measure(one) for one in golds]) for measure in (sum, len))
    for value, own in zip(pass_at(right, known, k).tolist(), golds, strict=True):
        subsets = list(combinations(own, k))
        if subsets:
            assert value == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-12)
        else:
            assert np.isnan(value)


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4))
def test_it_is_the_oracle_of_best_of_k(golds: list[list[bool]]) -> None:
    quality = np.array(golds, float)
    oracle = best_of_k(quality, quality)
    for k in range(1, 6):
        found = pass_at(quality.sum(axis=1).astype(int), np.full(len(golds), 5), k)
        assert found == pytest.approx(oracle[:, k - 1], abs=1e-12)


def test_many_responses_lose_no_digit() -> None:
    # 1 - C(9999, 5000) / C(10000, 5000) is 1/2, whose parts no float holds.
    assert pass_at(np.array([1]), np.array([10_000]), 5_000).tolist() == [0.5]
