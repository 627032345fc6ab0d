from __future__ import annotations

import numpy as np
import pytest

from rmeval.metrics.stats.bootstrap import bootstrap_interval, bootstrap_means, bootstrap_random


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

    from rmeval.metrics.stats import bootstrap

    random = np.random.default_rng(5)
    cluster = np.repeat(np.arange(60), random.integers(1, 4, 60))
    values = (random.random((len(cluster), 2)) < 0.7).astype(float)
    values[random.random(values.shape) < 0.1] = np.nan
    single = bootstrap_means(values, cluster, bootstrap_random())
    monkeypatch.setattr(bootstrap, "MANY", 10)
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


def test_a_perfect_score_is_not_certain() -> None:
    """129 problems, all right: Wilson's 129 / (129 + z^2) = .9711, where a bootstrap would say 1 to 1."""
    found, method = bootstrap_interval(1.0, np.ones(100), 129)
    assert found == pytest.approx((0.9711, 1.0), abs=1e-4)
    assert method == "wilson(one value a cluster)"


@pytest.mark.parametrize("size", [1, 4])
def test_intervals_cover_the_truth(size: int) -> None:
    """Of 300 made-up evaluations, 95% intervals hold the true accuracy in about 95%, with clusters of either size."""
    random = np.random.default_rng(4)
    hits = 0
    for _ in range(300):
        difficulty = np.repeat(random.beta(4, 2, 120), size)
        credit = (random.random(len(difficulty)) < difficulty).astype(float)
        cluster = np.repeat(np.arange(120), size)
        means = bootstrap_means(credit[:, None], cluster, random, 400)[:, 0]
        drawn, _ = bootstrap_interval(float(credit.mean()), means, 120)
        assert drawn is not None
        hits += drawn[0] <= 4 / 6 <= drawn[1]
    # Three standard deviations of a binomial with p = .95 and n = 300 are .038.
    assert hits / 300 == pytest.approx(0.95, abs=0.038)


def test_no_replicates_no_interval() -> None:
    assert bootstrap_interval(0.5, np.empty(0), 9)[0] is None
    assert bootstrap_interval(0.5, np.array([0.1, np.nan]), 9)[0] is None
    assert bootstrap_interval(0.5, np.array([0.1, 0.9]), 4)[0] is None
