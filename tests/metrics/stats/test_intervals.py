from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rmeval.metrics.stats.intervals import (
    bootstrap_interval,
    bootstrap_means,
    bootstrap_random,
    combined_interval,
    wilson,
)


@given(st.integers(0, 40), st.integers(1, 40))
def test_wilson_equals_scipy(won: int, count: int) -> None:
    won = min(won, count)
    credit = np.array([1.0] * won + [0.0] * (count - won))
    found, method = wilson(credit, np.arange(count))
    wanted = binomtest(won, count).proportion_ci(method="wilson")
    assert method == "wilson"
    assert found == pytest.approx((wanted.low, wanted.high), abs=1e-9)


def test_wilson_by_hand() -> None:
    # 8 of 10, z = 1.959964: centre (.8 + 3.841459/20)/(1.3841459) = .716739; half .226654.
    found, _ = wilson(np.array([1.0] * 8 + [0.0] * 2), np.arange(10))
    assert found == pytest.approx((0.490162, 0.943318), abs=1e-5)


def test_copies_add_nothing() -> None:
    """Each problem asked six times with the same outcome is as much evidence as asked once."""
    random = np.random.default_rng(0)
    credit = (random.random(100) < 0.7).astype(float)
    once, _ = wilson(credit, np.arange(100))
    six, method = wilson(np.repeat(credit, 6), np.repeat(np.arange(100), 6))
    assert method == "wilson(clustered)"
    assert six == pytest.approx(once, abs=0.003)


def test_unanimous_clusters_count_once_each() -> None:
    found, _ = wilson(np.ones(20), np.repeat(np.arange(5), 4))
    five, _ = wilson(np.ones(5), np.arange(5))
    assert found == pytest.approx(five)


def test_no_values_no_interval() -> None:
    assert wilson(np.array([np.nan]), np.array([0]))[0] is None
    assert bootstrap_interval(0.5, np.empty(0), 9)[0] is None
    assert bootstrap_interval(0.5, np.array([0.1, np.nan]), 9)[0] is None
    assert bootstrap_interval(0.5, np.array([0.1, 0.9]), 4)[0] is None


def test_a_perfect_score_is_not_certain() -> None:
    """129 problems, all right: Wilson's 129 / (129 + z^2) = .9711, where a bootstrap would say 1 to 1."""
    found, method = bootstrap_interval(1.0, np.ones(100), 129)
    assert found == pytest.approx((0.9711, 1.0), abs=1e-4)
    assert method == "wilson(one value a cluster)"


def test_the_interval_of_a_sum_by_hand() -> None:
    """Distances of 0.3 and 0.4 below, weighed, are 0.5 together; with full correlation 0.7, against it 0.1."""
    first, second = (1.0, 0.5, (0.2, 0.5)), (2.0, 0.3, (0.1, 0.35))
    assert combined_interval(first, second) == pytest.approx((0.6, 1.2))
    assert combined_interval(first, second, 1.0) == pytest.approx((0.4, 1.2))
    assert combined_interval(first, second, -1.0) == pytest.approx((1.0, 1.2))


def test_bootstrap_spread_is_that_of_theory() -> None:
    """The standard deviation of a mean of n independent values is sigma / sqrt(n)."""
    random = np.random.default_rng(2)
    values = random.random((400, 1))
    means = bootstrap_means(values, np.arange(400), bootstrap_random())
    assert means.std() == pytest.approx(values.std() / 20, rel=0.06)
    assert means.mean() == pytest.approx(values.mean(), abs=0.002)


def test_clusters_that_are_alike_may_be_drawn_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time or by kind: the replicates have the same distribution (two-sample Kolmogorov-Smirnov)."""
    from scipy.stats import ks_2samp

    from rmeval.metrics.stats import intervals

    random = np.random.default_rng(5)
    cluster = np.repeat(np.arange(60), random.integers(1, 4, 60))
    values = (random.random((len(cluster), 2)) < 0.7).astype(float)
    values[random.random(values.shape) < 0.1] = np.nan
    single = bootstrap_means(values, cluster, bootstrap_random())
    monkeypatch.setattr(intervals, "MANY", 10)
    together = bootstrap_means(values, cluster, np.random.default_rng(6))
    for column in range(2):
        assert ks_2samp(single[:, column], together[:, column]).pvalue > 0.01
        assert single[:, column].std() == pytest.approx(together[:, column].std(), rel=0.06)


def test_bootstrap_draws_whole_clusters() -> None:
    values = np.repeat([[0.0], [1.0], [1.0], [0.0]], 5, axis=0)
    means = bootstrap_means(values, np.repeat(np.arange(4), 5), bootstrap_random())
    assert set(np.unique(means)) <= {0.0, 0.25, 0.5, 0.75, 1.0}


def test_same_evidence_same_interval() -> None:
    values = np.random.default_rng(3).random((50, 2))
    first, second = (bootstrap_means(values, np.arange(50), bootstrap_random()) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("size", [1, 4])
def test_intervals_cover_the_truth(size: int) -> None:
    """Of 300 made-up evaluations, 95% intervals hold the true accuracy in about 95%, with clusters of either size."""
    random = np.random.default_rng(4)
    hits = {"wilson": 0, "bootstrap": 0}
    for _ in range(300):
        difficulty = np.repeat(random.beta(4, 2, 120), size)
        credit = (random.random(len(difficulty)) < difficulty).astype(float)
        cluster = np.repeat(np.arange(120), size)
        found, _method = wilson(credit, cluster)
        means = bootstrap_means(credit[:, None], cluster, random, 400)[:, 0]
        drawn, _ = bootstrap_interval(float(credit.mean()), means, 120)
        assert found is not None and drawn is not None
        hits["wilson"] += found[0] <= 4 / 6 <= found[1]
        hits["bootstrap"] += drawn[0] <= 4 / 6 <= drawn[1]
    # Three standard deviations of a binomial with p = .95 and n = 300 are .038.
    for count in hits.values():
        assert count / 300 == pytest.approx(0.95, abs=0.038)
