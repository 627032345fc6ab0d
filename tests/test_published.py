"""Published averages follow by our formulas from the numbers they are made of; those that do not are listed."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from scripts.check_published import FEWER, FOUR, PRIOR, WITH_PRIOR, report, reward_bench_rows, rm_bench_rows

from rmeval.benchmarks.reward_bench import RewardBench
from rmeval.benchmarks.rmb import COUNTS, PARTS, RMB
from rmeval.metrics.composition import Shares
from rmeval.metrics.scoring.sections import (
    EXAMPLE_COUNTS,
    PRIOR_SETS,
    SECTIONS,
    overall,
    overall_with_prior,
    prior_score,
    section_scores,
)
from rmeval.metrics.scoring.style_substance import COMPARISONS, DOMAINS, level_of, style_substance_composition


@pytest.fixture(scope="module")
def published(shared: Path) -> Path:
    return shared / "data" / "published"


def rm_r1(published: Path, name: str) -> Any:
    return json.loads((published / "rm-r1-deepseek-32b" / f"{name}.json").read_text())


def rows(published: Path, name: str) -> list[dict[str, str]]:
    with (published / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def averaged(shares: Shares, accuracy: Mapping[str, float]) -> float:
    return sum(share * accuracy[subset] for (subset, _), share in shares.items())


def test_rm_r1_on_rewardbench(published: Path) -> None:
    accuracy = {
        name: value for name, value in rm_r1(published, "rewardbench_subsets").items() if name in EXAMPLE_COUNTS
    }
    wanted = rm_r1(published, "rewardbench_sections")
    sections = section_scores(accuracy)
    assert {name: wanted[name] for name in SECTIONS} == pytest.approx(sections, abs=1e-15)
    assert wanted["avg_Result_each_section"] == pytest.approx(overall(sections), abs=1e-15)
    # The share of all 2,985 items that are right, where maths weighs its 447 items and not 984.
    counts = RewardBench.card.counts
    assert sum(counts.values()) == 2985
    pooled = sum(accuracy[name] * count for name, count in counts.items()) / 2985
    assert wanted["absoluate_Result"] == pytest.approx(pooled, abs=1e-15)
    # Our composition gives the same numbers.
    composed = RewardBench().composition({(name, "chosen/rejected"): count for name, count in counts.items()})
    assert wanted["Reasoning"] == pytest.approx(averaged(composed["section", "Reasoning"], accuracy), abs=1e-15)


def test_rm_r1_on_rm_bench(published: Path) -> None:
    wanted = rm_r1(published, "rm-bench")
    shares = style_substance_composition(
        {(subset, comparison.tag): 1 for own in DOMAINS.values() for subset in own for comparison in COMPARISONS}
    )["overall", "all"]
    by_domain = {name: sum(s for (subset, _), s in shares.items() if subset in own) for name, own in DOMAINS.items()}
    by_level = {
        level: sum(share for (_, tag), share in shares.items() if level_of(tag) == level)
        for level in ("easy", "normal", "hard")
    }
    for made_of in (
        sum(share * wanted[domain] for domain, share in by_domain.items()),
        sum(share * wanted[f"{level}_acc"] for level, share in by_level.items()),
    ):
        assert wanted["total_avg_acc"] == pytest.approx(made_of, abs=1e-12)


def test_rm_r1_on_rmb(published: Path) -> None:
    """Parts pool their items; the mean over scenarios, or over categories, is another number each time."""
    composed = RMB().composition({(subset, "any"): count for subset, count in COUNTS.items()})
    pairs = {"bon/Helpfulness": 4895, "bon/Harmlessness": 3819}
    everything: dict[str, float] = {}
    for part, subsets in PARTS.items():
        kind, goal = part.split("/")
        head, scenarios = rm_r1(published, f"rmb_{'BoN' if kind == 'bon' else 'Pairwise'}_set_{goal}")
        accuracy = {f"{kind}/{path.partition('/')[2]}": value for path, value in scenarios.items()}
        assert set(accuracy) == set(subsets)
        # With these counts every accuracy is a whole number of items, also where a count is not from a file.
        right = {name: value * COUNTS[name] for name, value in accuracy.items()}
        assert right == pytest.approx({name: round(value) for name, value in right.items()}, abs=1e-9)
        wanted = head["BoN Final Accuracy" if kind == "bon" else "Overall_accuracy"]
        assert wanted == pytest.approx(averaged(composed["section", part], accuracy), abs=1e-15)
        assert abs(wanted - sum(accuracy.values()) / len(accuracy)) > 1e-4
        if kind == "bon":
            assert head["BoN Absolute Number of Correct"] == round(sum(right.values()))
            assert head["BoN Absolute Total Numbers"] == sum(COUNTS[name] for name in subsets)
            # This one is over the pairs of the best answer with each other one: as many as the data have.
            won = head["Absolute Accuracy (all correct / all)"] * pairs[part]
            assert won == pytest.approx(round(won), abs=1e-9)
        everything |= accuracy
    # Table 1 of RM-R1 (arXiv 2505.02387): 69.8.
    assert round(100 * averaged(composed["overall", "all"], everything), 1) == 69.8


def test_priors_of_the_leaderboard(published: Path) -> None:
    """Accuracies as in `pref-sets` of allenai/reward-bench-results; prior as on the leaderboard."""
    accuracies = {
        "openai/gpt-4o-2024-05-13": (0.6813632675142007, 0.8914027149321267, 0.6645605973578403, 0.6672777777777777),
        "openai/gpt-4-turbo-2024-04-09": (
            0.6825804706518799,
            0.9140271493212669,
            0.6677197013210798,
            0.6808333333333333,
        ),
    }
    table = {row["model"]: row for row in rows(published, "rewardbench-v1-leaderboard")}
    for model, own in accuracies.items():
        accuracy = dict(zip(PRIOR_SETS, own, strict=True))
        # Harmless, and what else there is, does not count.
        assert float(table[model][PRIOR]) == pytest.approx(prior_score(accuracy | {"mtbench_human": 0.0}), abs=5e-5)
    assert prior_score({"shp": 1.0}) is None


def test_scores_with_priors_of_the_leaderboard(published: Path) -> None:
    """All 98 rows that count a prior, within what rounding to four digits can do."""
    checked = 0
    for row in rows(published, "rewardbench-v1-leaderboard"):
        if row[PRIOR] and float(row[PRIOR]) > 0:
            sections = {name: float(row[name]) for name in SECTIONS}
            assert overall_with_prior(sections, float(row[PRIOR])) == pytest.approx(float(row["Score"]), abs=1.0001e-4)
            checked += 1
    assert checked == 98


def test_a_score_with_a_prior_needs_all_of_it() -> None:
    sections = {"Chat": 1.0, "Chat Hard": 0.8, "Safety": 0.6, "Reasoning": 0.4}
    assert overall_with_prior(sections, 0.2) == pytest.approx((2.8 + 0.1) / 4.5)
    assert overall_with_prior(sections, None) is None
    assert overall_with_prior({"Chat": 1.0}, 0.2) is None


def test_rows_of_rewardbench_that_contradict_themselves(published: Path) -> None:
    scored = reward_bench_rows(rows(published, "rewardbench-v1-leaderboard"))
    kinds = [row.formula for row in scored]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {WITH_PRIOR: 105, FOUR: 67, FEWER: 15}
    wrong = [row for row in scored if row.contradicts]
    assert [row.model for row in wrong] == [
        "allenai/Llama-3.1-70B-Instruct-RM-RB2",
        "allenai/Llama-3.1-Tulu-3-70B-SFT-RM-RB2",
        "allenai/Llama-3.1-8B-Instruct-RM-RB2",
        "allenai/Llama-3.1-Tulu-3-8B-SFT-RM-RB2",
        "allenai/Llama-3.1-8B-Base-RM-RB2",
        "allenai/Llama-3.1-Tulu-3-8B-DPO-RM-RB2",
        "allenai/Llama-3.1-Tulu-3-8B-RL-RM-RB2",
    ]
    # All of them have a prior of 0 that their Score leaves out.
    assert all(row.score == pytest.approx(row.plain, abs=1.0001e-4) for row in wrong)


def test_rows_of_rm_bench_that_contradict_themselves(published: Path) -> None:
    averaged = rm_bench_rows(rows(published, "rm-bench-leaderboard"))
    assert len(averaged) == 51
    assert sum(row.domains is not None and row.levels is not None for row in averaged) == 40
    assert {row.model: row.flagged for row in averaged if row.contradicts} == {
        "REWARDANYTHING-8B": True,
        "DeepSeek R1": False,
        "RM-R1-Qwen-Instruct-32B": True,
        "GPT-4.1": False,
        "RM-R1-Qwen-Instruct-14B": False,
        "Qwen3-8B": True,
        "DeepSeek V3": False,
        "Skywork-Reward-Llama-3.1-8B-v0.2": True,
        "GRM-Llama3.2-3B-rewardmodel-ft": True,
        "FsfairX-LLLaMA3-RM-v0.1": True,
    }
    assert [row.model for row in averaged if row.flagged and not row.contradicts] == []
    assert {row.model: row.averages for row in averaged if row.averages} == {"DeepSeek R1": ("Difficulty Avg",)}
    assert [row.model for row in averaged if row.upside_down] == ["SOLAR-10.7B-Instruct-v1.0"]
    assert [row.model for row in averaged if row.domains is None and row.levels is None] == [
        "J1-Llama-70B",
        "EvalPlanner-Llama-8B",
    ]


def made(**change: str) -> dict[str, str]:
    """A row of RM-Bench's leaderboard whose averages are as far off as rounding allows."""
    row = {"model": "m", "Chat": "70.0", "Math": "60.0", "Code": "50.0", "Safety": "90.0"}
    row |= {"Easy": "90.0", "Normal": "70.0", "Hard": "42.5", "Domain Avg": "67.5", "Difficulty Avg": "67.5"}
    return row | {"Overall": "67.4", "Potentially Score Mismatch": "False"} | change


def test_rounding_is_no_contradiction() -> None:
    (fine, off, none) = rm_bench_rows([made(), made(Overall="67.3"), made(Hard="", Chat="")])
    assert not fine.contradicts
    assert off.contradicts and not off.averages
    assert none.averages == ("Domain Avg", "Difficulty Avg") and none.contradicts


def test_the_report_and_the_page_have_the_same_figures(published: Path) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "published.md").read_text()
    scored = reward_bench_rows(rows(published, "rewardbench-v1-leaderboard"))
    for row in scored:
        line = f"| {row.model} | {row.score:.4f} | {row.plain:.4f} | {row.computed:.4f} |"
        assert (line in page) == row.contradicts, line
    for one in rm_bench_rows(rows(published, "rm-bench-leaderboard")):
        means = " | ".join("" if mean is None else f"{mean:.2f}" for mean in (one.domains, one.levels))
        line = f"| {one.model} | {means} | {one.overall:.1f} | {'yes' if one.flagged else 'no'} |"
        assert (line in page) == one.contradicts, line
    assert "the prior lowers the Score of 73 of 98 rows that count one, by 0.0101 on average" in list(report(published))
