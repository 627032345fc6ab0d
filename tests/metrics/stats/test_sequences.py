"""Sequences that stay valid while one looks at them."""

from __future__ import annotations

import math
from itertools import pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from rmeval.metrics.stats.sequences import (
    difference_bounds,
    lead_p_values,
    look_after,
    looks,
    problems_needed,
    sum_bounds,
)


def test_looks_grow_by_a_tenth() -> None:
    assert looks(40) == [20, 22, 25, 28, 31, 35, 39, 40]
    assert looks(20) == [20]
    assert looks(7) == [7]
    many = looks(1_000_000)
    assert len(many) < 80
    assert all(later <= math.ceil((1.1 if one < 1000 else 1.25) * one) for one, later in pairwise(many))


def test_looks_at_an_interval_go_nearly_straight_to_the_estimate() -> None:
    assert look_after(0, 0, 1000) == 20
    assert look_after(0, 0, 7) == 7
    assert look_after(20, 500, 1000) == 450
    assert look_after(450, 520, 1000) == 468
    assert look_after(468, 520, 1000) == 520
    assert look_after(520, 521, 1000) == 536
    assert look_after(990, 995, 1000) == 1000


def test_the_number_of_problems_is_near_the_estimate() -> None:
    random = np.random.default_rng(4)
    weights = random.integers(1, 4, 2000) / 4000
    credit = (random.random(2000) < 0.8).astype(float)
    needed = problems_needed(credit[:200], weights, 0.06)
    low, high = sum_bounds(credit[:needed], weights, 0.06)
    assert 400 < needed < 1600
    assert 0.045 < high - low < 0.075
    # Without unequal weights, 2 z sqrt(p (1 - p)) sqrt(1 / n - 1 / N) is the width, with 2.72 for z.
    even = problems_needed((np.arange(1000) % 5 < 4).astype(float), np.full(5000, 1 / 5000), 0.06)
    assert even == pytest.approx(1 / (1 / 5000 + (0.06 / (2 * 2.716 * 0.4)) ** 2), rel=0.01)


def capitals(credit: list[float], weights: list[float], width: float, total: float) -> tuple[float, float]:
    """The largest capitals that bet on a sum above and below a total, step by step as the docstring describes them."""
    members, mean, h = len(weights), sum(weights) / len(weights), width / 2
    largest = []
    for side in (1, -1):
        capital = best = 1.0
        variances = [(members * mean / 2) ** 2]
        for i, (c, w) in enumerate(zip(credit, weights, strict=False)):
            seen = sum(weights[:i])
            known = sum(own * one for own, one in zip(weights[:i], credit[:i], strict=True))
            left, count = sum(weights[i:]), members - i
            guess = (known + mean / 2) / (seen + mean)
            variance = (count / members) ** 2 * sum(variances) / len(variances)
            # What the draw would be for the worst possible credit of the heaviest member that is left.
            worst = count * max(weights[i:]) * (0 - guess if side > 0 else 1 - guess)
            deviation = total - known - guess * left
            stake = min(h / (variance + h * h), 0.95 / max(-side * (worst - deviation), 1e-300))
            capital *= 1 + side * stake * (count * w * (c - guess) - deviation)
            assert capital >= 0
            best = max(best, capital)
            variances.append((members * w * (c - guess)) ** 2)
        largest.append(best)
    return largest[0], largest[1]


@pytest.mark.parametrize("level", [0.05, 0.5])
def test_bounds_contain_the_sums_that_no_capital_excludes(level: float) -> None:
    random = np.random.default_rng(2)
    weights = random.integers(1, 7, 60) / 100
    credit = (random.random(45) < 0.8).astype(float)
    low, high = sum_bounds(credit, weights, 0.3, level)
    known = float(weights[:45] @ credit)
    inside = 0
    for total in np.linspace(known, known + weights[45:].sum(), 40).tolist():
        excluded = max(capitals(credit.tolist(), weights.tolist(), 0.3, total)) > 2 / level
        assert excluded == (not low <= total <= high)
        inside += not excluded
    assert 1 < inside < 40


def test_all_orders_of_a_small_population_keep_the_level() -> None:
    # The true sum, over every order and at every look: nothing is simulated.
    credit, weights = np.array([0.0, 1, 1, 0.5, 0, 1]), np.array([1.0, 1, 2, 1, 3, 1])
    missed = dict.fromkeys((0.3, 0.6), 0)
    orders = list(permutations(range(6)))[::3]
    for level in missed:
        for order in map(list, orders):
            found = [sum_bounds(credit[order][:n], weights[order], 3.0, level) for n in range(1, 7)]
            missed[level] += not all(low - 1e-9 <= weights @ credit <= high + 1e-9 for low, high in found)
    assert missed[0.3] <= 0.3 * len(orders)
    assert 0 < missed[0.6] <= 0.6 * len(orders)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0.1, 1)), min_size=4, max_size=40),
    st.floats(0.01, 0.5),
    st.integers(1, 40),
    st.floats(0.1, 9),
)
def test_bounds_shrink_and_do_not_depend_on_the_unit(
    members: list[tuple[float, float]], width: float, drawn: int, unit: float
) -> None:
    credit, weights = map(np.array, zip(*members, strict=True))
    weights /= weights.sum()
    drawn = min(drawn, len(members) - 1)
    low, high = sum_bounds(credit[:drawn], weights, width)
    assert 0 <= low <= high <= 1 + 1e-12
    later = sum_bounds(credit[: drawn + 1], weights, width)
    assert later[0] >= low - 1e-6
    assert later[1] <= high + 1e-6
    assert sum_bounds(credit[:drawn], unit * weights, unit * width) == pytest.approx(
        (unit * low, unit * high), abs=1e-5
    )
    mirrored = sum_bounds(1 - credit[:drawn], weights, width)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-6)
    assert sum_bounds(credit, weights, width) == (weights @ credit, weights @ credit)


