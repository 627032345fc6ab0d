"""Paired differences by hand; what the tests promise, by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from rmeval.metrics.composition import by_subset
from rmeval.metrics.stats.likelihood import limits
from rmeval.metrics.stats.paired import Difference, PairedOutcomes, compare
from rmeval.metrics.stats.power import ContributionSizes, problems_needed
from rmeval.types import FloatArray, IntArray


def paired(
    credit: FloatArray, cluster: FloatArray | IntArray | list[int], part: list[int] | None = None
) -> PairedOutcomes:
    count = credit.shape[1]
    codes = np.zeros(count, np.int32) if part is None else np.array(part, np.int32)
    parts = tuple((f"s{code}", "") for code in range(int(codes.max()) + 1))
    return PairedOutcomes(credit, codes, parts, np.arange(count, dtype=np.int32), np.array(cluster, np.int32))


def differences(given_: PairedOutcomes) -> list[Difference]:
    models = [chr(ord("A") + k) for k in range(len(given_.credit))]
    return compare(given_, models, by_subset(given_.counts), [[("accuracy", "all")]])["accuracy", "all"]


def simulated(random: np.random.Generator, lift: float, clusters: int = 60, size: int = 4) -> PairedOutcomes:
    """Two models, problems of four wordings whose difficulty both share; the first is better by `lift` on average."""
    difficulty = random.beta(4, 3, clusters)
    skill = [np.clip(difficulty + lift / 2, 0, 1), np.clip(difficulty - lift / 2, 0, 1)]
    # What makes wordings of one problem alike goes beyond its difficulty.
    mood = random.normal(0, 0.12, (2, clusters))
    chance = np.repeat(np.clip(np.array(skill) + mood, 0, 1), size, axis=1)
    return paired((random.random(chance.shape) < chance).astype(float), np.repeat(np.arange(clusters), size))


@pytest.mark.slow
def test_of_equal_models_one_in_twenty_seems_to_differ_and_intervals_hold_zero() -> None:
    random = np.random.default_rng(2)
    found = [differences(simulated(random, 0.0))[0] for _ in range(400)]
    # Three standard deviations of a binomial with p = .05 and n = 400 are .033.
    assert np.mean([one.p < 0.05 for one in found]) <= 0.05 + 0.033
    assert np.mean([one.ci is not None and one.ci[0] <= 0 <= one.ci[1] for one in found]) == pytest.approx(
        0.95, abs=0.033
    )


@pytest.mark.parametrize("clusters", [8, 20])
@pytest.mark.slow
def test_intervals_hold_zero_with_few_problems_too(clusters: int) -> None:
    random = np.random.default_rng(6)
    found = [differences(simulated(random, 0.0, clusters))[0].ci for _ in range(400)]
    # Three standard deviations of a binomial with p = .95 and n = 400 are .033.
    # With eight problems there are too few different outcomes for 95% exactly.
    assert np.mean([ci is None or ci[0] <= 0 <= ci[1] for ci in found]) >= 0.915


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.slow
def test_intervals_hold_zero_over_many_small_subsets(size: int) -> None:
    """Forty subsets of a few problems each, of which none could be drawn by itself."""
    random = np.random.default_rng(8)
    hits = []
    for _ in range(300):
        chance = np.repeat(random.beta(2, 2, (1, 40)), 2, axis=0).repeat(size, axis=1)
        credit = (random.random(chance.shape) < chance).astype(float)
        part = np.repeat(np.arange(40), size).tolist()
        ci = differences(paired(credit, list(range(40 * size)), part))[0].ci
        assert ci is not None
        hits.append(ci[0] <= 0 <= ci[1])
    # Three standard deviations of a binomial with p = .95 and n = 300 are .038.
    assert np.mean(hits) == pytest.approx(0.95, abs=0.04)


def test_a_gap_counts_who_wins_it() -> None:
    """Both win one comparison of each kind alone; in the gap that makes two for the first: Hard counts against it."""
    credit = np.array([[1, 1, 0, 0], [0, 1, 1, 0]], float)
    made = paired(credit, [0, 1, 2, 3], [0, 0, 1, 1])
    shares = {("gap", "all"): {("s0", ""): 1.0, ("s1", ""): -1.0}}
    (one,) = compare(made, ["A", "B"], shares, [[("gap", "all")]])["gap", "all"]
    assert (one.value, one.discordant) == (1.0, (2, 0))


@pytest.mark.slow
def test_power_is_as_predicted() -> None:
    """Of data sets as large as predicted, the predicted share shows the difference."""
    random = np.random.default_rng(3)
    pilot = simulated(random, 0.1, clusters=40_000)
    own = pilot.by_cluster(np.array([1.0])) * 40_000
    size = problems_needed(ContributionSizes.of(own[0] - own[1]), float(np.diff(pilot.means[::-1, 0])[0]))
    assert size is not None and 40 < size < 400
    shown = np.mean([differences(simulated(random, 0.1, clusters=size))[0].p < 0.05 for _ in range(300)])
    # Three standard deviations of a binomial with p = .8 and n = 300 are .069.
    assert shown == pytest.approx(0.8, abs=0.07)


@pytest.mark.slow
def test_after_holm_hardly_ever_anything_is_claimed_of_equal_models() -> None:
    """Four equal models, five subsets: 30 differences at once, and at most one family in twenty claims any."""
    random = np.random.default_rng(4)
    wrong = 0
    for _ in range(60):
        difficulty = np.repeat(random.beta(4, 2, 100), 2)
        credit = (random.random((4, 200)) < difficulty).astype(float)
        made = paired(credit, np.repeat(np.arange(100), 2), (np.arange(200) // 40).tolist())
        subsets = [("accuracy", f"s{k}") for k in range(5)]
        found = compare(made, list("ABCD"), by_subset(made.counts), [subsets])
        assert sum(map(len, found.values())) == 30
        wrong += any(one.leads for own in found.values() for one in own)
    # Three standard deviations of a binomial with p = .05 and n = 60 are .084.
    assert wrong / 60 <= 0.05 + 0.084


def test_a_difference_by_hand() -> None:
    # Six problems of one comparison: A wins 5, B 3; three only A, one only B.
    a, b = [1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 1]
    (one,) = differences(paired(np.array([a, b], float), list(range(6))))
    assert one.value == pytest.approx(2 / 6)
    assert (one.discordant, one.superiority) == ((3, 1), 0.75)
    # Of 16 flips of four comparisons, the sum is at least 2 in size in 10; the binomial test says the same.
    assert one.p == pytest.approx(10 / 16)
    assert one.p_mcnemar == pytest.approx(10 / 16)
    assert (one.leads, one.n_items, one.n_clusters) == (0, 6, 6)


def test_kinds_that_share_problems_are_one_stratum() -> None:
    """A kind's size is fixed if it shares no problem; kinds with the same problems vary together."""
    credit = np.random.default_rng(5).integers(0, 2, (1, 200)).astype(float)
    credit[0, 100:] = credit[0, :100]
    half = np.array([0.5, 0.5])
    shared = paired(credit, [*range(100), *range(100)], [0] * 100 + [1] * 100)
    apart = paired(credit, list(range(200)), [0] * 100 + [1] * 100)
    ends = limits([shared.sample(0, half), apart.sample(0, half)])
    together, separate = (ends[:, 1] - ends[:, 0]) / 2 / 1.96
    assert (shared.strata.of_part == 0).all()
    assert len(set(apart.strata.of_part.tolist())) == 2
    assert together / separate == pytest.approx(2**0.5, rel=0.02)
    assert together == pytest.approx(credit[0, :100].std() / 10, rel=0.02)


