"""The sign-flip test against enumeration, the binomial test and scipy; what it does not depend on."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test

from rmeval.metrics.stats.flips import sign_flips
from rmeval.types import FloatArray

SIZES = (129, 529, 228, 284, 157)


def enumerated(values: FloatArray) -> float:
    """The share of all flips whose sum is at least as far from 0, with a tolerance for rounding."""
    if not len(values):
        return 1.0
    sums = np.array(list(product((1, -1), repeat=len(values)))) @ values
    return float(np.mean(np.abs(sums) >= abs(values.sum()) - 1e-9 * np.abs(values).max()))


def in_halves(values: FloatArray) -> float:
    """The same for more values: the sums of both halves, those of the second one sorted."""
    one, other = (np.array(list(product((1, -1), repeat=len(own)))) @ own for own in np.array_split(values, 2))
    least = abs(values.sum()) - 1e-9
    return 2 * float((len(other) - np.searchsorted(np.sort(other), least - one)).sum()) / 2.0 ** len(values)


def benchmark(random: np.random.Generator, lift: float = 0.0, cells: int = 9) -> FloatArray:
    """Contributions of the problems of five domains to an average of domains, of which each weighs the same."""
    found = []
    for size in SIZES:
        chance = random.beta(3, 2, size)[:, None]
        won = [(random.random((size, cells)) < chance + own).sum(axis=1) for own in (lift, 0.0)]
        found.append((won[0] - won[1]) / (size * cells * len(SIZES)))
    return np.concatenate(found)


def test_by_hand() -> None:
    # Sums of flips of 3, 1, 2 and -0.5: |sum| >= 5.5 for +++- and +++ with +, and their mirror images: 4 of 16.
    assert sign_flips([np.array([0.3, 0.1, 0.2, -0.05, 0.0])])[0] == pytest.approx(4 / 16)
    assert sign_flips([np.array([1.0, 1.0, 1.0])])[0] == pytest.approx(0.25)
    assert sign_flips([np.zeros(7), np.empty(0), np.array([1.0, -1.0])]).tolist() == [1.0, 1.0, 1.0]
    close = np.random.default_rng(0).normal(0, 1, 100)
    close[0] += 1e-4 - close.sum()
    assert sign_flips([close, 1e-200 * close, 1e200 * close]).tolist() == [1.0, 1.0, 1.0]


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.lists(st.integers(-9, 9).map(lambda k: k / 9 / 129), max_size=14),
        st.lists(st.sampled_from([1 / 3, -1 / 3, 0.5, -0.5, 1.0, -1.0]), max_size=14),
        st.lists(st.sampled_from([1 / 129, -1 / 129, 1 / 529, -1 / 529, 1 / 228, -1 / 228]), max_size=14),
        st.lists(st.floats(-1, 1).map(lambda value: round(value, 6)), max_size=14),
    )
)
def test_all_flips_of_up_to_14_problems(values: list[float]) -> None:
    assert sign_flips([np.array(values)])[0] == pytest.approx(enumerated(np.array(values)), rel=1e-9)


@pytest.mark.parametrize(("won", "lost"), [(30, 5), (33, 30), (200, 120), (60, 0), (1000, 800), (90_000, 88_000)])
def test_equal_sizes_are_the_binomial_test(won: int, lost: int) -> None:
    values = np.array([0.25] * won + [-0.25] * lost)
    assert sign_flips([values])[0] == pytest.approx(float(binomtest(won, won + lost).pvalue), rel=1e-5)


def test_sizes_without_a_common_unit() -> None:
    """P-values are at most 1% above those over all flips, and not below them."""
    random = np.random.default_rng(1)
    for _ in range(8):
        values = random.normal(0.4, 1, 22)
        exact = in_halves(values)
        assert exact > 1e-3
        assert exact * (1 - 1e-3) <= sign_flips([values])[0] <= exact * 1.01


@pytest.mark.parametrize("kind", ["one domain", "five domains", "many sizes", "unequal"])
def test_flips_equal_scipys(kind: str) -> None:
    random = np.random.default_rng(0)
    values = {
        "one domain": benchmark(random, 0.02)[:129],
        "five domains": benchmark(random, 0.01)[::4],
        "many sizes": random.normal(0.15, 1, 150),
        "unequal": random.lognormal(0, 2, 200) * random.choice([-1, 1], 200),
    }[kind]
    drawn = permutation_test(
        (values, np.zeros(len(values))), lambda a, b, axis: np.sum(a - b, axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=40_000, batch=4_000, rng=random,
    ).pvalue  # fmt: skip
    # Three standard deviations of a share of 40,000 draws are at most .0075.
    assert sign_flips([values])[0] == pytest.approx(float(drawn), abs=0.0075)


@pytest.mark.parametrize("deviations", [5.2, 7.5])
@pytest.mark.parametrize("kind", ["five domains", "many sizes"])
def test_small_p_values_equal_draws_with_other_chances(deviations: float, kind: str) -> None:
    """By importance sampling: signs tend to that of the observed sum, and draws are weighted."""
    random = np.random.default_rng(2)
    drawn = benchmark(random, cells=3) if kind == "five domains" else random.lognormal(0, 0.7, 300)
    size = random.permutation(np.abs(drawn[drawn != 0]))
    error = np.sqrt(np.square(size).sum())
    observed = np.where(np.cumsum(size) < (size.sum() + deviations * error) / 2, size, -size)
    point = deviations / error
    positive = random.random((20_000, len(size))) < 1 / (1 + np.exp(-2 * point * size))
    sums = np.where(positive, size, -size).sum(axis=1)
    weights = np.exp(np.log(np.cosh(point * size)).sum() - point * sums)
    wanted = 2 * float(np.mean(weights * (sums >= observed.sum() - 1e-12)))
    assert 1e-17 < wanted < 1e-6
    assert (wanted < 1e-10) == (deviations > 6)
    assert sign_flips([observed])[0] == pytest.approx(wanted, rel=0.08)


@pytest.mark.parametrize(("won", "lost"), [(60, 2), (300, 50), (5_000, 4_000)])
def test_extreme_p_values_are_within_three_percent_of_the_binomial(won: int, lost: int) -> None:
    wanted = float(binomtest(won, won + lost).pvalue)
    assert wanted < 1e-10
    assert sign_flips([np.array([2.0] * won + [-2.0] * lost)])[0] == pytest.approx(wanted, rel=0.03)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["one unit", "five units", "any"]), st.integers(1, 300))
def test_neither_order_nor_rounding_nor_sign_matters(seed: int, kind: str, count: int) -> None:
    """P-values are equal to the last bit, whatever the order of problems, of comparisons and of the two models."""
    random = np.random.default_rng(seed)
    scale = np.array(
        {"one unit": [1 / 129], "five units": [1 / n for n in SIZES], "any": random.lognormal(0, 1, 50).tolist()}[kind]
    )
    parts = random.choice([-1.0, 0.0, 0.0, 1.0], (count, 9)) * random.choice(scale, (count, 1)) / 9
    other = parts[random.permutation(count)][:, random.permutation(9)]
    rows = np.repeat(np.arange(count), 9)
    values, shuffled = (np.bincount(rows, own.ravel()).astype(float) for own in (parts, other))
    assert sign_flips([values]).tobytes() == sign_flips([-shuffled]).tobytes()


def test_equal_models_differ_significantly_in_at_most_one_of_twenty_data_sets() -> None:
    random = np.random.default_rng(5)
    p = sign_flips(benchmark(random, cells=3)[:: random.integers(2, 9)] for _ in range(500))
    # Three standard deviations of a binomial with p = .05 and n = 500 are .029.
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.029)
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.067)
