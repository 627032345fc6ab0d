"""Estimates from a sample and a cheap model, against other implementations and in simulations."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import t as student
from scripts.simulations.estimate import Simulated, macro_average, population, problems, simulate

from rmeval.metrics.stats.active import as_random, draw, inclusion, uncertainty
from rmeval.metrics.stats.prediction_powered import (
    FEWEST,
    Contributions,
    Powered,
    equivalent,
    powered,
    strata_of,
)


def contributions(
    cheap: list[float], expensive: list[float], sampled: list[int], size: list[float] | None = None
) -> Contributions:
    """Items with these credits; sizes add up to 1."""
    count = len(cheap)
    sizes = np.full(count, 1 / count) if size is None else np.array(size) / sum(size)
    inside = np.isin(np.arange(count), sampled)
    return Contributions(
        sizes,
        sizes * cheap,
        np.where(inside, sizes * expensive, 0),
        np.where(inside, sizes, 0),
        inside,
        np.zeros(count, np.int64),
        np.arange(count),
    )


CHEAP = [1.0, 0, 1, 0, 1, 1, 1, 0, 1, 1]
EXPENSIVE = [1.0, 0, 1, 1, 1, 0, 1, 0, 1, 1]


def test_by_hand() -> None:
    """Items 0 to 4 of 10 are sampled, credits y = 1 0 1 1 1 and f = 1 0 1 0 1; f has a mean of .7 over all.

    Sampled means: .8 and .6. Sums of squares about them: y .8, f 1.2; of products 3 - 5 * .8 * .6 = .6.
    Variances with the factor (1 - 1/2) / (5 * 4): y .02, f .03, both .015. One pseudo-item adds 1/4 / 5 * .5 / 5 to f:
    lambda = .015 / .035 = 3/7, and the estimate is .8 - 3/7 * (.6 - .7) = .842857.
    """
    found = powered(contributions(CHEAP, EXPENSIVE, [0, 1, 2, 3, 4]))
    assert found.alone.value == pytest.approx(0.8)
    assert found.slope == pytest.approx(3 / 7)
    assert found.combined.value == pytest.approx(0.8 + 0.3 / 7)
    assert found.correlation == pytest.approx(0.015 / np.sqrt(0.02 * 0.03))
    assert (found.cheap, found.cheap_on_sample) == pytest.approx((0.7, 0.6))
    # The variance of the sampled mean of f is (1/5 - 1/10) 2.1 / 9.
    assert found.surprise == pytest.approx(-0.1 / np.sqrt(0.21 / 9))
    # 1 - (1 - r²) (n - 1) / (n - 3), with r² = .375: no gain.
    assert found.saved == pytest.approx(1 - 0.625 * 4 / 2)


def test_the_interval_solves_wilsons_equation() -> None:
    """The ends are where (estimate - share)² is t² times the variance at that share."""
    found = powered(contributions(CHEAP, EXPENSIVE, [0, 1, 2, 3, 4]))
    unit, pseudo = 0.5 / 5, 0.25 / 5
    # Five items with the factor n / (n - 1) of the variance.
    alike = (unit * 5 / 4 * 0.16 + pseudo * unit) / (unit * (0.16 + pseudo))

    def distance(share: float) -> float:
        return float((0.8 - share) ** 2 - student.ppf(0.975, 4) ** 2 * unit * alike * share * (1 - share))

    assert found.alone.ci == pytest.approx((brentq(distance, 0.001, 0.8), brentq(distance, 0.8, 1 - 1e-9)), abs=1e-6)


def test_what_200_of_2000_items_are_worth_by_hand() -> None:
    """1 / (1/2000 + (1/200 - 1/2000) (1 - .49²)) = 1 / (.0005 + .0045 * .7599) = 255.1; at .22, 208.9 by the same."""
    assert equivalent(200, 2000, 0.49**2) == pytest.approx(255.1, abs=0.05)
    assert equivalent(200, 2000, 0.22**2) == pytest.approx(209.1, abs=0.05)
    assert equivalent(200, 2000, 0.0) == pytest.approx(200)
    assert equivalent(200, 2000, 1.0) == pytest.approx(2000)


def test_the_gain_grows_with_the_correlation() -> None:
    """200 of 2,000 items: about 3% of the variance at r = .22, about 21% at .49 (less what lambda costs)."""
    gains = {}
    for correlation in (0.22, 0.49):
        whole = population(2000, 0.5, 0.5, correlation)
        assert whole is not None
        found = [
            powered(sampled(whole, np.random.default_rng(k).permutation(2000)[:200]), population=True).saved
            for k in range(300)
        ]
        gains[correlation] = np.mean(found)
    assert gains[0.22] == pytest.approx(0.9 * 0.22**2, abs=0.012)
    assert gains[0.49] == pytest.approx(0.9 * 0.49**2, abs=0.02)


def sampled(whole: Contributions, places: np.ndarray) -> Contributions:
    inside = np.isin(np.arange(len(whole.size)), places)
    return replace(
        whole,
        expensive=np.where(inside, whole.expensive, 0),
        known=np.where(inside, whole.known, 0),
        sampled=inside,
    )


def test_all_samples_together_have_the_true_mean_and_variance() -> None:
    """All 252 samples of 5 of 10 items: the mean of the estimates is the truth, and their variance the stated one."""
    found = [powered(contributions(CHEAP, EXPENSIVE, list(own))) for own in combinations(range(10), 5)]
    assert np.mean([one.alone.value for one in found]) == pytest.approx(np.mean(EXPENSIVE))
    assert np.mean([one.surprise**2 for one in found]) == pytest.approx(1)


credit = st.sampled_from([0.0, 0.5, 1.0])


@st.composite
def samples(draw_: st.DrawFn) -> Contributions:
    count = draw_(st.integers(12, 40))
    cheap, expensive = (draw_(st.lists(credit, min_size=count, max_size=count)) for _ in range(2))
    size = draw_(st.lists(st.floats(0.5, 2), min_size=count, max_size=count))
    places = draw_(st.permutations(range(count)))[: count // 2]
    return contributions(cheap, expensive, places, size)


def numbers(found: Powered) -> np.ndarray:
    return np.array([found.combined.value, *found.combined.ci, found.alone.value, *found.alone.ci, found.slope])


@given(samples())
def test_the_order_of_items_does_not_matter(found: Contributions) -> None:
    order = np.random.default_rng(len(found.size)).permutation(len(found.size))
    columns = ("size", "cheap", "expensive", "known", "sampled", "stratum", "cluster")
    moved = replace(found, **{name: getattr(found, name)[order] for name in columns})
    for target in (False, True):
        assert numbers(powered(moved, target)) == pytest.approx(numbers(powered(found, target)), abs=1e-9)


@given(samples())
def test_right_and_wrong_are_mirror_images(found: Contributions) -> None:
    mirrored = replace(found, cheap=found.size - found.cheap, expensive=found.known - found.expensive)
    one, other = powered(found), powered(mirrored)
    assert one.combined.value == pytest.approx(1 - other.combined.value)
    assert one.combined.ci == pytest.approx((1 - other.combined.ci[1], 1 - other.combined.ci[0]))
    assert one.slope == pytest.approx(other.slope, abs=1e-9)


@given(samples())
def test_equal_probabilities_are_a_simple_random_sample(found: Contributions) -> None:
    share = found.sampled.sum() / len(found.size)
    stated = replace(found, probability=np.full(len(found.size), share))
    assert numbers(powered(stated)) == pytest.approx(numbers(powered(found)), abs=1e-9)


@given(samples())
def test_an_opposite_cheap_model_is_as_good(found: Contributions) -> None:
    opposite = powered(replace(found, cheap=found.size - found.cheap))
    one = powered(found)
    assert opposite.combined.value == pytest.approx(one.combined.value)
    assert opposite.combined.ci == pytest.approx(one.combined.ci)
    assert opposite.slope == pytest.approx(-one.slope, abs=1e-9)


def test_a_cheap_model_that_does_not_vary_changes_nothing() -> None:
    found = powered(contributions([1.0] * 10, EXPENSIVE, [0, 1, 2, 3, 4]))
    assert (found.slope, found.combined) == (0, found.alone)
    assert np.isnan(found.correlation)


def test_a_sample_without_errors_has_an_interval() -> None:
    found = powered(contributions([1.0] * 40, [1.0] * 40, list(range(20))))
    # Wilson's lower end, for 20 of 40 items without replacement: 40 independent ones, with Student's t.
    t = student.ppf(0.975, 19)
    assert found.alone.ci == pytest.approx((40 / (40 + t**2), 1.0))


def test_models_that_agree_on_the_sample_may_differ_elsewhere() -> None:
    found = powered(contributions(CHEAP * 4, CHEAP * 4, list(range(20))))
    assert found.combined.ci[1] - found.combined.ci[0] > 0.05


def test_the_population_is_less_certain_than_the_benchmark() -> None:
    own = contributions(CHEAP * 4, EXPENSIVE * 4, list(range(20)))
    whole, all_problems = powered(own), powered(own, population=True)
    assert all_problems.combined.value == whole.combined.value
    assert all_problems.saved < whole.saved
    for one, other in ((all_problems.combined, whole.combined), (all_problems.alone, whole.alone)):
        assert one.ci[0] < other.ci[0]
        assert one.ci[1] > other.ci[1]


def test_copies_of_problems_add_nothing_for_the_population() -> None:
    """Every problem five times, all sampled but one item: as uncertain as each problem once."""
    once = contributions(CHEAP * 4, EXPENSIVE * 4, list(range(39)))
    five = contributions(CHEAP * 20, EXPENSIVE * 20, list(range(199)))
    five = replace(five, cluster=np.arange(200) % 40)
    one, other = (powered(own, population=True).alone.ci for own in (once, five))
    assert other[1] - other[0] == pytest.approx(one[1] - one[0], rel=0.1)


def test_a_gap_may_be_negative() -> None:
    own = contributions(CHEAP * 4, [-value for value in EXPENSIVE] * 4, list(range(20)))
    found = powered(own, proportion=False)
    assert found.combined.ci[0] < found.combined.value < 0
    assert found.slope < 0


def test_small_parts_are_merged() -> None:
    part = np.repeat([0, 1, 2, 3], [30, 30, 30, 30])
    drawn = np.zeros(120, bool)
    drawn[:20] = drawn[30:33] = drawn[60:64] = drawn[90:105] = True
    found = strata_of(part, drawn)
    # Parts 1 and 2 have 7 sampled items, so the next larger part joins them.
    assert [found[k] for k in (0, 30, 60, 90)] == [0, 1, 1, 1]
    assert strata_of(part, np.ones(120, bool)).tolist() == part.tolist()
    assert set(strata_of(part, np.arange(120) < FEWEST).tolist()) == {0}


def test_uncertainty_falls_with_the_margin() -> None:
    found = uncertainty(np.array([0.1, -3.0, 0.1, 2.0, np.nan]))
    # Shares of comparisons with a margin at least as large, in the middle of equal ones: .6, .1, .6, .3, .9.
    assert found**2 == pytest.approx([0.6, 0.1, 0.6, 0.3, 0.9])


@given(st.lists(st.floats(0, 100), min_size=5, max_size=60), st.data())
def test_probabilities_add_up_and_stay_above_half(need: list[float], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(need) - 1))
    found = inclusion(np.array(need), count)
    assert found.sum() == pytest.approx(count)
    assert found.max() <= 1
    assert found.min() >= 0.5 * count / len(need) * (1 - 1e-9)
    order = np.random.default_rng(count).permutation(len(need))
    drawn = draw(found, order, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == count
    assert set(np.flatnonzero(found == 1)) <= set(drawn.tolist())


def test_what_chosen_items_are_worth_by_hand() -> None:
    """Weights 1 and 3, probabilities 1/4 and 3/4: (3 * 1 + 1/3 * 9) / 10 = .6, and 2 / 1.6 = 1.25 instead of 1."""
    assert as_random(np.array([1.0, 3.0]), np.array([0.25, 0.75])) == pytest.approx(1.25)
    assert as_random(np.array([1.0, 3.0]), np.array([0.5, 0.5])) == pytest.approx(1.0)


def test_items_are_drawn_with_their_probabilities() -> None:
    wanted = inclusion(np.array([0.0, 1, 2, 3, 4, 50]), 3)
    random = np.random.default_rng(0)
    times = np.zeros(6)
    for _ in range(4000):
        times[draw(wanted, random.permutation(6), random)] += 1
    assert times / 4000 == pytest.approx(wanted, abs=0.03)


def covered(found: Simulated) -> bool:
    """Whether both coverages are at least 93%, up to three simulation errors."""
    return min(found.coverage) > 0.93 - 3 * math.sqrt(0.93 * 0.07 / found.replications)


@pytest.mark.parametrize(
    ("truth", "correlation", "size"), [(0.5, 0.0, 30), (0.9, 0.6, 30), (0.95, 0.3, 100), (0.7, 0.9, 200)]
)
def test_intervals_cover_the_truth(truth: float, correlation: float, size: int) -> None:
    whole = population(2000, truth, truth if correlation > 0.5 else 0.7, correlation)
    assert whole is not None
    found = simulate(whole, size, 600, np.random.default_rng(1))
    assert covered(found), found
    if correlation > 0.5:
        assert found.width[0] < found.width[1]
        assert found.error[0] < found.error[1]


@pytest.mark.parametrize("chosen", [False, True])
def test_intervals_of_unequal_weights_cover_the_truth(chosen: bool) -> None:
    """Six parts of unequal sizes and weights, as in a macro average, at random and drawn by weight."""
    whole, need = macro_average((20, 40, 60, 200, 300, 400), 1.2, 0.5, np.random.default_rng(2))
    found = simulate(whole, 100, 500, np.random.default_rng(3), inclusion(need, 100) if chosen else None)
    assert covered(found), found


def test_intervals_of_the_population_cover_the_truth() -> None:
    """Six items to a problem, which are right or wrong together; the truth is that of all such problems."""
    random = np.random.default_rng(4)
    inside = []
    for _ in range(300):
        whole = problems(600, 6, 1.28, random)
        found = powered(sampled(whole, random.permutation(600)[:200]), population=True)
        inside.append([own.ci[0] <= ndtr(1.28) <= own.ci[1] for own in (found.combined, found.alone)])
    assert min(np.mean(inside, axis=0)) > 0.93 - 3 * math.sqrt(0.93 * 0.07 / 300)


def test_a_cheap_model_with_equal_credits_says_nothing() -> None:
    # Its contributions differ by rounding only, in which there is neither a correlation nor a surprise.
    random = np.random.default_rng(5)
    size = random.integers(1, 10, 60) / 9
    sampled = random.permutation(60) < 20
    expensive = np.where(sampled, size * random.uniform(0, 1, 60), 0)
    numbers = np.arange(60)
    known = np.where(sampled, size, 0)
    found = powered(Contributions(size, size * 0.7, expensive, known, sampled, numbers * 0, numbers))
    assert (np.isnan(found.correlation), found.slope, found.surprise) == (True, 0.0, 0.0)
