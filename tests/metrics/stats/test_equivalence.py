"""Tests of equivalence and non-inferiority: by hand, what they do not depend on, and their error rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import norm
from scripts.simulations import comparisons

from rmeval.metrics.stats.equivalence import Equivalence, equivalences, one_sided
from rmeval.metrics.stats.likelihood import Sample, limits
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.metrics.stats.samples import Strata, sample
from rmeval.types import FloatArray


def single(values: Sequence[float]) -> Sample:
    """Differences of two models on problems of one comparison each."""
    part, cluster = np.zeros(len(values), np.int32), np.arange(len(values), dtype=np.int32)
    return sample(np.array(values), part, cluster, np.ones(1), Strata.of(part, cluster, 1), difference=True)


def paired(credit: FloatArray) -> PairedOutcomes:
    """Credits of models on problems of one comparison each."""
    place = np.arange(credit.shape[1], dtype=np.int32)
    return PairedOutcomes(credit, np.zeros(len(place), np.int32), (("all", ""),), place, place)


def pairs_of(credit: FloatArray, metric: str = "accuracy", margin: float = 0.1) -> list[Equivalence]:
    names = [chr(ord("A") + k) for k in range(len(credit))]
    return equivalences(paired(credit), names, range(len(names)), (metric, "all"), np.ones(1), margin)


@pytest.mark.parametrize(("b", "c", "margin"), [(60, 30, 0.1), (30, 60, 0.1), (45, 45, 0.05), (20, 12, 0.04)])
def test_of_paired_shares_they_are_tangos(b: int, c: int, margin: float) -> None:
    """Of 400 decisions, only the first model wins b and only the second c: Tango's score statistic at the margin."""
    n = 400

    def score(delta: float) -> float:
        # Tango 1998, eq. 4: the maximum likelihood of the smaller discordant share, given the difference.
        first, second = -b - c + (2 * n - b + c) * delta, -c * delta * (1 - delta)
        share = (np.sqrt(first**2 - 8 * n * second) - first) / (4 * n)
        return float((b - c - n * delta) / np.sqrt(n * (2 * share + delta * (1 - delta))))

    wanted = [norm.sf(score(-margin)), norm.cdf(score(margin))]
    found = one_sided([single([1.0] * b + [-1.0] * c + [0.0] * (n - b - c))], margin)[0]
    assert found == pytest.approx(wanted, abs=2e-3)


def test_many_problems_are_two_tests_of_normal_means() -> None:
    """2,000 problems, 110 won by the first only and 90 by the second only: 0.01 with a standard error of 0.00707."""
    found = one_sided([single([1.0] * 110 + [-1.0] * 90 + [0.0] * 1800)], 0.03)[0]
    # (0.01 + 0.03) / 0.00707 = 5.66 and (0.03 - 0.01) / 0.00707 = 2.83, less the variance that the margin adds.
    assert found[0] < 1e-6
    assert found[1] == pytest.approx(float(norm.sf(2.83)), abs=1e-3)


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.0, 1.0]), min_size=6, max_size=60), st.floats(0.005, 0.6))
@settings(max_examples=30, deadline=None)
def test_equivalence_is_shown_where_the_interval_is_inside_the_margin(values: list[float], margin: float) -> None:
    (low, high) = limits([single(values)], np.array([-ndtri(0.05)]))[0]
    p = float(one_sided([single(values)], margin).max())
    if abs(max(-low, high) - margin) > 1e-4:
        assert (p < 0.05) == (-margin < low and high < margin)
    order = np.random.default_rng(0).permutation(len(values))
    assert float(one_sided([single([values[k] for k in order])], margin).max()) == p
    swapped = one_sided([single([-value for value in values])], margin)[0]
    assert swapped[::-1] == pytest.approx(one_sided([single(values)], margin)[0], abs=1e-7)
    assert float(one_sided([single(values)], margin * 1.2).max()) <= p + 1e-9


def credits_of(*wins: int, count: int = 100) -> FloatArray:
    """Models that win the first problems, each its own number of them."""
    return np.array([[1.0] * own + [0.0] * (count - own) for own in wins])


