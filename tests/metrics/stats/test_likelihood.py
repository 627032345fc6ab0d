"""Intervals by constrained likelihood: closed forms, brute force, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, brentq, minimize
from scipy.stats import norm
from scripts.simulations import coverage

from rmeval.metrics.stats.likelihood import Sample, limits, p_values
from rmeval.metrics.stats.samples import Strata, sample
from rmeval.types import FloatArray, IntArray


def single(values: FloatArray, difference: bool = False, cluster: IntArray | None = None) -> Sample:
    part, cluster = np.zeros(len(values), np.int32), np.arange(len(values)) if cluster is None else cluster
    return sample(values, part, cluster, np.ones(1), Strata.of(part, cluster, 1), difference)


def test_difference_is_tangos() -> None:
    """Of 400 decisions, 60 only the first model wins and 30 only the second: Tango's score interval."""
    n, b, c = 400, 60, 30

    def score(delta: float) -> float:
        # Tango 1998, eq. 4: the maximum likelihood of the smaller discordant share, given the difference.
        first, second = -b - c + (2 * n - b + c) * delta, -c * delta * (1 - delta)
        share = (np.sqrt(first**2 - 8 * n * second) - first) / (4 * n)
        return float((b - c - n * delta) / np.sqrt(n * (2 * share + delta * (1 - delta))))

    wanted = [brentq(lambda d, z=z: score(d) - z, -0.5, 0.5) for z in (norm.ppf(0.975), norm.ppf(0.025))]
    found = limits([single(np.array([1.0] * b + [-1.0] * c + [0.0] * (n - b - c)), difference=True)])[0]
    assert found == pytest.approx(wanted, abs=5e-4)


def test_two_strata_by_brute_force() -> None:
    """The most likely accuracies of two strata, given their mean, found by a general optimizer."""
    won, count, share = np.array([30, 12]), np.array([40, 20]), np.array([0.3, 0.7])
    values = np.concatenate([np.r_[np.ones(w), np.zeros(n - w)] for w, n in zip(won, count, strict=True)])
    part, cluster = np.repeat([0, 1], count), np.arange(60)
    low, high = limits([sample(values, part, cluster, share, Strata.of(part, cluster, 2))])[0]
    # Each stratum contains two further problems of the distribution over all strata, and 0.1 at the bounds.
    win = won + 2 * won.sum() / count.sum() + 0.05
    total = count + 2.1
    factor = 1 / (1 - count / total**2)
    value = float(share @ (won / count))
    for end in (low, high):

        def loss(chance: FloatArray) -> float:
            return -float((win * np.log(chance) + (total - win) * np.log(1 - chance)).sum())

        fixed = LinearConstraint(share[None], end, end)
        found = minimize(loss, np.full(2, end), bounds=[(1e-6, 1 - 1e-6)] * 2, constraints=fixed, tol=1e-12).x
        error = np.sqrt((share**2 * found * (1 - found) / count * factor).sum())
        assert abs(value - end) / error == pytest.approx(norm.ppf(0.975), abs=2e-3)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=6, max_size=40), st.randoms())
@settings(max_examples=40, deadline=None)
def test_order_does_not_matter_and_models_may_be_swapped(values: list[float], random: object) -> None:
    first = limits([single(np.array(values), difference=True)])[0]
    random.shuffle(values)  # type: ignore[attr-defined]
    again, swapped = limits([single(np.array(values), True), single(-np.array(values), True)])
    assert again == pytest.approx(first, abs=1e-9)
    assert -swapped[::-1] == pytest.approx(first, abs=1e-9)


@pytest.mark.parametrize("largest", [1, 20])
@pytest.mark.parametrize("problems", [6, 50])
def test_p_values_belong_to_the_limits(problems: int, largest: int) -> None:
    """Also if the problems have unequal sizes, and if the normal quantile is the larger one."""
    random = np.random.default_rng(3)
    sizes = np.maximum(1, largest // np.arange(1, problems + 1))
    one = single(random.integers(-1, 2, sizes.sum()).astype(float), True, np.repeat(np.arange(problems), sizes))
    low, high = limits([one])[0]
    assert p_values([one], float(low)) == pytest.approx([0.025], abs=1e-6)
    assert p_values([one], float(high)) == pytest.approx([0.975], abs=1e-6)
    assert p_values([one], one.value) == pytest.approx([0.5], abs=1e-6)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=30))
def test_limits_contain_the_number_and_reach_bounds_exactly(values: list[float]) -> None:
    one = single(np.array(values))
    low, high = limits([one])[0].tolist()
    assert 0 <= low <= one.value <= high <= 1
    assert (low == 0) == (not any(values)) and (high == 1) == all(values)


def test_samples_one_by_one_are_the_same_as_together() -> None:
    random = np.random.default_rng(5)
    made = [single(random.integers(0, 2, n).astype(float)) for n in (7, 30, 12)]
    together = limits(made)
    for one, own in zip(made, together, strict=True):
        assert limits([one])[0] == pytest.approx(own, abs=1e-9)


UNEQUAL = coverage.two_unequal("20 problems of 3 to 60", coverage.zipf(20, 60), 0.9, 0.7)


def test_intervals_of_a_difference_on_unequal_problems_are_not_too_long() -> None:
    random = np.random.default_rng(0)
    data = [UNEQUAL.draw(random) for _ in range(300)]
    error = np.std([one.values.mean() for one in data])
    ((_, _, width),) = coverage.covered(UNEQUAL, 300).values()
    # With the degrees of freedom of an accuracy it is 10.3 standard errors; 3.9 would be that of a normal estimate.
    assert width / error < 7.5


@pytest.mark.parametrize(
    ("design", "most"),
    [
        (coverage.rm_bench([60], 0.6), 0.97),
        (coverage.rm_bench([60], 0.97), 0.98),
        (coverage.rm_bench([15, 15, 15, 15], 0.9), 0.98),
        (coverage.subsets(coverage.SMALL, tuple(np.linspace(28, 400, 23)), 0.9, 1.0), 0.99),
        (coverage.subsets((2,) * 5, coverage.CHAT, 0.9, 0.0), 0.99),
        (coverage.clusters("Zipf sizes", lambda _: coverage.zipf(20), 0.6, 0.5), 0.999),
        (coverage.two_models([20], 0.6, 0.4), 0.975),
        (coverage.two_accuracies((60,), 0.97, 0.9), 0.98),
        (UNEQUAL, 0.985),
    ],
    ids=lambda design: design.name if isinstance(design, coverage.Design) else "",
)
def test_intervals_cover_the_truth(design: coverage.Design, most: float) -> None:
    """The full simulation is `scripts.simulations.coverage`; some designs have too few decisions for 95% exactly."""
    for below, above, _ in coverage.covered(design, 300).values():
        # Three standard deviations of a binomial with p = .95 and n = 300 are .038.
        assert 0.95 - 0.038 <= 1 - below - above <= most + 0.03
