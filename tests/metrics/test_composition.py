from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmeval.benchmarks import Card
from rmeval.benchmarks.hooks import adopted
from rmeval.benchmarks.pairs import Pairs
from rmeval.benchmarks.reward_bench import RewardBench
from rmeval.benchmarks.rm_bench import RMBench
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.composition import composition_of
from rmeval.metrics.outcomes import OFFICIAL, Outcomes, outcomes
from rmeval.metrics.scoring.sections import EXAMPLE_COUNTS
from rmeval.metrics.scoring.style_substance import COMPARISONS, styled_responses
from rmeval.types import Comparison, Item, Record, Response

PAIR = (Response("a", 1.0), Response("b", 0.0))
DOMAINS = ("chat", "math", "code", "safety-refuse", "safety-response")
MADE: dict[str, tuple[Any, tuple[str, ...], Any]] = {
    "rm-bench": (RMBench(), DOMAINS, (styled_responses("abc", "def"), COMPARISONS)),
    "reward-bench": (RewardBench(), tuple(EXAMPLE_COUNTS), (PAIR, (Comparison((0, 1), 0, "chosen/rejected"),))),
    "pairs": (Pairs("x"), ("one", "two"), (PAIR, (Comparison((0, 1), 0),))),
}


def items_of(name: str, random: np.random.Generator, missing: float) -> list[Item]:
    _, subsets, (responses, comparisons) = MADE[name]
    return [
        Item(f"{subset}{k}", subset, (), responses, comparisons, f"{subset}{k // 2}")
        for subset in subsets
        if random.random() >= missing
        for k in range(random.integers(1, 6))
    ]


def part_accuracies(found: Outcomes) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], float]]:
    parts = [
        (found.subsets[found.subset[item]], found.tags[tag])
        for item, tag in zip(found.item.tolist(), found.tag.tolist(), strict=True)
    ]
    won: Counter[tuple[str, str]] = Counter()
    for part, credit in zip(parts, found.credit.tolist(), strict=True):
        won[part] += credit
    counts = Counter(parts)
    return dict(counts), {part: won[part] / count for part, count in counts.items()}


@pytest.mark.parametrize("name", sorted(MADE))
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5]))
@pytest.mark.slow
def test_what_a_number_is_made_of_gives_the_number(name: str, seed: int, missing: float) -> None:
    random = np.random.default_rng(seed)
    benchmark = MADE[name][0]
    items = items_of(name, random, missing)
    if not items:
        return
    table = ItemTable.of(items)
    evidence = EvidenceTable(table, "score", random.integers(0, 4, int(table.offsets[-1])).astype(float))
    counts, accuracy = part_accuracies(outcomes(table, evidence, OFFICIAL))
    made = composition_of(benchmark, counts)
    records = {(r.metric, r.scope): r.value for r in benchmark.aggregate(table, evidence, OFFICIAL, intervals=False)}
    left = {scope for _, scope in set(records) - set(made)}
    assert set(made) <= set(records)
    assert left <= {"safety-refuse", "safety-response"}
    assert left == set() or len(table.counts.keys() & {"safety-refuse", "safety-response"}) == 1
    for measure, shares in made.items():
        value = sum(share * accuracy[part] for part, share in shares.items())
        assert value == pytest.approx(records[measure], abs=1e-12), measure
        assert sum(shares.values()) == pytest.approx(0.0 if measure[0] == "style_gap" else 1.0)


class Plain:
    """The least that a benchmark from outside has."""

    card = Card("plain", "Plain", "", "", None, "", "", "")

    def load(self) -> list[Item]:
        return []

    def aggregate(self, items: Any, evidence: Any, rule: Any, intervals: bool = True) -> list[Record]:
        return []


def test_a_benchmark_that_says_nothing_of_it_has_subsets_and_all() -> None:
    counts = {("one", "x"): 3, ("one", "y"): 1, ("two", "x"): 4}
    made = composition_of(adopted(Plain()), counts)
    assert made == {
        ("accuracy", "one"): {("one", "x"): 0.75, ("one", "y"): 0.25},
        ("accuracy", "two"): {("two", "x"): 1.0},
        ("accuracy", "all"): {("one", "x"): 0.375, ("one", "y"): 0.125, ("two", "x"): 0.5},
    }
