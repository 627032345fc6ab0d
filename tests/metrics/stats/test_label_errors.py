"""Label errors: worked by hand, and on simulated labels."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.data.tables import Mask
from rmeval.metrics import HALF, OFFICIAL, Outcomes, pooled
from rmeval.metrics.outcomes import outcomes
from rmeval.metrics.scoring.style_substance import style_substance_composition
from rmeval.metrics.stats.intervals import wilson
from rmeval.metrics.stats.label_errors import (
    Corrected,
    LabelErrors,
    correct,
    errors_of_agreement,
    errors_of_counts,
    opposite,
)
from rmeval.metrics.stats.linearised import linearise
from rmeval.testing import make_evidence, make_items, make_pairs
from rmeval.types import FloatArray, ScoreRule

ALL = ("accuracy", "all")


def pairs(credit: FloatArray, tied: int = 0) -> Outcomes:
    """One comparison for each problem; the last `tied` of them are ties."""
    items = make_pairs(len(credit))
    found = outcomes(items, make_evidence(items), OFFICIAL)
    return replace(found, credit=credit, tied=np.arange(len(credit)) >= len(credit) - tied)


def corrected(found: Outcomes, errors: LabelErrors, ci: tuple[float, float] | None = None) -> Corrected:
    shares = pooled({("all", "chosen/rejected"): len(found.credit)}, ["all"])
    return correct(found, ALL, shares, {"all": errors}, ci)


def test_two_annotators_who_agree_in_85_percent() -> None:
    # (1 - e)² + e² = .85: e = (1 - sqrt(.7)) / 2 = .08167. Observed .80: (.80 - .08167) / (1 - .16334) = .85857.
    errors = errors_of_agreement(0.85)
    assert errors.rate == pytest.approx(0.0816700, abs=1e-7)
    assert (1 - errors.rate) ** 2 + errors.rate**2 == pytest.approx(0.85)
    found = corrected(pairs(np.repeat([1.0, 0.0], [80, 20])), errors, (0.71, 0.87))
    assert [found.observed, found.ceiling] == pytest.approx([0.8, 0.9183300])
    assert found.value == pytest.approx(0.8585686, abs=1e-7)
    # The errors are known exactly: the ends of the interval are corrected in the same way.
    assert found.ci == pytest.approx([(end - errors.rate) / (1 - 2 * errors.rate) for end in (0.71, 0.87)])


def test_counts_have_intervals() -> None:
    low, high = wilson(np.repeat([1.0, 0.0], [170, 30]), np.arange(200))[0] or (0, 0)
    errors = errors_of_agreement(0.85, 200)
    assert errors.ci == pytest.approx([(1 - sqrt(2 * end - 1)) / 2 for end in (high, low)])
    assert errors_of_counts(3 / 38, 38).ci == pytest.approx(wilson(np.repeat([1.0, 0.0], [3, 35]), np.arange(38))[0])
    # With few pairs, an agreement of one half cannot be excluded.
    few = errors_of_agreement(0.6, 10)
    assert few.ci is not None
    assert few.ci[1] == 0.5
    wide = corrected(pairs(np.repeat([1.0, 0.0], [70, 30])), few, (0.6, 0.79))
    assert wide.ci is not None
    assert wide.ci[1] == 1.0


def test_an_uncertain_rate_widens_the_interval_on_both_sides() -> None:
    found, ci = pairs(np.repeat([1.0, 0.0], [80, 20])), (0.71, 0.87)
    exact, counted = corrected(found, LabelErrors(0.1), ci), corrected(found, LabelErrors(0.1, (0.05, 0.2)), ci)
    assert exact.value == counted.value == pytest.approx(0.875)
    assert exact.ci is not None
    # Distances of the ends: sqrt(d² + d'²), d' from the rates .05 and .2.
    below = sqrt((0.875 - exact.ci[0]) ** 2 + (0.875 - 0.75 / 0.9) ** 2)
    above = sqrt((exact.ci[1] - 0.875) ** 2 + (0.6 / 0.6 - 0.875) ** 2)
    assert counted.ci == pytest.approx([0.875 - below, min(1.0, 0.875 + above)])


def test_ties_that_count_as_losses_are_losses_for_either_label() -> None:
    # 60 won, 20 lost, 20 tied: a = ((1 - e) .6 - e .2) / (1 - 2e).
    credit = np.repeat([1.0, 0.0, 0.0], [60, 20, 20])
    assert corrected(pairs(credit, tied=20), LabelErrors(0.1)).value == pytest.approx((0.54 - 0.02) / 0.8)
    # Shared ties: a = (p - e) / (1 - 2e).
    shared = np.repeat([1.0, 0.0, 0.5], [60, 20, 20])
    assert corrected(pairs(shared, tied=20), LabelErrors(0.1)).value == pytest.approx((0.7 - 0.1) / 0.8)


@pytest.mark.parametrize(("share", "value"), [(0.95, 1.0), (0.05, 0.0)])
def test_numbers_outside_of_their_range_are_moved_to_its_end(share: float, value: float) -> None:
    hits = round(100 * share)
    found = corrected(pairs(np.repeat([1.0, 0.0], [hits, 100 - hits])), LabelErrors(0.2), (share, share))
    assert (found.value, found.outside) == (value, True)
    assert not corrected(pairs(np.repeat([1.0, 0.0], [70, 30])), LabelErrors(0.2)).outside


def test_all_won() -> None:
    found = corrected(pairs(np.ones(20)), LabelErrors(0.1), (0.83, 1.0))
    assert found.value == 1.0
    assert found.ci == pytest.approx([min(1.0, 1.125 - 0.17 / 0.8), 1.0])


@pytest.mark.parametrize("agreement", [0.0, 0.5, 1.01])
def test_no_correction_at_one_half(agreement: float) -> None:
    with pytest.raises(ValueError, match="correction is impossible"):
        errors_of_agreement(agreement)
    with pytest.raises(ValueError, match="correction is impossible"):
        errors_of_counts(0.5)


@given(st.floats(0.501, 1))
def test_agreement_and_errors_are_inverse(agreement: float) -> None:
    rate = errors_of_agreement(agreement).rate
    assert 0 <= rate < 0.5
    assert (1 - rate) ** 2 + rate**2 == pytest.approx(agreement)


@given(st.integers(0, 1000), st.floats(0, 0.4), st.sampled_from([OFFICIAL, HALF]))
def test_labels_turned_around_and_corrected(seed: int, rate: float, rule: ScoreRule) -> None:
    """The expectation of the observed wins and losses, put into the formula, gives the true accuracy."""
    random = np.random.default_rng(seed)
    won, lost, tied = random.multinomial(100, [0.5, 0.3, 0.2]) / 100
    share = 0.5 if rule is HALF else 0.0
    true = won + share * tied
    observed = (1 - rate) * won + rate * lost + share * tied
    against = (1 - rate) * lost + rate * won + share * tied
    assert ((1 - rate) * observed - rate * against) / (1 - 2 * rate) == pytest.approx(true)


def test_no_errors_change_nothing() -> None:
    items = make_items(50, clusters=20)
    found = outcomes(items, make_evidence(items, 0.7, style_bias=0.5, tie_rate=0.1), OFFICIAL)
    composition = style_substance_composition({("chat", tag): 50 for tag in found.tags})
    for measure, shares in composition.items():
        own = correct(found, measure, shares, {"chat": LabelErrors(0.0)}, (0.1, 0.9))
        assert own.value == pytest.approx(own.observed)
        assert own.ci == pytest.approx((0.1, 0.9))


def test_opposite_styles() -> None:
    tags = ("concise/concise", "concise/detailed_plain", "detailed_plain/concise")
    assert [opposite(tag, tags) for tag in tags] == ["concise/concise", *reversed(tags[1:])]
    assert opposite("chosen/rejected", ("chosen/rejected",)) == "chosen/rejected"


def turned(scores: FloatArray, wrong: Mask) -> FloatArray:
    """Scores of items whose label is wrong, with the two sides exchanged."""
    found = scores.reshape(len(wrong), -1).copy()
    half = found.shape[1] // 2
    found[wrong] = found[wrong][:, [*range(half, 2 * half), *range(half)]]
    return found.ravel()


def test_styles_are_corrected_together_and_their_gap_stays() -> None:
    """RM-Bench's nine comparisons share a label: a wrong one makes an Easy comparison a Hard one."""
    random, rate, count = np.random.default_rng(8), 0.15, 20_000
    items = make_items(count)
    true = make_evidence(items, 0.75, style_bias=1.0, tie_rate=0.1)
    noisy = replace(true, scores=turned(true.scores, random.random(count) < rate))
    first, second = outcomes(items, true, OFFICIAL), outcomes(items, noisy, OFFICIAL)
    composition = style_substance_composition({("chat", tag): count for tag in first.tags})
    found = {
        metric: correct(second, (metric, "chat"), composition[metric, "chat"], {"chat": LabelErrors(rate)}, None)
        for metric in ("easy", "normal", "hard", "average", "style_gap")
    }
    for metric, own in found.items():
        expected = linearise(first, composition[metric, "chat"]).value
        assert own.value == pytest.approx(expected, abs=0.012), metric
        if metric != "style_gap":
            assert abs(own.observed - expected) > 0.03, metric
    gap = found["style_gap"]
    assert gap.value == pytest.approx(gap.observed)
    assert gap.ceiling is None
    # Corrected one by one, Easy would be far too high.
    assert (found["easy"].observed - 0.9 * rate) / (1 - 2 * rate) > found["easy"].value + 0.05


def test_intervals_cover_the_accuracy_on_true_labels() -> None:
    random = np.random.default_rng(9)
    accuracy, rate, count, annotated, repeats, hits = 0.85, 0.08, 300, 250, 400, 0
    found = pairs(np.ones(count))
    for _ in range(repeats):
        credit = (random.random(count) < accuracy * (1 - rate) + (1 - accuracy) * rate).astype(float)
        agreed = random.binomial(annotated, (1 - rate) ** 2 + rate**2)
        errors = errors_of_agreement(agreed / annotated, annotated)
        ci = corrected(replace(found, credit=credit), errors, wilson(credit, np.arange(count))[0]).ci
        assert ci is not None
        hits += ci[0] <= accuracy <= ci[1]
    assert 0.925 <= hits / repeats <= 0.985
