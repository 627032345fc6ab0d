"""What a plan assumes of problems, by hand and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from rmeval.metrics.stats.intervals import wilson
from rmeval.metrics.stats.plan import Assumed, Observed, Population, Precision, pilot_range, simulated_power
from rmeval.metrics.stats.power import problems_needed


def test_assumed_contributions_by_hand() -> None:
    # Two comparisons, 20% discordant: each .1 win, .8 same, .1 loss. Sums: 2 with .01, 1 with .16, 0 with .66.
    made = Assumed(0.2, 1.0, 2).contributions()
    assert made.share == pytest.approx(0.34)
    assert made.size == pytest.approx([0.5, 1.0])
    assert made.chance == pytest.approx([0.32 / 0.34, 0.02 / 0.34])
    assert made.step == pytest.approx(0.5)
    # A design effect of 1.5 makes half of the problems alike: 1 with .5 * .01 + .5 * .1 on each side.
    made = Assumed(0.2, 1.5, 2).contributions()
    assert made.share * made.chance == pytest.approx([0.16, 0.11])


@given(st.floats(0.01, 1), st.integers(1, 12), st.floats(0, 1))
def test_the_design_effect_multiplies_the_variance(discordance: float, comparisons: int, alike: float) -> None:
    effect = 1 + (comparisons - 1) * alike
    made = Assumed(discordance, effect, comparisons)
    assert made.contributions().second_moment == pytest.approx(discordance * effect / comparisons)


@pytest.mark.parametrize(
    "drawn", [Assumed(0.3, 1.8, 4), Assumed(0.1), Observed(np.array([0.5, -0.25, 0, 0, 0.1, 1.0]))]
)
@pytest.mark.parametrize("difference", [0.02, 0.09, 0.25])
def test_draws_have_the_difference(drawn: Population, difference: float) -> None:
    values = drawn.draw(np.random.default_rng(1), 200_000, difference)
    assert values.mean() == pytest.approx(difference, abs=4 * values.std() / 200_000**0.5)
    assert np.square(values).mean() == pytest.approx(drawn.contributions(difference).second_moment, rel=0.03)


@pytest.mark.parametrize(
    ("drawn", "difference"),
    [(Assumed(0.2), 0.08), (Assumed(0.2, 1.7, 3), 0.07), (Assumed(0.3, 2.0, 4), 0.2), (Assumed(0.05), 0.12)],
)
@pytest.mark.parametrize("tests", [1, 10])
def test_the_planned_number_of_problems_detects_the_difference(drawn: Assumed, difference: float, tests: int) -> None:
    problems = problems_needed(drawn.contributions(difference), difference, 0.05 / tests)
    assert problems is not None
    power, error = simulated_power(drawn, problems, difference, 0.05 / tests)
    # Of 1,000 data sets; three standard errors.
    assert error == pytest.approx(math.sqrt(power * (1 - power) / 1_000))
    assert power == pytest.approx(0.8, abs=0.04)


def test_too_many_problems_are_not_simulated() -> None:
    assert np.isnan(simulated_power(Assumed(0.2), 60_000, 0.01, 0.05)).all()


@settings(max_examples=60)
@given(st.integers(20, 400), st.floats(0.2, 0.8))
def test_the_width_is_that_of_the_printed_interval(problems: int, share: float) -> None:
    wins = round(share * problems)
    credit = np.array([1.0] * wins + [0.0] * (problems - wins))
    interval, _ = wilson(credit, np.arange(problems))
    found = Precision(wins / problems, 1.0).width(problems)
    assert interval is not None
    assert found == pytest.approx(interval[1] - interval[0])
    by_scipy = binomtest(wins, problems).proportion_ci(method="wilson")
    assert found == pytest.approx(by_scipy.high - by_scipy.low)


@settings(max_examples=60)
@given(st.floats(0, 1), st.floats(0.2, 9), st.floats(0.002, 0.6))
def test_the_number_of_problems_for_a_width_is_the_smallest(accuracy: float, information: float, width: float) -> None:
    made = Precision(accuracy, information)
    problems = made.problems(width)
    assert made.width(problems) <= width * (1 + 1e-9)
    assert problems == 1 or made.width(problems - 1) > width * (1 - 1e-9)


def test_a_width_by_hand() -> None:
    # The normal interval of 50% is 1.96 / sqrt(n) wide; Wilson's has z² more values: 3 points need 4,268 - 4.
    assert Precision(0.5, 1.0).problems(0.03) == pytest.approx(4_268 - 4, abs=1)
    assert Precision(0.5, 2.0).problems(0.03) == pytest.approx(2_132, abs=1)


@pytest.mark.parametrize("problems", [40, 120])
def test_the_range_of_a_pilot_holds_the_truth(problems: int) -> None:
    random = np.random.default_rng(problems)
    truth = Assumed(0.3, 1.6, 3)
    hits = []
    for _ in range(200):
        ends = [float(np.square(own).mean()) for own in pilot_range(truth.draw(random, problems, 0.0))]
        hits.append(ends[0] <= truth.contributions().second_moment <= ends[1])
    # Percentiles of a resampled variance are narrower than 95% in small samples.
    assert 0.86 < np.mean(hits) < 0.98


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=3, max_size=30))
def test_the_range_does_not_depend_on_the_order(values: list[float]) -> None:
    one = pilot_range(np.array(values))
    other = pilot_range(np.random.default_rng(0).permutation(-np.array(values)))
    assert [own.tolist() for own in one] == [own.tolist() for own in other]