def test_unequal_weights_of_equal_credits_are_no_noise() -> None:
    weights = np.random.default_rng(0).integers(1, 9, 400) / 2000
    low, high = sum_bounds(np.full(150, 0.8), weights, 0.05)
    # The noise of n w c, whose standard deviation is about .4, would give 2 * 2.7 * .4 * sqrt(1/150 - 1/400) = .14.
    assert high - low < 0.04


def test_p_values_by_hand() -> None:
    # Ten problems, all won by the first model: shares .95 / sqrt(2)^k down to 2 / sqrt(10) = .63, of which there are 3.
    shares = [0.95, 0.95 / math.sqrt(2), 0.475]
    first, second = lead_p_values(np.ones(10), 1.0, 10, np.array([4, 10]))
    for k, n in enumerate((4, 10)):
        assert first[k] == pytest.approx(min(1, 2 / (sum((1 + one) ** n for one in shares) / 3)))
    assert second.tolist() == [1, 1]


def test_all_signs_of_differences_keep_the_level() -> None:
    # Two models that are equally good on every problem: all 2^12 outcomes, at every look.
    size = np.array([1.0, 0.2, 1, 0.5, 1, 0.8, 1, 1, 0.3, 1, 1, 0.6])
    smallest = [
        float(np.minimum(*lead_p_values(size * signs, 1.0, 12, np.arange(1, 13))).min())
        for signs in product((-1, 1), repeat=12)
        if signs[0] == 1  # The others are their mirror images.
    ]
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(smallest) <= level) <= level
    assert min(smallest) < 0.05


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=30), st.randoms(), st.floats(0.02, 0.6))
def test_interval_and_p_value_agree_and_the_order_before_a_look_has_no_effect(
    values: list[float], random: object, level: float
) -> None:
    difference, ends = np.array(values), np.array([len(values)])
    first, second = lead_p_values(difference, 1.0, 100, ends)
    low, high = difference_bounds(difference, 1.0, 100, ends, level)
    assert -1 <= low <= high <= 1
    for p, outside in ((first[0], low > 0), (second[0], high < 0)):
        if abs(p - level) > 1e-4:
            assert (p < level) == outside
    mirrored = lead_p_values(-difference, 1.0, 100, ends)
    assert (mirrored[0][0], mirrored[1][0]) == (second[0], first[0])
    assert lead_p_values(np.sort(difference), 1.0, 100, ends)[0] == pytest.approx(first)
    assert lead_p_values(3 * difference, 3.0, 900, ends)[0] == pytest.approx(first)


def test_looking_often_gives_false_leads_with_ordinary_tests_but_not_with_the_sequence() -> None:
    random = np.random.default_rng(7)
    problems, replications = 600, 400
    ends = np.array(looks(problems))
    every = np.arange(50, problems + 1, 50)
    false = {"ordinary": 0, "sequence": 0}
    for _ in range(replications):
        difference = random.choice([-1.0, 0.0, 1.0], problems, p=[0.15, 0.7, 0.15])
        total, squares = np.cumsum(difference), np.cumsum(difference**2)
        p = 2 * ndtr(-np.abs(total[every - 1]) / np.sqrt(np.maximum(squares[every - 1], 1)))
        false["ordinary"] += bool((p < 0.05).any())
        false["sequence"] += bool((np.minimum(*lead_p_values(difference, 1.0, problems, ends)) < 0.05).any())
    assert false["ordinary"] > 0.12 * replications
    assert 0 < false["sequence"] <= 0.05 * replications


def test_bounds_cover_when_a_run_stops_as_soon_as_they_are_narrow() -> None:
    random = np.random.default_rng(3)
    sizes = np.concatenate([np.full(100, 2.0), np.full(300, 0.7), random.integers(1, 7, 100)])
    covered = stopped = 0
    for _ in range(60):
        credit = random.binomial(9, random.beta(3, 1, 500)) / 9
        order = random.permutation(500)
        weights = sizes[order] / sizes.sum()
        for n in looks(500):
            low, high = sum_bounds(credit[order][:n], weights, 0.05)
            if high - low <= 0.05:
                break
        covered += low <= weights @ credit[order] <= high
        stopped += n
    assert covered >= 55  # 95% of 60, less twice the simulation error
    assert stopped < 0.8 * 60 * 500