def test_p_values_do_not_depend_on_the_order_of_items_or_models() -> None:
    random = np.random.default_rng(11)
    credit = (random.random((4, 240)) < random.beta(3, 2, 240)).astype(float)
    credit[1, ::7] = 0.5
    cluster, part = np.repeat(np.arange(80), 3), np.repeat([0, 1, 2], [60, 90, 90])
    found = {(one.first, one.second): one for one in differences(paired(credit, cluster, part.tolist()))}
    for _ in range(5):
        items, order = random.permutation(240), random.permutation(4)
        shuffled = paired(credit[order][:, items], cluster[items], part[items].tolist())
        names = [chr(ord("A") + k) for k in order]
        shares = {("average", "all"): {(f"s{k}", ""): 1 / 3 for k in range(3)}, **by_subset(shuffled.counts)}
        again = compare(shuffled, names, shares, [[("accuracy", "all")], [("average", "all")]])
        for one in again["accuracy", "all"]:
            own = found.get((one.first, one.second)) or found[one.second, one.first].swapped()
            assert (one.p, one.p_holm, one.p_mcnemar, one.leads) == (own.p, own.p_holm, own.p_mcnemar, own.leads)


def test_identical_models_differ_in_nothing() -> None:
    (one,) = differences(paired(np.ones((2, 30)), list(range(30))))
    assert (one.value, one.p, one.p_mcnemar, one.leads) == (0.0, 1.0, 1.0, 0)
    # No decision of 30 differs; up to z^2 / (30 + z^2) = .1135 may, and slightly more for those at the bounds.
    assert one.ci == pytest.approx((-0.1135, 0.1135), abs=0.002)
    assert np.isnan([one.superiority, one.mde]).all()
