"""Formulas against scipy, statsmodels and hand-worked values; what the tests promise, by simulation."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from rmeval.metrics.composition import by_subset
from rmeval.metrics.stats import significance
from rmeval.metrics.stats.paired import Difference, PairedOutcomes, compare
from rmeval.metrics.stats.significance import (
    detectable,
    groups,
    holm,
    least,
    mcnemar,
    needed,
    rank_intervals,
    rare,
    sign_flips,
)
from rmeval.types import FloatArray


def paired(credit: FloatArray, cluster: FloatArray | list[int], part: list[int] | None = None) -> PairedOutcomes:
    count = credit.shape[1]
    codes = np.zeros(count, np.int32) if part is None else np.array(part, np.int32)
    parts = tuple((f"s{code}", "") for code in range(int(codes.max()) + 1))
    return PairedOutcomes(credit, codes, parts, np.arange(count, dtype=np.int32), np.array(cluster, np.int32))


def differences(given_: PairedOutcomes) -> list[Difference]:
    models = [chr(ord("A") + k) for k in range(len(given_.credit))]
    return compare(given_, models, by_subset(given_.counts), [[("accuracy", "all")]])["accuracy", "all"]


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_equals_statsmodels(p: list[float]) -> None:
    assert holm(np.array(p)) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_by_hand() -> None:
    assert holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 9))
def test_mcnemar_equals_statsmodels(won: int, lost: int, same: int) -> None:
    difference = np.array([1.0] * won + [-1.0] * lost + [0.0] * same)
    wanted = statsmodels_mcnemar([[same, won], [lost, 0]], exact=True).pvalue
    found = mcnemar(difference, np.arange(len(difference), dtype=np.int32))
    assert found == pytest.approx(float(np.nan_to_num(wanted, nan=1.0)))


def test_mcnemar_of_clusters_by_hand() -> None:
    # Problems with 2 wins, 1 win, 1 win and 1 loss, 2 losses and 1 win: (2 + 1 + 0 - 1)^2 / (4 + 1 + 0 + 1) = 2/3.
    difference = np.array([1, 1, 1, 1, -1, -1, -1, 1, 0])
    cluster = np.array([0, 0, 1, 2, 2, 3, 3, 3, 1], np.int32)
    assert mcnemar(difference.astype(float), cluster) == pytest.approx(0.41421618)


def test_few_problems_have_all_their_flips_tried() -> None:
    values = np.array([0.3, 0.1, 0.2, -0.05, 0.0])
    by_hand = np.mean([abs(np.dot(s, values)) >= 0.55 - 1e-12 for s in product((1, -1), repeat=5)])
    assert sign_flips([values], 5)[0] == pytest.approx(by_hand)
    assert sign_flips([np.array([1.0, 1.0, 1.0])], 3)[0] == pytest.approx(0.25)
    assert sign_flips([np.zeros(7)], 7)[0] == 1.0


def test_flips_equal_scipys() -> None:
    random = np.random.default_rng(0)
    values = random.normal(0.15, 1, 80)
    wanted = permutation_test(
        (values, np.zeros(80)), lambda a, b, axis: np.sum(a - b, axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=20_000, rng=random,
    ).pvalue  # fmt: skip
    assert sign_flips([values], 80)[0] == pytest.approx(float(wanted), abs=0.015)


@pytest.mark.parametrize("kind", ["alike", "normal"])
def test_flips_of_many_problems_equal_those_of_few(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    columns = [
        random.choice([-0.01, 0.0, 0.01, 0.02], 3_000, p=(0.1, 0.78, 0.1, 0.02))
        if kind == "alike"
        else random.normal(shift, 1, 3_000)
        for shift in (0.0, 0.02, 0.04)
    ]
    one_by_one = sign_flips(columns, 3_000)
    monkeypatch.setattr(significance, "_TOGETHER", 10)
    assert sign_flips(columns, 3_000) == pytest.approx(one_by_one, abs=0.02)


def test_many_unequal_problems_have_normal_sums_but_far_out(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    values = random.lognormal(0, 0.5, 3_000) * random.choice([-1, 1], 3_000, p=(0.48, 0.52))
    drawn = sign_flips([values], 3_000)[0]
    monkeypatch.setattr(significance, "_TOGETHER", 10)
    assert sign_flips([values], 3_000)[0] == pytest.approx(drawn, abs=0.01)
    far = np.abs(values) * random.choice([-1, 1], 3_000, p=(0.4, 0.6))
    assert rare(far) < 1e-5
    assert sign_flips([far], 3_000)[0] == pytest.approx(3 * rare(far))


@pytest.mark.parametrize(("won", "lost"), [(30, 5), (200, 120), (60, 0), (1000, 800)])
def test_what_is_rare_equals_the_binomial(won: int, lost: int) -> None:
    wanted = binomtest(won, won + lost).pvalue
    assert rare(np.array([0.25] * won + [-0.25] * lost)) == pytest.approx(float(wanted), rel=0.02)


def test_what_is_rare_equals_all_flips() -> None:
    values = np.random.default_rng(7).gamma(2, 1, 18) * np.array([1] * 17 + [-1])
    signs = 1 - 2 * ((np.arange(1 << 18)[:, None] >> np.arange(18)) & 1)
    wanted = np.mean(np.abs(signs @ values) >= abs(values.sum()) - 1e-9)
    assert 1e-5 < wanted < 5e-3
    # Of so few problems it is somewhat too large, which is the safe side.
    assert wanted < rare(values) < 1.2 * wanted


def simulated(random: np.random.Generator, lift: float, clusters: int = 60, size: int = 4) -> PairedOutcomes:
    """Two models, problems of four wordings whose difficulty both share; the first is better by `lift` on average."""
    difficulty = random.beta(4, 3, clusters)
    skill = [np.clip(difficulty + lift / 2, 0, 1), np.clip(difficulty - lift / 2, 0, 1)]
    # What makes wordings of one problem alike goes beyond its difficulty.
    mood = random.normal(0, 0.12, (2, clusters))
    chance = np.repeat(np.clip(np.array(skill) + mood, 0, 1), size, axis=1)
    return paired((random.random(chance.shape) < chance).astype(float), np.repeat(np.arange(clusters), size))


def test_of_equal_models_one_in_twenty_seems_to_differ_and_intervals_hold_zero() -> None:
    random = np.random.default_rng(2)
    found = [differences(simulated(random, 0.0))[0] for _ in range(400)]
    # Three standard deviations of a binomial with p = .05 and n = 400 are .033.
    assert np.mean([one.p < 0.05 for one in found]) <= 0.05 + 0.033
    assert np.mean([one.ci is not None and one.ci[0] <= 0 <= one.ci[1] for one in found]) == pytest.approx(
        0.95, abs=0.033
    )


@pytest.mark.parametrize("clusters", [8, 20])
def test_intervals_hold_zero_with_few_problems_too(clusters: int) -> None:
    random = np.random.default_rng(6)
    found = [differences(simulated(random, 0.0, clusters))[0].ci for _ in range(400)]
    # Three standard deviations of a binomial with p = .95 and n = 400 are .033.
    assert np.mean([ci is None or ci[0] <= 0 <= ci[1] for ci in found]) == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("size", [1, 2, 3])
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


def test_power_is_as_predicted() -> None:
    """Of data sets as large as predicted, the predicted share shows the difference."""
    random = np.random.default_rng(3)
    pilot = simulated(random, 0.1, clusters=4_000)
    error = float(np.std(pilot.by_cluster(np.array([1.0]))[0] - pilot.by_cluster(np.array([1.0]))[1])) * 4_000**0.5
    true = float(np.diff(pilot.means[::-1, 0])[0])
    size = needed(4_000, error, true)
    assert size is not None and 40 < size < 400
    shown = np.mean([differences(simulated(random, 0.1, clusters=size))[0].p < 0.05 for _ in range(300)])
    # Three standard deviations of a binomial with p = .8 and n = 300 are .069.
    assert shown == pytest.approx(0.8, abs=0.07)


def test_power_by_hand() -> None:
    # z.975 + z.8 = 1.959964 + 0.841621; 100 problems with an error of 2 points show 5.6 points.
    assert detectable(0.02) == pytest.approx(0.0560317)
    assert needed(100, 0.02, 0.028) == 401
    assert needed(100, 0.02, 0.0) is None
    assert needed(100, 0.02, 0.9) == 6
    # Of ten tests each has a level of half a percent: z.9975 = 2.807034; 2^-7 is above it, 2^-8 below.
    assert detectable(0.02, 10) == pytest.approx(0.0729731)
    assert (least(), least(10)) == (6, 9)


def test_after_holm_hardly_ever_anything_is_claimed_of_equal_models() -> None:
    """Four equal models, five subsets: 30 differences at once, and at most one family in twenty claims any."""
    random = np.random.default_rng(4)
    wrong = 0
    for _ in range(200):
        difficulty = np.repeat(random.beta(4, 2, 100), 2)
        credit = (random.random((4, 200)) < difficulty).astype(float)
        made = paired(credit, np.repeat(np.arange(100), 2), (np.arange(200) // 40).tolist())
        subsets = [("accuracy", f"s{k}") for k in range(5)]
        found = compare(made, list("ABCD"), by_subset(made.counts), [subsets])
        assert sum(map(len, found.values())) == 30
        wrong += any(one.leads for own in found.values() for one in own)
    # Three standard deviations of a binomial with p = .05 and n = 200 are .046.
    assert wrong / 200 <= 0.05 + 0.046


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


def test_kinds_that_share_problems_are_drawn_together_and_others_apart() -> None:
    """A kind's size is fixed where it shares no problem; where it does, replicates of both kinds move together."""
    credit = np.random.default_rng(5).integers(0, 2, (1, 200)).astype(float)
    credit[0, 100:] = credit[0, :100]
    shared = paired(credit, [*range(100), *range(100)], [0] * 100 + [1] * 100)
    together = shared.replicates(np.random.default_rng(0))[:, 0]
    assert (together[:, 0] == together[:, 1]).all()
    apart = paired(credit, list(range(200)), [0] * 100 + [1] * 100).replicates(np.random.default_rng(0))[:, 0]
    assert abs(np.corrcoef(apart[:, 0], apart[:, 1]).item(1)) < 0.1
    assert apart.std(axis=0) == pytest.approx(together.std(axis=0), rel=0.06)


