"""Tests of significance, ranks and letters against scipy, statsmodels and hand-worked values."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from rmeval.metrics.stats.significance import (
    groups,
    holm,
    least,
    mcnemar,
    rank_intervals,
)


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_equals_statsmodels(p: list[float]) -> None:
    assert holm(np.array(p)) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_by_hand() -> None:
    assert holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 9))
def test_mcnemar_equals_statsmodels(won: int, lost: int, same: int) -> None:
    difference = np.array([1.0] * won + [-1.0] * lost + [0.0] * same)
    wanted = statsmodels_mcnemar([[same, won], [lost, 0]], exact=True).pvalue
    found = mcnemar(difference, np.arange(len(difference), dtype=np.int32))
    assert found == pytest.approx(float(np.nan_to_num(wanted, nan=1.0)))


def test_mid_p_by_hand() -> None:
    """The published example: 1 and 7 discordant of 21 (Fagerland et al. 2013, Bentur's data)."""
    difference = np.array([1.0] + [-1.0] * 7 + [0.0] * 13)
    problems = np.arange(21, dtype=np.int32)
    # 2 (1 + 8) / 256 less 8 / 256; for two and two, 1 less half of 6/16; for none and two, 1/4.
    assert mcnemar(difference, problems) == pytest.approx(18 / 256)
    assert mcnemar(difference, problems, mid=True) == pytest.approx(10 / 256)
    assert mcnemar(np.array([1.0, 1.0, -1.0, -1.0]), problems[:4], mid=True) == pytest.approx(1 - 3 / 16)
    assert mcnemar(np.array([1.0, 1.0]), problems[:2], mid=True) == pytest.approx(1 / 4)
    assert mcnemar(np.zeros(3), problems[:3], mid=True) == 1.0


@given(st.integers(0, 40), st.integers(0, 40))
def test_mid_p_is_the_mean_of_the_p_values_around_it(won: int, lost: int) -> None:
    """Half of the exact p-value with the observed result, half of that without it: the next smaller one."""
    problems = np.arange(won + lost, dtype=np.int32)
    difference = np.repeat([1.0, -1.0], [won, lost])
    fewer, total = min(won, lost), won + lost
    mean = 1.0 if not total else (min(1.0, 2 * binom.cdf(fewer, total, 0.5)) + 2 * binom.cdf(fewer - 1, total, 0.5)) / 2
    assert mcnemar(difference, problems, mid=True) == pytest.approx(float(mean))


def test_mcnemar_of_clusters_by_hand() -> None:
    # Problems with 2 wins, 1 win, 1 win and 1 loss, 2 losses and 1 win: (2 + 1 + 0 - 1)^2 / (4 + 1 + 0 + 1) = 2/3.
    difference = np.array([1, 1, 1, 1, -1, -1, -1, 1, 0])
    cluster = np.array([0, 0, 1, 2, 2, 3, 3, 3, 1], np.int32)
    assert mcnemar(difference.astype(float), cluster) == pytest.approx(0.41421618)
    assert mcnemar(difference.astype(float), cluster, mid=True) == pytest.approx(0.41421618)


def test_the_least_number_of_problems_by_hand() -> None:
    # 2^-5 is below .05, 2^-4 above it; of ten tests each has a level of half a percent: 2^-8 is below it, 2^-7 above.
    assert (least(), least(10)) == (6, 9)


def relation(pairs: set[tuple[int, int]], count: int) -> list[list[bool]]:
    return [[(one, other) in pairs for other in range(count)] for one in range(count)]


def test_letters_and_ranks_by_hand() -> None:
    # A leads C and D, B leads D: A and B, B and C, C and D do not differ significantly.
    leads = relation({(0, 2), (0, 3), (1, 3)}, 4)
    assert groups(leads) == ["a", "ab", "bc", "c"]
    assert rank_intervals(leads) == [(1, 2), (1, 3), (2, 4), (3, 4)]
    assert groups(relation(set(), 3)) == ["a", "a", "a"]


@given(st.integers(1, 6), st.data())
def test_models_share_a_letter_exactly_where_neither_leads(count: int, data: st.DataObject) -> None:
    pairs = {pair for pair in combinations(range(count), 2) if data.draw(st.booleans())}
    letters = groups(relation(pairs, count))
    for one, other in combinations(range(count), 2):
        assert bool(set(letters[one]) & set(letters[other])) == ((one, other) not in pairs)
