from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.outcomes import HALF, OFFICIAL
from rmeval.metrics.scoring.ppe import (
    METRICS,
    battles_of,
    brier_score,
    confidence_agreement,
    ranking_records,
    row_pearson,
    separated,
)
from rmeval.metrics.stats.correlation import kendall, spearman
from rmeval.metrics.stats.ratings import bradley_terry
from rmeval.types import Comparison, Item, Record, Response

NAMES = ("a", "b", "c", "d", "e")


def battle(number: int, one: str, other: str, tie: bool = False, cluster: str | None = None) -> Item:
    """The first answer won, or there was a tie."""
    responses = (Response("", 0.5 if tie else 1.0, source=one), Response("", 0.5 if tie else 0.0, source=other))
    comparison = Comparison((0, 1), None if tie else 0)
    return Item(str(number), "all", (), responses, (comparison,), cluster or str(number))


def made(count: int, seed: int = 0) -> tuple[list[Item], list[tuple[float, float]]]:
    """Battles of five models, of which each is as much better than the next in the eyes of people and of the scores."""
    random = np.random.default_rng(seed)
    items, scores = [], []
    for number in range(count):
        one, other = random.choice(5, 2, replace=False).tolist()
        if random.random() < 1 / (1 + np.exp(0.4 * (one - other))):
            one, other = other, one
        items.append(battle(number, NAMES[one], NAMES[other], tie=bool(random.random() < 0.2)))
        drawn = random.normal(size=2)
        scores.append((0.5 * one + drawn[0], 0.5 * other + drawn[1]))
    return items, scores


def numbers(items: list[Item], scores: Any, rule: Any = OFFICIAL, intervals: bool = True) -> dict[str, Record]:
    table = ItemTable.of(items)
    evidence = EvidenceTable(table, "score", np.array(scores, float).ravel())
    return {r.metric: r for r in ranking_records("b", rule, table, evidence, "b", intervals)}


def test_battles_of_items() -> None:
    items = [
        battle(0, "a", "b"),
        battle(1, "b", "a", tie=True),
        battle(2, "c", "c"),
        Item("3", "all", (), (Response("", 1.0), Response("", 0.0)), (Comparison((0, 1)),), "3"),
        battle(4, "b", "c"),
        Item("5", "all", (), battle(5, "a", "c").responses, (Comparison((0, 1), 1),), "5"),
    ]
    table = ItemTable.of(items)
    scores = np.array([2, 1, 1, 1, 9, 0, 9, 0, np.nan, 0, -np.inf, np.inf])
    found = battles_of(table, EvidenceTable(table, "score", scores, beats={0: np.array([[0.5, 0.2], [0.8, 0.5]])}))
    assert found.item.tolist() == [0, 1, 4, 5]
    sides = [(found.names[one], found.names[other]) for one, other in zip(found.first, found.second, strict=True)]
    assert sides == [("a", "b"), ("b", "a"), ("b", "c"), ("a", "c")]
    assert found.human.tolist() == [1, 0.5, 1, 0]
    # What a model that compares said goes before scores.
    assert found.judged.tolist() == pytest.approx([0, 0.5, np.nan, 0], nan_ok=True)


def test_row_pearson_by_hand() -> None:
    human = np.array([[0, 3, 1], [1, 0, 2.5], [3, 1.5, 0]])
    judged = np.array([[0, 2, 1], [2, 0, 4], [3, 0, 0]])
    # Rates of a: .75 .25 and .5 .25 are +1; of b: .25 .625 and .5 1 are +1; of c: .75 .375 and .75 0 are +1.
    assert row_pearson(human, judged) == pytest.approx(1)
    # Turned about for b alone: a .75 .25 with .5 .25, b .25 .625 with .5 .25, c .75 .375 with .75 .75: no variance.
    judged = np.array([[0, 2, 1], [2, 0, 1], [3, 3, 0]])
    assert row_pearson(human, judged) == pytest.approx(0)
    # With four models, as scipy has it; the first two never met.
    random = np.random.default_rng(1)
    human, judged = random.integers(1, 9, (2, 4, 4)).astype(float)
    for wins in (human, judged):
        wins[0, 1] = wins[1, 0] = 0
    rows = []
    for k in range(4):
        others = [j for j in range(4) if j != k and {j, k} != {0, 1}]
        one, other = ([wins[k, j] / (wins[k, j] + wins[j, k]) for j in others] for wins in (human, judged))
        rows.append(stats.pearsonr(one, other).statistic)
    assert row_pearson(human, judged) == pytest.approx(np.mean(rows))


def test_separated_by_hand() -> None:
    # 2.5 and 97.5 per cent of 0..100 are 2.5 and 97.5: the second begins where the first has ended, or just before.
    steps = np.arange(101.0)
    found = separated(np.stack([steps, steps + 95.1, steps + 94.9], axis=1))
    assert found.tolist() == [[0, -1, 0], [1, 0, 0], [0, 0, 0]]


def test_confidence_agreement_by_hand() -> None:
    human = np.array([[0, 1, 1, 1], [-1, 0, 0, 1], [-1, 0, 0, 1], [-1, -1, -1, 0]])
    judged = np.array([[0, 1, 0, -1], [-1, 0, 1, 1], [0, -1, 0, 0], [1, -1, 0, 0]])
    # Of the five pairs that people tell apart two agree, one is opposite, two are open; the sixth doesn't count.
    assert confidence_agreement(human, judged) == pytest.approx((2 - 1) / 5)
    assert confidence_agreement(human, human) == 1
    assert np.isnan(confidence_agreement(np.zeros((4, 4)), judged))


