"""Published averages follow by our formulas from the numbers they are made of; those that do not are listed."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

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
from rmeval.published import all_boards, board_named

PRIOR = "Prior Sets (0.5 weight)"


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


def test_the_page_has_the_figures_of_the_packaged_facts() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "published.md").read_text()
    board = board_named("reward-bench")
    for row in board.ranked:
        mean = overall({name: row.values["section", name] for name in SECTIONS})
        assert mean is not None
        # Every contradiction is a prior of 0.
        line = f"| {row.model} | {row.values[board.headline]:.4f} | {mean:.4f} | {mean / 1.125:.4f} |"
        assert (line in page) == row.contradicts, line
    for row in board_named("rm-bench").rows:
        means = [
            f"{100 * sum(row.values[own] for own in names) / len(names):.2f}" if set(names) <= set(row.values) else ""
            for names in (
                [("average", name) for name in ("chat", "math", "code", "safety")],
                [(level, "all") for level in ("easy", "normal", "hard")],
            )
        ]
        flagged = any("possible mismatch" in note for note in row.notes)
        stated = f"{100 * row.values['overall', 'all']:.1f}"
        line = f"| {row.model} | {' | '.join(means)} | {stated} | {'yes' if flagged else 'no'} |"
        assert (line in page) == row.contradicts, line


def test_the_page_has_the_table_of_boards() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "published.md").read_text()
    for board in all_boards():
        wrong = sum(row.contradicts for row in board.rows)
        assert f"| `{board.id}` | {board.benchmark} | {len(board.rows)} | {wrong} | {board.date} |" in page


def test_what_a_prior_does_to_the_score() -> None:
    plain, prior = board_named("reward-bench"), board_named("reward-bench-prior")
    means = {row.model: row.values[plain.headline] for row in plain.ranked}
    gaps = [means[row.model] - row.values[prior.headline] for row in prior.rows]
    assert (sum(gap > 0 for gap in gaps), len(gaps)) == (73, 98)
    assert sum(gaps) / len(gaps) == pytest.approx(0.0101, abs=5e-5)
    without = [row for row in plain.ranked if row.model not in {own.model for own in prior.rows}]
    assert len([row for row in without if not row.contradicts]) == 67
