"""Several readings of one run, such as one per order: each number is the mean of the readings' numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.reward_bench_2 import COUNTS
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.outcomes import SCORE_RULES, outcomes
from rmeval.metrics.scoring.style_substance import COMPARISONS, DOMAINS
from rmeval.metrics.stats.bias import style_preference
from rmeval.results.align import moved_evidence
from rmeval.types import STYLES, Comparison, FloatArray, Item, Response


def rm_bench() -> list[Item]:
    responses = tuple(Response("", gold, style) for gold in (1.0, 0.0) for style in STYLES)
    return [
        Item(f"{subset}/{number}", subset, (), responses, COMPARISONS, f"{subset}/{number}")
        for subsets in DOMAINS.values()
        for subset in subsets
        for number in range(5)
    ]


def reward_bench() -> list[Item]:
    pair = (Response("", 1.0), Response("", 0.0))
    return [
        Item(f"{subset}/{number}", subset, (), pair, (Comparison((0, 1), 0, "chosen/rejected"),), f"{subset}/{number}")
        for subset in load_benchmark("reward-bench").card.counts
        for number in range(3)
    ]


def reward_bench_2() -> list[Item]:
    items = [
        Item(
            f"{subset}/{number}",
            subset,
            (),
            tuple(Response("", float(k == 0)) for k in range(4)),
            (Comparison((0, 1, 2, 3), 0, "best-of-4"),),
            f"{subset}/{number}",
        )
        for subset in COUNTS
        if subset != "Ties"
        for number in range(4)
    ]
    for number in range(4):
        for kind, right in (("tied", 2), ("ref", 1)):
            responses = tuple(Response("", float(k < right)) for k in range(4))
            items.append(Item(f"Ties/{kind}:{number}", "Ties", (), responses, (), f"Ties/{number}", str(number)))
    return items


def reward_math() -> list[Item]:
    responses = tuple(Response("", float(k == 0)) for k in range(10))
    return [
        Item(str(number), "all", (), responses, (Comparison(tuple(range(10)), 0, "best-of-10"),), str(number))
        for number in range(12)
    ]


def ppe_correctness() -> list[Item]:
    benchmark = load_benchmark("ppe-correctness")
    return [
        Item(f"{subset}/{number}", subset, (), tuple(Response("", float(k % 2)) for k in range(8)), (), str(number))
        for subset in benchmark.card.counts
        for number in range(5)
    ]


BENCHMARKS: dict[str, Callable[[], list[Item]]] = {
    "rm-bench": rm_bench,
    "reward-bench": reward_bench,
    "reward-bench-2": reward_bench_2,
    "reward-math": reward_math,
    "ppe-correctness": ppe_correctness,
}


def scored(table: ItemTable, seed: int, missing: float = 0.0) -> EvidenceTable:
    """Coarse random scores, so that some are equal."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, 6, int(table.offsets[-1])).astype(float)
    scores[random.random(len(scores)) < missing] = np.nan
    return EvidenceTable(table, "orders/each", scores)


@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.parametrize("rule", sorted(SCORE_RULES))
def test_numbers_are_the_means_of_the_readings_numbers(name: str, rule: str) -> None:
    benchmark, table = load_benchmark(name), ItemTable.of(BENCHMARKS[name]())
    # Where failures are excluded, a comparison counts only with verdicts in all readings.
    missing = 0.0 if SCORE_RULES[rule].failure == "exclude" else 0.1
    parts = [scored(table, seed, missing) for seed in (1, 2)]
    whole = benchmark.aggregate(table, EvidenceTable.averaged(parts, {}), SCORE_RULES[rule])
    single = [benchmark.aggregate(table, one, SCORE_RULES[rule], intervals=False) for one in parts]
    keys = [(record.metric, record.scope) for record in whole]
    assert keys == [(record.metric, record.scope) for record in single[0]]
    assert len(keys) >= 2
    for record, one, other in zip(whole, *single, strict=True):
        assert record.value == pytest.approx((one.value + other.value) / 2, abs=1e-12), record


@pytest.mark.parametrize("name", BENCHMARKS)
def test_equal_readings_give_the_numbers_of_one(name: str) -> None:
    benchmark, table = load_benchmark(name), ItemTable.of(BENCHMARKS[name]())
    one = scored(table, 3, 0.05)
    found = benchmark.aggregate(table, one, benchmark.card.rule)
    assert benchmark.aggregate(table, EvidenceTable.averaged([one, one], {}), benchmark.card.rule) == found


def test_a_rule_that_excludes_failures_needs_a_verdict_in_each_reading() -> None:
    table = ItemTable.of(reward_bench()[:2])
    one, other = (EvidenceTable(table, "v", np.array(scores)) for scores in ([1.0, 0, 1, 0], [0, 1, np.nan, 0]))
    seen = EvidenceTable.averaged([one, other], {"unparsed": 1})
    found = outcomes(table, seen, SCORE_RULES["half-ties@1"])
    assert found.credit[0] == 0.5
    assert np.isnan(found.credit[1])
    assert found.failed.tolist() == [False, True]
    assert outcomes(table, seen, SCORE_RULES["official@1"]).credit.tolist() == [0.5, 0.5]


def test_readings_survive_the_choice_and_the_order_of_items() -> None:
    items = rm_bench()
    table = ItemTable.of(items)
    seen = EvidenceTable.averaged([scored(table, 1), scored(table, 2)], {})
    rule = SCORE_RULES["shared-ties@1"]
    whole = outcomes(table, seen, rule).credit.reshape(-1, 9)
    kept = np.arange(len(items)) % 3 == 0
    assert np.array_equal(outcomes(table.take(kept), seen.take(kept), rule).credit.reshape(-1, 9), whole[kept])
    backwards = ItemTable.of(items[::-1])
    assert np.array_equal(outcomes(backwards, seen, rule).credit.reshape(-1, 9), whole[::-1])
    moved = moved_evidence(backwards, seen, np.arange(len(items))[::-1])
    assert np.array_equal(outcomes(backwards, moved, rule).credit.reshape(-1, 9), whole[::-1])


def test_preferences_for_styles_are_averaged() -> None:
    table = ItemTable.of(rm_bench())
    parts = [scored(table, 1), scored(table, 2)]
    shares: list[FloatArray] = [style_preference(one)[0] for one in parts]
    assert style_preference(EvidenceTable.averaged(parts, {}))[0].tolist() == np.mean(shares, axis=0).tolist()
