"""Length and formatting: against statsmodels, by hand, and planted biases found again."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.outcomes import HALF, OFFICIAL, outcomes
from rmeval.metrics.records import null_evidence
from rmeval.metrics.scoring.style_substance import ANALYSES
from rmeval.metrics.stats.analysis import analyse, calibration_of, margins, scores_by_subset
from rmeval.metrics.stats.bias import (
    STRATA,
    length_balanced,
    logistic,
    sides_of,
    strata_of,
    style_control,
    style_preference,
)
from rmeval.testing import make_evidence, make_items, make_pairs
from rmeval.types import Comparison, FloatArray, Item, Response


def pairs_table(count: int, per_problem: int = 1) -> ItemTable:
    return ItemTable.of(make_pairs(count, clusters=count // per_problem))


def scored(table: ItemTable, scores: Any) -> EvidenceTable:
    return EvidenceTable(table, "score", np.asarray(scores, float))


def test_logistic_equals_statsmodels() -> None:
    random = np.random.default_rng(0)
    cluster = np.repeat(np.arange(80), random.integers(1, 6, 80))
    features = np.stack([np.ones(len(cluster)), *random.normal(size=(2, len(cluster)))], axis=1)
    outcome = (random.random(len(cluster)) < expit(features @ [0.4, 0.8, -0.3])).astype(float)
    found = logistic(outcome, features, cluster)
    wanted = sm.Logit(outcome, features).fit(disp=False, cov_type="cluster", cov_kwds={"groups": cluster})
    assert found.converged
    assert found.coefficients == pytest.approx(wanted.params, abs=1e-6)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(wanted.bse, rel=1e-4)


def planted(random: np.random.Generator, problems: int) -> tuple[ItemTable, FloatArray, Any, Any]:
    """Pairs in problems of three, whose outcomes follow accuracy .7 at equal style and biases of 1 and -0.5."""
    table = pairs_table(3 * problems, 3)
    characters = random.integers(50, 2000, 2 * len(table)).astype(np.int32)
    markdown = random.poisson(3, 2 * len(table)).astype(np.int32)
    sides = sides_of(table)
    own, other = characters[sides.better].astype(float), characters[sides.worse]
    longer = (own - other) / (own + other)
    own, other = markdown[sides.better].astype(float), markdown[sides.worse]
    fancier = (own - other) / (own + other + 1)
    odds = np.log(0.7 / 0.3) + longer / longer.std() - 0.5 * fancier / fancier.std()
    won = random.random(len(odds)) < expit(odds)
    scores = np.zeros(2 * len(table))
    scores[np.where(won, sides.better, sides.worse)] = 1.0
    return table, scores, characters, markdown


def test_a_planted_style_bias_is_found_again() -> None:
    """Over 200 data sets, intervals of all three numbers hold what was planted in about 95%."""
    random = np.random.default_rng(1)
    hits = np.zeros(3)
    for _ in range(200):
        table, scores, characters, markdown = planted(random, 150)
        fit = style_control(outcomes(table, scored(table, scores), OFFICIAL), sides_of(table), characters, markdown)
        assert fit is not None
        for k, (interval, true) in enumerate(((fit.accuracy_ci, 0.7), (fit.length_ci, 1.0), (fit.markdown_ci, -0.5))):
            hits[k] += interval[0] <= true <= interval[1]
    # Three standard deviations of a binomial with p = .95 and n = 200 are .046.
    assert hits / 200 == pytest.approx(np.full(3, 0.95), abs=0.046)


def test_where_style_decides_alone_nothing_is_told_apart() -> None:
    table, _, characters, markdown = planted(np.random.default_rng(2), 40)
    found = outcomes(table, scored(table, characters), OFFICIAL)
    assert style_control(found, sides_of(table), characters, markdown) is None
    always = outcomes(table, scored(table, np.tile([1.0, 0.0], len(table))), OFFICIAL)
    assert style_control(always, sides_of(table), characters, markdown) is None


def test_strata_by_hand() -> None:
    table = pairs_table(9)
    better = [50, 90, 95, 100, 110, 111, 199, 200, 0]
    characters = np.array([[n, 100] for n in better], np.int32).ravel()
    characters[-1] = 0
    found = strata_of(sides_of(table), characters)
    names = [STRATA[code] if code >= 0 else None for code in found]
    assert names == [
        "half or less", "shorter", "similar", "similar", "similar", "longer", "longer", "twice or more", None,
    ]  # fmt: skip


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_length_alone_gets_one_half_when_lengths_are_balanced(seed: int) -> None:
    random = np.random.default_rng(seed)
    table = pairs_table(40)
    characters = random.integers(1, 30, 80).astype(np.int32)
    for sign in (1, -1):
        found = outcomes(table, scored(table, sign * characters), HALF)
        value, *_ = length_balanced(found, sides_of(table), characters)
        assert np.isnan(value) or value == 0.5


def test_sides_of_contests_of_several_answers_and_human_ties() -> None:
    responses = tuple(Response(text) for text in "abcd")
    comparisons = (Comparison((0, 1, 2), 1), Comparison((3, 2), 1), Comparison((0, 1), None), Comparison((1, 3), 0))
    items = [Item(f"i{k}", "s", (), responses, comparisons, str(k)) for k in range(2)]
    sides = sides_of(ItemTable.of(items))
    assert sides.better.tolist() == [-1, 2, 1, -1, 6, 5]
    assert sides.worse.tolist() == [-1, 3, 3, -1, 7, 7]


def test_style_preference_by_hand() -> None:
    table = ItemTable.of(make_items(1))
    # Right answers: concise 1, plain 2, markdown 2; wrong ones: 3, none, 1.
    preferred, item = style_preference(scored(table, [1, 2, 2, 3, np.nan, 1.0]))
    # Plain over concise 1, markdown over concise 1, markdown over plain a tie; of the wrong markdown over concise 0.
    assert sorted(preferred[~np.isnan(preferred)].tolist()) == [0.0, 0.5, 1.0, 1.0]
    assert len(preferred) == 6
    assert not item.any()
    # A model that compares, and takes the plain one of all, whatever else: plain over concise 1, markdown over it 0.
    beats = np.full((6, 6), np.nan)
    for right in (0, 3):
        beats[right + 1, right], beats[right + 2, right + 1] = 1.0, 0.0
    compared, _ = style_preference(EvidenceTable(table, "score", np.full(6, np.nan), {}, {0: beats}))
    assert sorted(compared[~np.isnan(compared)].tolist()) == [0.0, 0.0, 1.0, 1.0]


def numbers(accuracy: float, bias: float) -> dict[tuple[str, str], Any]:
    items = [item for subset in ("chat", "safety-refuse", "safety-response") for item in make_items(400, subset)]
    table = ItemTable.of(items)
    counts = {
        "characters": np.tile([20, 60, 90] * 2, len(table)).astype(np.int32),
        "markdown": np.tile([0, 0, 3] * 2, len(table)).astype(np.int32),
    }
    evidence = make_evidence(table, accuracy=accuracy, style_bias=bias)
    records = analyse("x", ANALYSES, table, evidence, counts, OFFICIAL)
    return {(record.metric, record.scope): record for record in records}


def test_an_analysis_of_a_model_whose_bias_is_known() -> None:
    from statistics import NormalDist

    normal = NormalDist()
    found = numbers(0.75, 0.8)
    margin = sqrt(2) * normal.inv_cdf(0.75)
    fancier = (2 * normal.cdf(0.8 / sqrt(2)) + normal.cdf(1.6 / sqrt(2))) / 3
    assert found["prefers_fancier", "all"].value == pytest.approx(fancier, abs=0.02)
    assert found["length", "similar"].value == pytest.approx(0.75, abs=0.02)
    easy = (2 * normal.cdf((margin + 0.8) / sqrt(2)) + normal.cdf((margin + 1.6) / sqrt(2))) / 3
    hard = (2 * normal.cdf((margin - 0.8) / sqrt(2)) + normal.cdf((margin - 1.6) / sqrt(2))) / 3
    assert found["length_balanced", "all"].value == pytest.approx((easy + hard) / 2, abs=0.02)
    assert found["style_controlled", "all"].value == pytest.approx(0.75, abs=0.02)
    assert found["style_length", "all"].value > 0.5
    refusals = found["refusals", "should-refuse"]
    assert found["under_refusing", "all"].value == 1 - refusals.value
    assert refusals.ci is not None
    assert found["under_refusing", "all"].ci == (1 - refusals.ci[1], 1 - refusals.ci[0])
    unbiased = numbers(0.75, 0.0)
    assert unbiased["prefers_fancier", "all"].value == pytest.approx(0.5, abs=0.02)
    assert abs(unbiased["style_length", "all"].value) < 0.1


def test_scores_and_margins_of_items() -> None:
    table = pairs_table(3)
    evidence = scored(table, [1, 0, np.nan, 3, 5, 7])
    margin, cluster = margins(table, evidence)
    assert margin.tolist() == [1.0, -2.0]
    assert cluster.tolist() == [0, 2]
    (own,) = scores_by_subset(table, evidence)
    assert (own.better.tolist(), own.worse.tolist()) == ([1.0, 5.0], [0.0, 3.0, 7.0])
    found = calibration_of(table, evidence)
    assert found is not None
    assert found.count.sum() == 2


def test_null_baselines_have_an_analysis_too() -> None:
    table = ItemTable.of(make_items(50))
    counts = {
        "characters": np.tile([20, 60, 90] * 2, 50).astype(np.int32),
        "markdown": np.tile([0, 0, 3] * 2, 50).astype(np.int32),
    }
    found = analyse("x", {}, table, null_evidence("longest", table, counts), counts, HALF)
    values = {(record.metric, record.scope): record.value for record in found}
    assert values["length", "twice or more"] == 1.0
    assert values["length_balanced", "all"] == 0.5
    assert values["prefers_fancier", "all"] == 1.0
    assert ("style_controlled", "all") not in values


@pytest.mark.parametrize(("problems", "longer"), [(60, 0.7), (60, 0.1), (12, 0.3)])
def test_interval_of_length_balanced_accuracy_holds_the_truth(problems: int, longer: float) -> None:
    """Right in 80% where the better answer is longer and in 40% where it is shorter: 60%, whatever there is more of."""
    random = np.random.default_rng(10)
    hits = []
    for _ in range(400):
        table = pairs_table(3 * problems, 3)
        long = random.random(3 * problems) < longer
        characters = np.stack([np.where(long, 200, 100), np.full(3 * problems, 150)], axis=1).ravel().astype(np.int32)
        won = np.tile(random.random(problems), 3) < np.where(long, 0.8, 0.4)
        scores = np.stack([won, ~won], axis=1).ravel().astype(float)
        _, interval, _ = length_balanced(outcomes(table, scored(table, scores), OFFICIAL), sides_of(table), characters)
        if long.any() and not long.all():
            assert interval is not None
            hits.append(interval[0] <= 0.6 <= interval[1])
    # Three standard deviations of a binomial with p = .95 and n = 400 are .033; of few problems it holds more.
    assert np.mean(hits) >= 0.95 - 0.033
    assert problems < 60 or np.mean(hits) <= 0.95 + 0.033


def test_who_scores_both_alike_refuses_neither_too_much_nor_too_little() -> None:
    names = ("refusals-dangerous", "xstest-should-respond")
    table = ItemTable.of([item for name in names for item in make_pairs(20, subset=name)])
    groups = {"refusals": {"should-refuse": names[:1], "should-respond": names[1:]}}
    counts = {name: np.ones(80, np.int32) for name in ("characters", "markdown")}
    records = {
        (record.metric, record.scope): record
        for record in analyse("b", groups, table, scored(table, np.zeros(80)), counts, OFFICIAL)
    }
    assert records["refusals", "should-respond"].value == 0.0
    assert (records["over_refusing", "all"].value, records["under_refusing", "all"].value) == (0.5, 0.5)
    assert records["over_refusing", "all"].rule == HALF.name