def test_p_values_are_corrected_over_pairs_and_over_directions() -> None:
    found = pairs_of(credits_of(80, 78, 60))
    assert [(one.first, one.second) for one in found] == [("A", "B"), ("A", "C"), ("B", "C")]
    # Sorted, the k-th of n p-values is multiplied by n + 1 - k, and is no smaller than those before it.
    p = sorted(one.p for one in found)
    wanted = [3 * p[0], max(3 * p[0], 2 * p[1]), max(3 * p[0], 2 * p[1], p[2])]
    assert sorted(one.p_holm for one in found) == pytest.approx([min(1.0, one) for one in wanted])
    directions = [own for one in found for own in (one.p_first, one.p_second)]
    smallest = min(directions)
    assert min(own for one in found for own in (one.p_first_holm, one.p_second_holm)) == pytest.approx(6 * smallest)
    assert all(one.p == max(one.p_first, one.p_second) for one in found)
    assert [one.verdict for one in found] == ["equivalent", "first no worse", "first no worse"]
    assert [one.value for one in found] == pytest.approx([0.02, 0.2, 0.18])
    assert found[0].ci is not None
    assert -0.1 < found[0].ci[0] < 0.02 < found[0].ci[1] < 0.1
    # In the other order, the second is the one that is no worse.
    assert [one.verdict for one in pairs_of(credits_of(60, 78))] == ["second no worse"]
    # Of 20 problems both models win the same 15: too few for 5 points.
    assert [one.verdict for one in pairs_of(credits_of(15, 15, count=20), margin=0.05)] == ["not shown"]
    # The families differ, so that the correction can be stricter for equivalence.
    assert replace(found[0], p_holm=0.06, p_first_holm=0.04, p_second_holm=0.04).verdict == "each no worse"


def test_the_direction_depends_on_the_best_value() -> None:
    (larger,) = pairs_of(credits_of(80, 60))
    (smaller,) = pairs_of(credits_of(80, 60), metric="loss")
    (gap,) = pairs_of(credits_of(80, 60), metric="style_gap")
    assert (larger.verdict, smaller.verdict, gap.verdict) == ("first no worse", "second no worse", "not shown")
    assert (smaller.p_first, smaller.p_second) == (larger.p_second, larger.p_first)
    assert math.isnan(gap.p_first) and math.isnan(gap.p_second_holm)
    assert gap.p == larger.p == smaller.p
    assert pairs_of(credits_of(80, 78), metric="style_gap")[0].verdict == "equivalent"


def test_too_few_problems_show_nothing() -> None:
    (one,) = pairs_of(credits_of(2, 2, count=4), margin=0.9)
    assert (one.ci, one.verdict, one.n_clusters) == (None, "not shown", 4)
    assert math.isnan(one.p_holm) and math.isnan(one.p_first_holm)
    assert pairs_of(credits_of(2, 2, count=5), margin=0.9)[0].ci is not None


@pytest.mark.parametrize(("problems", "discordance", "margin"), [(60, 0.15, 0.1), (60, 0.3, 0.1), (120, 0.08, 0.05)])
def test_error_rates_on_pairs(problems: int, discordance: float, margin: float) -> None:
    """Without simulation: all results of two models, of which the first is worse by exactly the margin."""
    equivalent, no_worse = comparisons.shown_on_pairs(problems, discordance, -margin, margin)
    assert equivalent <= no_worse <= 0.055
    assert no_worse > 0.03, "the test has the level, not less"
    assert comparisons.shown_on_pairs(problems, discordance, 0.0, margin)[1] > 3 * no_worse


def test_error_rates_where_problems_have_several_comparisons() -> None:
    """RM-Bench with an eighth of its items: two models that differ by exactly the margin, and equally good ones."""
    random = np.random.default_rng(0)
    worse = comparisons.shown_on_domains(random, 8, -0.02, 0.02, 400).mean(axis=0)
    # Three standard deviations of a binomial with p = .05 and n = 400 are .033.
    assert (worse <= 0.05 + 0.033).all()
    equal = comparisons.shown_on_domains(random, 8, 0.0, 0.05, 100).mean(axis=0)
    assert (equal > 0.9).all()
