from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rmeval.benchmarks.reward_bench import RewardBench
from rmeval.metrics.scoring.sections import EXAMPLE_COUNTS, SECTIONS, overall, section_scores


def test_by_hand() -> None:
    # Chat from two of its subsets: (100 x .9 + 28 x .5) / 128. math-prm weighs 984: (984 x 1 + 164 x 0) / 1148.
    found = section_scores({"alpacaeval-easy": 0.9, "mt-bench-easy": 0.5, "math-prm": 1.0, "hep-go": 0.0})
    assert found == pytest.approx({"Chat": 104 / 128, "Reasoning": 984 / 1148})


def test_overall_needs_all_four() -> None:
    assert overall({"Chat": 0.1, "Chat Hard": 0.2, "Safety": 0.3}) is None
    assert overall({"Chat": 0.1, "Chat Hard": 0.2, "Safety": 0.3, "Reasoning": 0.6}) == pytest.approx(0.3)


def test_reference(fixtures: Any) -> None:
    reference = fixtures("reward_bench_sections.json")
    assert reference["EXAMPLE_COUNTS"] == EXAMPLE_COUNTS
    assert {name: tuple(parts) for name, parts in reference["SUBSET_MAPPING"].items()} == SECTIONS
    accuracy = {name: value for name, value in reference["metrics"].items() if name in EXAMPLE_COUNTS}
    assert section_scores(accuracy) == pytest.approx(reference["sections"], abs=1e-12)


def test_a_section_without_subsets_is_absent_where_the_reference_gives_zero(fixtures: Any) -> None:
    reference = fixtures("reward_bench_sections.json")
    found = section_scores(reference["partial_metrics"])
    assert found == pytest.approx({"Chat": reference["partial_sections"]["Chat"], "Reasoning": 0.6280487804878049})
    assert {name for name, value in reference["partial_sections"].items() if value == 0} == set(SECTIONS) - set(found)


def test_a_published_model(shared: Path) -> None:
    """RM-R1's published subsets give its published sections and their mean."""
    folder = shared / "data" / "published" / "rm-r1-deepseek-32b"
    subsets = json.loads((folder / "rewardbench_subsets.json").read_text())
    wanted = json.loads((folder / "rewardbench_sections.json").read_text())
    found = section_scores({name: subsets[name] for name in EXAMPLE_COUNTS})
    for section, value in found.items():
        assert value == pytest.approx(wanted[section], abs=1e-12)
    assert overall(found) == pytest.approx(wanted["avg_Result_each_section"], abs=1e-12)


def test_counts_are_those_of_the_card() -> None:
    assert sum(RewardBench.card.counts.values()) == 2985
    assert {name for parts in SECTIONS.values() for name in parts} == set(EXAMPLE_COUNTS)