def test_brier_score_by_hand() -> None:
    # Differences 1 and 3: mean 2, deviation sqrt(2); -1 and 1: a forecast of one half; the third is sure and wrong.
    ratings = np.array([[1.0, 0.0, 2.0], [3.0, 0.0, 2.0]])
    human = np.array([3.0, 2.0, 1.0])
    first = stats.norm.cdf(2 / np.sqrt(2))
    assert brier_score(human, ratings) == pytest.approx(((first - 1) ** 2 + 0.25 + 1) / 3)
    assert brier_score(np.array([3.0, 3.0, 1.0]), ratings) == pytest.approx(((first - 0.5) ** 2 + 0.25 + 1) / 3)


def test_records_of_made_up_battles() -> None:
    items, scores = made(1500)
    found = numbers(items, scores)
    assert tuple(found) == METRICS
    wins = np.zeros((2, 5, 5))
    for item, (one, other) in zip(items, scores, strict=True):
        first, second = (NAMES.index(str(response.source)) for response in item.responses)
        vote = 0.5 if item.comparisons[0].gold is None else 1.0
        for table, credit in zip(wins, (vote, float(one > other)), strict=True):
            table[first, second] += credit
            table[second, first] += 1 - credit
    human, judged = bradley_terry(wins)
    assert found["spearman"].value == pytest.approx(spearman(human, judged))
    assert found["kendall"].value == pytest.approx(kendall(human, judged))
    assert found["row_pearson"].value == pytest.approx(float(row_pearson(*wins)))
    assert found["separability"].value * 10 == pytest.approx(round(found["separability"].value * 10))
    assert found["confidence_agreement"].value > 0.5
    assert found["brier"].value < 0.1
    assert (found["brier"].n_items, found["brier"].n_clusters, found["brier"].ties) == (1500, 1500, 0)
    assert found["brier"].formula == "b/brier@1"
    assert found["brier"].ci is None
    interval = found["row_pearson"].ci
    assert interval is not None
    assert interval[0] < found["row_pearson"].value < interval[1] <= 1
    assert str(found["row_pearson"].ci_method).startswith("cluster-bootstrap(1000")
    plain = numbers(items, scores, intervals=False)
    assert {metric: (r.value, r.ci) for metric, r in plain.items()} == {m: (r.value, None) for m, r in found.items()}


def test_the_same_votes_and_the_opposite_ones() -> None:
    items, _ = made(1500, seed=1)
    golds = np.array([[response.gold for response in item.responses] for item in items], float)
    same = numbers(items, golds)
    assert {metric: round(same[metric].value, 9) for metric in METRICS[:4]} == dict.fromkeys(METRICS[:4], 1.0)
    assert same["brier"].value < 0.05
    turned = numbers(items, -golds)
    assert {metric: round(turned[metric].value, 9) for metric in METRICS[:4]} == dict.fromkeys(METRICS[:4], -1.0)
    assert turned["separability"].value == pytest.approx(same["separability"].value)
    assert turned["brier"].value > 0.9
    ties = sum(item.comparisons[0].gold is None for item in items)
    assert same["brier"].ties == ties


def test_missing_scores() -> None:
    items, scores = made(900, seed=2)
    lost = np.array(scores)
    lost[::3, 0] = np.nan
    left = [item for number, item in enumerate(items) if number % 3]
    found, kept = numbers(items, lost), numbers(items, lost, HALF)
    assert (found["kendall"].failures, kept["kendall"].failures) == (300, 300)
    # A draw where failures are losses; nothing at all where they are left out, but people's votes stay.
    drawn = np.array(scores)
    drawn[::3] = 0
    assert found["row_pearson"].value == pytest.approx(numbers(items, drawn)["row_pearson"].value)
    assert kept["row_pearson"].value != pytest.approx(found["row_pearson"].value, abs=1e-6)
    assert kept["row_pearson"].value != pytest.approx(numbers(left, lost[~np.isnan(lost[:, 0])])["row_pearson"].value)
    assert numbers(items, np.full((900, 2), np.nan)) == {}


def test_problems_are_resampled_whole() -> None:
    items, scores = made(600, seed=3)
    alike = [Item(i.id, i.subset, (), i.responses, i.comparisons, str(number // 20)) for number, i in enumerate(items)]
    single, whole = numbers(items, scores)["row_pearson"], numbers(alike, scores)["row_pearson"]
    assert single.value == whole.value
    assert (single.n_clusters, whole.n_clusters) == (600, 30)
    assert single.ci != whole.ci


def test_who_tells_nothing_apart() -> None:
    items, scores = made(400, seed=4)
    found = numbers(items, np.ones((400, 2)))
    values = {metric: record.value for metric, record in found.items()}
    assert values == dict.fromkeys(METRICS[:5], 0.0) | {"brier": 0.25}
    assert (found["kendall"].ci, found["kendall"].ties) == (None, 400)
    tied = []
    for number, item in enumerate(items):
        one, other = (str(response.source) for response in item.responses)
        tied.append(battle(number, one, other, tie=True))
    assert numbers(tied, scores) == {}


def test_two_models_are_no_ranking() -> None:
    items = [battle(number, "a", "b") for number in range(20)]
    assert numbers(items, [(1, 0)] * 20) == {}
