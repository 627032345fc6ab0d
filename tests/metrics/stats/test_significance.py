"""Tests of significance, ranks and letters against scipy, statsmodels and hand-worked values."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from rmeval.metrics.stats import significance
from rmeval.metrics.stats.significance import (
    detectable,
    groups,
    holm,
    least,
    mcnemar,
    needed,
    rank_intervals,
    rare,
    sign_flips,
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


def test_mcnemar_of_clusters_by_hand() -> None:
    # Problems with 2 wins, 1 win, 1 win and 1 loss, 2 losses and 1 win: (2 + 1 + 0 - 1)^2 / (4 + 1 + 0 + 1) = 2/3.
    difference = np.array([1, 1, 1, 1, -1, -1, -1, 1, 0])
    cluster = np.array([0, 0, 1, 2, 2, 3, 3, 3, 1], np.int32)
    assert mcnemar(difference.astype(float), cluster) == pytest.approx(0.41421618)


def test_few_problems_have_all_their_flips_tried() -> None:
    values = np.array([0.3, 0.1, 0.2, -0.05, 0.0])
    by_hand = np.mean([abs(np.dot(s, values)) >= 0.55 - 1e-12 for s in product((1, -1), repeat=5)])
    assert sign_flips([values], 5)[0] == pytest.approx(by_hand)
    assert sign_flips([np.array([1.0, 1.0, 1.0])], 3)[0] == pytest.approx(0.25)
    assert sign_flips([np.zeros(7)], 7)[0] == 1.0


def test_flips_equal_scipys() -> None:
    random = np.random.default_rng(0)
    values = random.normal(0.15, 1, 80)
    wanted = permutation_test(
        (values, np.zeros(80)), lambda a, b, axis: np.sum(a - b, axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=20_000, rng=random,
    ).pvalue  # fmt: skip
    assert sign_flips([values], 80)[0] == pytest.approx(float(wanted), abs=0.015)


@pytest.mark.parametrize("kind", ["alike", "normal"])
def test_flips_of_many_problems_equal_those_of_few(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    columns = [
        random.choice([-0.01, 0.0, 0.01, 0.02], 3_000, p=(0.1, 0.78, 0.1, 0.02))
        if kind == "alike"
        else random.normal(shift, 1, 3_000)
        for shift in (0.0, 0.02, 0.04)
    ]
    one_by_one = sign_flips(columns, 3_000)
    monkeypatch.setattr(significance, "_TOGETHER", 10)
    assert sign_flips(columns, 3_000) == pytest.approx(one_by_one, abs=0.02)


def test_many_unequal_problems_have_normal_sums_but_far_out(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    values = random.lognormal(0, 0.5, 3_000) * random.choice([-1, 1], 3_000, p=(0.48, 0.52))
    drawn = sign_flips([values], 3_000)[0]
    monkeypatch.setattr(significance, "_TOGETHER", 10)
    assert sign_flips([values], 3_000)[0] == pytest.approx(drawn, abs=0.01)
    far = np.abs(values) * random.choice([-1, 1], 3_000, p=(0.4, 0.6))
    assert rare(far) < 1e-5
    assert sign_flips([far], 3_000)[0] == pytest.approx(3 * rare(far))


@pytest.mark.parametrize(("won", "lost"), [(30, 5), (200, 120), (60, 0), (1000, 800)])
def test_what_is_rare_equals_the_binomial(won: int, lost: int) -> None:
    wanted = binomtest(won, won + lost).pvalue
    assert rare(np.array([0.25] * won + [-0.25] * lost)) == pytest.approx(float(wanted), rel=0.02)


def test_what_is_rare_equals_all_flips() -> None:
    values = np.random.default_rng(7).gamma(2, 1, 18) * np.array([1] * 17 + [-1])
    signs = 1 - 2 * ((np.arange(1 << 18)[:, None] >> np.arange(18)) & 1)
    wanted = np.mean(np.abs(signs @ values) >= abs(values.sum()) - 1e-9)
    assert 1e-5 < wanted < 5e-3
    # Of so few problems it is somewhat too large, which is the safe side.
    assert wanted < rare(values) < 1.2 * wanted


def test_power_by_hand() -> None:
    # z.975 + z.8 = 1.959964 + 0.841621; 100 problems with an error of 2 points show 5.6 points.
    assert detectable(0.02) == pytest.approx(0.0560317)
    assert needed(100, 0.02, 0.028) == 401
    assert needed(100, 0.02, 0.0) is None
    assert needed(100, 0.02, 0.9) == 6
    # Of ten tests each has a level of half a percent: z.9975 = 2.807034; 2^-7 is above it, 2^-8 below.
    assert detectable(0.02, 10) == pytest.approx(0.0729731)
    assert (least(), least(10)) == (6, 9)


def relation(pairs: set[tuple[int, int]], count: int) -> list[list[bool]]:
    return [[(one, other) in pairs for other in range(count)] for one in range(count)]


def test_letters_and_ranks_by_hand() -> None:
    # A leads C and D, B leads D: A and B, B and C, C and D cannot be told apart.
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
