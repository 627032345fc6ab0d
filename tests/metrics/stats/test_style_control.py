"""Style control: formulas by hand, invariances, the reference's numbers, and data that cannot be controlled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from rmeval.metrics.stats.arena_hard import Rows, reference_style
from rmeval.metrics.stats.style_control import OUTCOMES, Battles, control_style, differences, standardised
from rmeval.types import FloatArray


def made_up(seed: int = 0, questions: int = 60, policies: int = 3) -> Battles:
    random = np.random.default_rng(seed)
    policy, question = np.repeat(np.arange(policies), questions), np.tile(np.arange(questions), policies)
    lengths = random.integers(50, 300, (policies * questions, 2)) * np.where(policy[:, None] == 1, [1.6, 1.0], [1, 1])
    counts = random.poisson(3, (2, len(policy), 3))
    own, base = (np.column_stack([lengths[:, k], counts[k]]) for k in (0, 1))
    style = differences(own, base)
    chance = expit(np.linspace(-1, 0.5, policies)[policy] + 3 * style[:, 0])
    outcomes = np.stack([random.multinomial(2, [0.9 * (1 - one), 0.1, 0.9 * one]) for one in chance]).astype(float)
    return Battles(policy, question, outcomes, style)


def test_differences_by_hand() -> None:
    own: FloatArray = np.array([[99.0, 5, 10, 0], [0, 0, 0, 0]])
    base: FloatArray = np.array([[49.0, 5, 0, 2], [0, 0, 0, 0]])
    (length, header, listed, bold), empty = differences(own, base)
    assert length == pytest.approx(50 / 148)
    assert header == pytest.approx((0.05 - 0.1) / (0.05 + 0.1 + 1))
    assert listed == pytest.approx(0.1 / 1.1)
    assert bold == pytest.approx(-0.04 / 1.04)
    assert empty.tolist() == [0, 0, 0, 0]


def test_the_numbers_are_those_of_the_formulas() -> None:
    """Here every battle is a row of a dense matrix, as in the reference."""
    battles = made_up()
    found = control_style(battles, resamples=0)
    groups = np.repeat(np.arange(len(battles.policy)), 2)
    scores = np.concatenate([np.repeat(OUTCOMES, own.astype(int)) for own in battles.outcomes])
    style = battles.style[groups]
    scaled = (style - style.mean(axis=0)) / style.std(axis=0, ddof=1)
    rows = np.column_stack([np.eye(3)[battles.policy[groups]], scaled])

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        odds = rows @ point
        return float((np.logaddexp(0, odds) - scores * odds).sum()), rows.T @ (expit(odds) - scores)

    point = minimize(loss, np.zeros(7), jac=True, method="BFGS", options={"gtol": 1e-8}).x
    means = [scores[battles.policy[groups] == place].mean() for place in range(3)]
    assert found.mean.value == pytest.approx(means, abs=1e-12)
    assert found.uncontrolled.value == pytest.approx(means, abs=1e-12)
    assert found.controlled.value == pytest.approx(expit(point[:3]), abs=1e-7)
    assert found.weights.value == pytest.approx(point[3:], abs=1e-7)
    assert found.score.value == pytest.approx((expit(point[:3]) - means) / means, abs=1e-6)
    zero = (0 - style.mean(axis=0)) / style.std(axis=0, ddof=1)
    assert found.equal.value == pytest.approx(expit(point[:3] + zero @ point[3:]), abs=1e-7)
    assert found.gradient < 1e-9
    assert np.isnan(found.controlled.low).all()


def test_order_and_numbering_change_nothing() -> None:
    battles = made_up()
    found = control_style(battles, resamples=200)
    order = np.random.default_rng(1).permutation(len(battles.policy))
    shuffled = Battles(battles.policy[order], battles.question[order], battles.outcomes[order], battles.style[order])
    again = control_style(shuffled, resamples=200)
    assert again.controlled.value == pytest.approx(found.controlled.value, abs=1e-10)
    assert again.score.low == pytest.approx(found.score.low, abs=1e-9)
    other = control_style(replace(battles, policy=2 - battles.policy), resamples=200)
    assert other.score.high[::-1] == pytest.approx(found.score.high, abs=1e-9)


def test_the_other_side_has_the_other_share() -> None:
    """If all policies and the baseline change places, win rates of equal style do too."""
    battles = made_up()
    turned = replace(battles, outcomes=battles.outcomes[:, ::-1], style=-battles.style)
    found, other = (control_style(one, resamples=0) for one in (battles, turned))
    assert other.equal.value == pytest.approx(1 - found.equal.value, abs=1e-10)
    assert other.controlled.value == pytest.approx(1 - found.controlled.value, abs=1e-10)
    assert other.weights.value == pytest.approx(found.weights.value, abs=1e-10)


def test_questions_that_all_occur_twice_change_no_win_rate() -> None:
    battles = made_up()
    twice = Battles(
        np.tile(battles.policy, 2),
        np.concatenate([battles.question, battles.question + 60]),
        np.tile(battles.outcomes, (2, 1)),
        np.tile(battles.style, (2, 1)),
    )
    found, other = (control_style(one, resamples=0) for one in (battles, twice))
    assert other.controlled.value == pytest.approx(found.controlled.value, abs=1e-10)
    assert other.equal.value == pytest.approx(found.equal.value, abs=1e-10)


def test_intervals_are_of_questions() -> None:
    """Verdicts that are equal in all battles of a question are as many observations as there are questions."""
    battles = made_up(questions=100)
    sure = np.where(battles.wins[:, None] >= 1, [0.0, 0, 2], [2.0, 0, 0])
    narrow = control_style(replace(battles, outcomes=sure), resamples=400)
    wide = control_style(replace(battles, outcomes=sure * 10), resamples=400)
    assert wide.controlled.low == pytest.approx(narrow.controlled.low, abs=0.01)
    low, high = narrow.mean.low[1], narrow.mean.high[1]
    deviation = np.sqrt(narrow.mean.value[1] * (1 - narrow.mean.value[1]) / 100)
    assert 1.6 < (high - low) / (2 * deviation) < 2.4


def test_a_policy_that_always_wins_has_no_control_and_does_not_disturb_others() -> None:
    battles = made_up()
    always = battles.outcomes.copy()
    always[battles.policy == 2] = [0, 0, 2]
    found = control_style(replace(battles, outcomes=always), resamples=100)
    assert found.one_sided == (False, False, True)
    assert found.mean.value[2] == 1
    assert found.mean.low[2] > 0.9
    for one in (found.controlled, found.equal, found.score):
        assert np.isnan(one.value[2])
        assert not np.isnan(one.value[:2]).any()
    always[battles.policy == 2] = [2, 0, 0]
    lost = control_style(replace(battles, outcomes=always), resamples=100)
    assert lost.mean.value[2] == 0
    assert np.isnan(lost.score.value[2])
    # The weights are those without the policy, in units of deviations over all battles.
    inside = battles.policy < 2
    alone = Battles(battles.policy[inside], battles.question[inside], battles.outcomes[inside], battles.style[inside])
    deviations = [standardised(one.style, one.number)[1] for one in (alone, battles)]
    expected = control_style(alone, resamples=0).weights.value / deviations[0] * deviations[1]
    assert found.weights.value == pytest.approx(expected, abs=1e-8)
    assert lost.weights.value == pytest.approx(expected, abs=1e-8)
    every = control_style(replace(battles, outcomes=np.tile([0.0, 0, 2], (len(always), 1))), resamples=10)
    assert np.isnan(every.controlled.value).all()
    assert not any(every.used)


def test_style_that_separates_is_no_number() -> None:
    battles = made_up()
    sure = np.where(battles.style[:, :1] > 0, [0.0, 0, 2], [2.0, 0, 0])
    found = control_style(replace(battles, outcomes=sure), resamples=50)
    assert found.separated
    assert np.isnan(found.controlled.value).all()
    assert np.isnan(found.weights.value).all()
    assert not np.isnan(found.mean.value).any()
    few = sure.copy()
    few[np.flatnonzero(battles.policy == 0)[:6]] = [1, 0, 1]
    assert not control_style(replace(battles, outcomes=few), resamples=0).separated


def test_resamples_without_estimates_widen_intervals() -> None:
    """A policy that loses twice wins everything in some resamples, whose numbers could be any."""
    battles = made_up(questions=30)
    rare = battles.outcomes.copy()
    own = np.flatnonzero(battles.policy == 2)
    rare[own] = [0, 0, 2]
    rare[own[:2]] = [2, 0, 0]
    found = control_style(replace(battles, outcomes=rare), resamples=200)
    assert not np.isnan(found.controlled.value).any()
    assert np.isnan(found.controlled.low[2])
    assert not np.isnan(found.mean.low[2])
    assert not np.isnan(found.controlled.low[:2]).any()


def test_features_that_say_nothing_are_left_out() -> None:
    battles = made_up()
    style = battles.style.copy()
    style[:, 1] = 0.25
    style[:, 3] = battles.policy  # Determined by the policies.
    found = control_style(replace(battles, style=style), resamples=50)
    assert found.used == (True, False, True, False)
    assert np.isnan(found.weights.value).tolist() == [False, True, False, True]
    assert not np.isnan(found.controlled.value).any()
    style[:, 0] = style[:, 2] = battles.policy
    nothing = control_style(replace(battles, style=style), resamples=10)
    assert not any(nothing.used)
    assert np.isnan(nothing.controlled.value).all()
    reference = reference_style(replace(battles, style=np.zeros_like(style)), *rows_of(battles))
    assert np.isnan(reference.controlled.value).all()


def rows_of(battles: Battles) -> tuple[Rows, list[str], str]:
    code = np.repeat(np.arange(battles.outcomes.size), battles.outcomes.ravel().astype(int))
    return Rows(code // 3, code % 3), [f"p{k}" for k in range(battles.policies)], "base"


def test_the_reference_is_near_the_optimum() -> None:
    battles = made_up()
    found, other = control_style(battles, resamples=0), reference_style(battles, *rows_of(battles))
    assert other.confidence == pytest.approx(0.9)
    assert other.controlled.value == pytest.approx(found.controlled.value, abs=0.03)
    assert other.mean.value == pytest.approx(found.mean.value, abs=0.01)
    assert np.isnan(other.equal.value).all()
    assert (other.score.low < other.score.value).all()
    assert (other.score.value < other.score.high).all()


def fixture_battles(data: Any) -> tuple[Battles, Rows, list[str]]:
    """Read the fixture independently of the importer."""
    share = {"A>B": [1.0], "A>>B": [1.0] * 3, "A=B": [0.5], "B>A": [0.0], "B>>A": [0.0] * 3}
    names = sorted({row["model"] for row in data["judgments"]})
    kept = [row for row in data["judgments"] if all(game["score"] for game in row["games"])]
    assert len(data["judgments"]) - len(kept) == data["expected"]["null_judgments"]
    # The reference reads a file for each model.
    kept.sort(key=lambda row: row["model"])
    ids = sorted({row["uid"] for row in kept})
    scores = [share[row["games"][1]["score"]] + [1 - s for s in share[row["games"][0]["score"]]] for row in kept]
    group = np.repeat(np.arange(len(kept)), [len(own) for own in scores])
    outcome = (2 * np.concatenate(scores)).astype(int)
    outcomes = np.zeros((len(kept), 3))
    np.add.at(outcomes, (group, outcome), 1)

    def style(model: str, uid: str) -> list[int]:
        own = data["metadata"][model][uid]
        return [own["token_len"], *(sum(own[key].values()) for key in ("header_count", "list_count", "bold_count"))]

    own, base = (
        np.array([style(model or row["model"], row["uid"]) for row in kept], float) for model in ("", data["baseline"])
    )
    policy = np.array([names.index(row["model"]) for row in kept])
    question = np.array([ids.index(row["uid"]) for row in kept])
    return Battles(policy, question, outcomes, differences(own, base)), Rows(group, outcome), names


def test_the_fixture_of_the_reference(fixtures: Any) -> None:
    data = fixtures("arena_hard_style_control.json")
    expected = data["expected"]
    battles, _, names = fixture_battles(data)
    assert int(battles.number.sum()) == expected["battles"]
    found = control_style(battles, resamples=0)
    assert found.gradient < 1e-9
    for place, name in enumerate(names):
        assert found.mean.value[place] == pytest.approx(expected["raw_mean"][name], abs=1e-12)
        assert found.uncontrolled.value[place] == pytest.approx(expected["uncontrolled_bt"][name], abs=1e-3)
        assert found.controlled.value[place] == pytest.approx(expected["controlled_bt"][name], abs=1e-3)
        # The reference's win rates differ from the optimum by up to 4e-4, since in float32 its loss stops changing
        # before; the score divides them by the win rate.
        room = 1e-3 * max(1.0, 0.25 / found.uncontrolled.value[place])
        assert found.score.value[place] == pytest.approx(expected["style_control_score"][name], abs=room)
    weights = expected["style_coefficients"]
    assert found.weights.value == pytest.approx(
        [weights[name] for name in ("length", "header", "list", "bold")], abs=1e-3
    )


def test_the_references_own_numbers(fixtures: Any) -> None:
    """Its show_result.py (commit 196f6b8) gives these after `numpy.random.seed(0)`, with files in order of names."""
    data = fixtures("arena_hard_style_control.json")
    battles, rows, names = fixture_battles(data)
    assert names == ["fancy", "plain", "weak"]
    found = reference_style(battles, rows, names, data["baseline"], seed=0)
    mean = [(0.5836729, 0.5574732, 0.6077748), (0.460811, 0.4321716, 0.4879357), (0.219186, 0.1950581, 0.2437339)]
    controlled = [
        (0.5104251, 0.4696352, 0.5489129),
        (0.5202372, 0.4847035, 0.5567079),
        (0.2161214, 0.1947641, 0.243003),
    ]
    for own, expected in ((found.mean, mean), (found.controlled, controlled)):
        assert np.stack([own.value, own.low, own.high], axis=1) == pytest.approx(np.array(expected), abs=1e-6)
    assert found.weights.value == pytest.approx([0.5396, -0.0223, 0.1037, -0.0877], abs=5e-5)