def test_identical_models_differ_in_nothing() -> None:
    (one,) = differences(paired(np.ones((2, 30)), list(range(30))))
    assert (one.value, one.p, one.p_mcnemar, one.ci, one.needed, one.leads) == (0.0, 1.0, 1.0, None, None, 0)
    assert np.isnan(one.superiority)


def relation(pairs: set[tuple[int, int]], count: int) -> list[list[bool]]:
    return [[(one, other) in pairs for other in range(count)] for one in range(count)]


def test_letters_and_ranks_by_hand() -> None:
    # A leads C and D, B leads D: A and B, B and C, C and D cannot be told apart.
    leads = relation({(0, 2), (0, 3), (1, 3)}, 4)
    assert groups(leads) == ["a", "ab", "bc", "c"]
    assert rank_intervals(leads) == [(1, 2), (1, 3), (2, 4), (3, 4)]
    assert groups(relation(set(), 3)) == ["a", "a", "a"]


@given(st.integers(1, 6), st.data())
def test_models_share_a_letter_exactly_where_neither_leads(count: int, data: st.DataObject) -> None:
    pairs = {pair for pair in combinations(range(count), 2) if data.draw(st.booleans())}
    letters = groups(relation(pairs, count))
    for one, other in combinations(range(count), 2):
        assert bool(set(letters[one]) & set(letters[other])) == ((one, other) not in pairs)
