"""Power of the sign-flip test against exact values, hand-worked values, published ones and simulations."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from rmeval.metrics.stats.flips import sign_flips
from rmeval.metrics.stats.power import POWER, ContributionSizes, detectable, power_of, problems_needed
from rmeval.types import FloatArray


def single(discordance: float) -> ContributionSizes:
    """One comparison in each problem."""
    return ContributionSizes(discordance, np.ones(1), np.ones(1), 1.0)


def exact_power(problems: int, discordance: float, difference: float, level: float) -> float:
    """The power of the binomial test, summed over all numbers of discordant comparisons and of wins among them."""
    wins = (1 + difference / discordance) / 2
    total = 0.0
    for count in range(problems + 1):
        fewer = np.arange(count + 1)
        significant = (2 * binom.cdf(fewer, count, 0.5) < level) & (fewer < count / 2)
        total += binom.pmf(count, problems, discordance) * binom.pmf(fewer, count, 1 - wins)[significant].sum()
    return total


@pytest.mark.parametrize("tests", [1, 6, 45])
@pytest.mark.parametrize("problems", [15, 30, 60, 150])
def test_a_detectable_difference_is_detected_in_80_of_100_by_the_exact_test(problems: int, tests: int) -> None:
    for discordance in (0.1, 0.3, 0.6):
        found = detectable(single(discordance), problems, 0.05 / tests)
        exact = exact_power(problems, max(discordance, found), found, 0.05 / tests)
        assert 0.79 < exact < 0.83


def test_power_by_hand() -> None:
    # Six problems that all differ are significant only if all favour one model: p = 2/64. 80% is .8^(1/6) = .963492
    # each, a difference of 2 * .963492 - 1 = .926984. The approximation is not exact for so few.
    assert detectable(single(1.0), 6) == pytest.approx(0.926984, abs=0.012)
    # With few discordant problems, enough of 20 must differ, all in favour of one model: .2 + P(at least 6 of 20) = 1.
    share = detectable(single(0.05), 20)
    assert binom.sf(5, 20, share) == pytest.approx(0.8, abs=1e-6)
    # Five problems are too few for any difference, and models that never differ show none.
    assert math.isnan(detectable(single(0.5), 5))
    assert math.isnan(detectable(ContributionSizes.of(np.zeros(9)), 9))
    assert problems_needed(ContributionSizes.of(np.zeros(9)), 0.1) is None
    # A difference as large as a contribution is significant with the least number of problems: 2^-5 is below 5%.
    assert (problems_needed(single(0.5), 1.0), power_of(single(0.5), 5, 1.0)) == (6, 0.0)
    assert problems_needed(ContributionSizes.of(np.array([0.25, 0.0])), 0.4) == 6


def test_the_worked_example_of_miller() -> None:
    """Differences with a variance of 1/9: 3 points need 969 questions (Miller 2024, arXiv:2411.00640, section 5).

    That formula is for a normal distribution, whose test has no steps and whose variance does not depend on the
    difference: 7.849 / (9 * .0009). Many small contributions come close to it; the binomial test needs a little more.
    """
    normal = np.random.default_rng(0).normal(0, 1, 20_000)
    made = ContributionSizes.of(normal * math.sqrt((1 / 9 + 0.03**2) / np.square(normal).mean()))
    assert problems_needed(made, 0.03) == pytest.approx(969, rel=0.02)
    assert problems_needed(single(1 / 9 + 0.03**2), 0.03) == pytest.approx(969 * 1.05, rel=0.03)


def test_with_many_problems_power_is_normal() -> None:
    # (z.975 + z.8)^2 (d - x^2) / n = x^2, with d = .2 and n = 100,000: x = .003962.
    assert detectable(single(0.2), 100_000) == pytest.approx(0.003962, rel=0.003)
    assert problems_needed(single(0.2), 0.003962) == pytest.approx(100_000, rel=0.006)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.75, 1.0]), min_size=8, max_size=60).filter(
        lambda values: len(set(map(abs, values)) - {0.0}) > 0
    ),
    st.sampled_from([1, 6, 45]),
)
def test_order_signs_and_scale_change_nothing(values: list[float], tests: int) -> None:
    level, problems = 0.05 / tests, len(values)
    shuffled = np.random.default_rng(0).permutation(np.array(values)) * np.resize([1, -1, -1], problems)
    one, other = (ContributionSizes.of(np.array(own)) for own in (values, shuffled))
    found = detectable(one, problems, level)
    assert np.array_equal(found, detectable(other, problems, level), equal_nan=True)
    assert detectable(ContributionSizes.of(3 * np.array(values)), problems, level) == pytest.approx(
        3 * found, rel=1e-4, nan_ok=True
    )
    if not math.isnan(found):
        again = power_of(one, problems, found, level)
        assert again == pytest.approx(POWER, abs=0.04) or found <= one.share * one.mean_size + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.05, 3), min_size=2, max_size=8, unique=True), st.floats(0.3, 1))
def test_power_grows_with_the_difference_and_the_problems(sizes: list[float], share: float) -> None:
    made = ContributionSizes.spread(np.sort(sizes), np.full(len(sizes), share / len(sizes)))
    some = [power_of(made, 80, scale * made.share * made.mean_size) for scale in (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)]
    assert all(one <= other + 1e-6 for one, other in pairwise(some))
    more = [power_of(made, problems, 0.2 * made.mean_size * share) for problems in (60, 120, 240, 600, 2_000)]
    assert all(one < other + 0.02 for one, other in pairwise(more))
    assert min(some) >= 0 and max(some) <= 1


def wordings(random: np.random.Generator, problems: int, lift: float) -> FloatArray:
    """Two models on problems of four wordings each, whose difficulty both share; the first has a lift in log-odds."""
    level, taste = random.normal(0.7, 1.2, problems), random.normal(0, 0.5, (2, problems))
    wins = [random.binomial(4, 1 / (1 + np.exp(-level - taste[k] - sign * lift / 2))) for k, sign in enumerate((1, -1))]
    found: FloatArray = (wins[0] - wins[1]) / 4
    return found


@pytest.mark.parametrize("tests", [1, 6, 45])
@pytest.mark.parametrize("problems", [15, 30, 60, 150])
def test_fractional_contributions_are_detected_in_80_of_100(problems: int, tests: int) -> None:
    """In a population whose true difference is the one that its contributions make detectable."""
    level, low, high = 0.05 / tests, 0.05, 6.0
    for _ in range(9):
        middle = (low + high) / 2
        values = wordings(np.random.default_rng(0), 40_000, middle)
        reached = values.mean() >= detectable(ContributionSizes.of(values), problems, level)
        low, high = (low, middle) if reached else (middle, high)
    random = np.random.default_rng(problems + tests)
    data = [wordings(random, problems, high) for _ in range(600)]
    found = np.mean((sign_flips(data) < level) & (np.sum(data, axis=1) > 0))
    # Three standard deviations of a binomial with p = .8 and n = 600 are .049.
    assert found == pytest.approx(0.8, abs=0.049)


def test_comparisons_that_cancel_leave_no_discordant_problem() -> None:
    """Longest and shortest on RM-Bench: a won Easy cell for each lost Hard cell, up to rounding."""
    made = ContributionSizes.of(np.array([1.7e-18, -5.5e-17, 0.0] * 10))
    assert made.share == 0
    assert math.isnan(detectable(made, 30))
    assert ContributionSizes.of(np.array([1e-3, 0.0] * 15)).share == 0.5
