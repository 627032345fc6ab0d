"""The packaged boards: what they contain, and what their sources contain."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from rmeval.errors import DataError
from rmeval.metrics.scoring.sections import SECTIONS, overall, overall_with_prior
from rmeval.published import PublishedBoard, PublishedRow, all_boards, board_named, published_boards

DOMAINS, LEVELS = ("chat", "math", "code", "safety"), ("easy", "normal", "hard")


def rows_of(board: PublishedBoard) -> dict[str, PublishedRow]:
    return {row.model: row for row in board.rows}


def test_every_board_is_complete() -> None:
    found = {board.id: (board.benchmark, len(board.rows), len(board.ranked)) for board in all_boards()}
    assert found == {
        "reward-bench": ("reward-bench", 187, 172),
        "reward-bench-2": ("reward-bench-2", 197, 197),
        "reward-bench-prior": ("reward-bench with prior sets", 98, 98),
        "rm-bench": ("rm-bench", 51, 51),
        "rm-bench-rm-r1": ("rm-bench", 36, 36),
        "rmb": ("rmb", 31, 31),
    }
    for board in all_boards():
        assert board.source.startswith("https://"), board.id
        assert board.date and board.licence and board.formula, board.id
        values = [row.values[board.headline] for row in board.ranked]
        assert values == sorted(values, reverse=True), board.id
        for row in board.rows:
            assert row.model and row.values, board.id
            # The composite of Ties can be a little below 0.
            assert all(-0.02 < value <= 1 for value in row.values.values()), row


def test_boards_are_found_by_benchmark_the_main_one_first() -> None:
    assert [board.id for board in published_boards("rm-bench")] == ["rm-bench", "rm-bench-rm-r1"]
    assert published_boards("rm-bench-synthetic") == ()
    assert board_named("rmb").benchmark == "rmb"
    with pytest.raises(DataError, match=r"no published board 'rm-bnch': did you mean rm-bench\?"):
        board_named("rm-bnch")


def test_contradictions_by_board() -> None:
    found = {board.id: sum(row.contradicts for row in board.rows) for board in all_boards()}
    assert found == {
        "reward-bench": 7,
        "reward-bench-2": 0,
        "reward-bench-prior": 0,
        "rm-bench": 10,
        "rm-bench-rm-r1": 2,
        "rmb": 2,
    }


def test_rows_of_rm_bench_that_contradict_themselves() -> None:
    rows = rows_of(board_named("rm-bench"))
    flagged = {row.model: any("possible mismatch" in note for note in row.notes) for row in rows.values()}
    assert {model: flagged[model] for model, row in rows.items() if row.contradicts} == {
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
    assert sum(flagged.values()) == 6
    assert rows["REWARDANYTHING-8B"].notes[0] == (
        "the overall is 86.4, but the mean of chat, math, code and safety is 83.1 and the mean of easy, normal and "
        "hard is 86.37"
    )
    assert [row.model for row in rows.values() if not row.contradicts and row.notes] == [
        "J1-Llama-70B",
        "EvalPlanner-Llama-8B",
    ]
    alone = rows["J1-Llama-70B"]
    assert alone.notes == ("the source states no numbers that the headline could be computed from",)
    assert alone.values == {("overall", "all"): 0.827}


def test_columns_that_contradict_their_source() -> None:
    rows = rows_of(board_named("rm-bench"))
    r1 = rows["DeepSeek R1"]
    # As the README of RM-Bench states them, and in the other order.
    assert (r1.values["average", "math"], r1.values["average", "code"]) == (0.727, 0.936)
    assert any("exchanged" in note for note in r1.notes)
    assert "the mean of levels is 80.2, but there is no number of easy and normal" in r1.notes
    paper = rows_of(board_named("rm-bench-rm-r1"))["RM-R1-Qwen-Instruct-32B"]
    listed = rows["RM-R1-Qwen-Instruct-32B"]
    assert (paper.values["average", "math"], paper.values["average", "code"]) == (0.802, 0.668)
    assert {k for k, value in paper.values.items() if listed.values[k] != value} == {
        ("average", "math"),
        ("average", "code"),
    }
    smaller = rows["RM-R1-DeepSeek-Distilled-Qwen-7B"]
    for measure in (("average", "math"), ("average", "code")):
        assert listed.values[measure] == smaller.values[measure]
    # With the numbers of the paper the row is consistent.
    assert not paper.contradicts


def test_a_number_above_100_is_left_out() -> None:
    row = rows_of(board_named("rm-bench-rm-r1"))["JudgeLRM"]
    assert row.contradicts
    assert row.notes == ("the normal of 766.2 is above 100",)
    assert ("normal", "all") not in row.values
    assert row.values["hard", "all"] == 0.548


def test_the_two_formulas_of_rewardbench() -> None:
    plain, prior = board_named("reward-bench"), board_named("reward-bench-prior")
    included = [row for row in plain.rows if any("includes prior sets" in note for note in row.notes)]
    fewer = [row for row in plain.rows if plain.headline not in row.values]
    assert (len(included), len(fewer)) == (98, 15)
    assert Counter(row.model for row in included) == Counter(row.model for row in prior.rows)
    for row in plain.ranked:
        sections = {name: row.values["section", name] for name in SECTIONS}
        assert row.values[plain.headline] == pytest.approx(overall(sections), abs=1.0001e-4)
    armo = rows_of(plain)["RLHFlow/ArmoRM-Llama3-8B-v0.1"]
    assert armo.notes == (
        "its published score of 0.886 includes prior sets with a weight of one half: the mean of the parts is 0.9039",
    )
    assert rows_of(prior)["RLHFlow/ArmoRM-Llama3-8B-v0.1"].values[prior.headline] == 0.886
    unknown = fewer[0]
    assert ("section", "Reasoning") not in unknown.values
    assert unknown.notes[-1].endswith("it has no place among rows with four sections")


def test_rows_of_rewardbench_that_contradict_themselves() -> None:
    board = board_named("reward-bench")
    wrong = [row for row in board.rows if row.contradicts]
    assert [row.model for row in wrong] == [
        "allenai/Llama-3.1-70B-Instruct-RM-RB2",
        "allenai/Llama-3.1-Tulu-3-70B-SFT-RM-RB2",
        "allenai/Llama-3.1-8B-Instruct-RM-RB2",
        "allenai/Llama-3.1-Tulu-3-8B-SFT-RM-RB2",
        "allenai/Llama-3.1-8B-Base-RM-RB2",
        "allenai/Llama-3.1-Tulu-3-8B-DPO-RM-RB2",
        "allenai/Llama-3.1-Tulu-3-8B-RL-RM-RB2",
    ]
    assert wrong[0].notes == (
        "the score is 0.9021, but the mean of Chat, Chat Hard, Safety, Reasoning and half of prior is 0.8019",
    )


def test_rewardbench_2_has_the_numbers_of_the_paper() -> None:
    """Rows of Table 3 of arXiv 2506.01937, in percent: average, Factuality, IF, Math, Safety, Focus, Ties."""
    rows = rows_of(board_named("reward-bench-2"))
    table = {
        "nicolinho/QRM-Gemma-2-27B": (76.7, 78.5, 37.2, 69.9, 95.8, 95.4, 83.2),
        "anthropic/claude-opus-4-20250514": (76.5, 82.7, 41.9, 74.9, 89.5, 86.2, 83.7),
        "LxzGordon/URM-LLaMa-3.1-8B": (73.9, 68.8, 45.0, 63.9, 91.8, 97.6, 76.5),
        "openai/gpt-4o-2024-08-06": (64.9, 56.8, 33.1, 62.3, 86.2, 72.9, 78.2),
    }
    for model, numbers in table.items():
        values = rows[model].values
        assert [100 * value for value in values.values()] == pytest.approx(numbers, abs=0.0501), model
    assert sum(name.startswith("allenai/open_instruct_dev") for name in rows) == 124


def source_rows(shared: Path, name: str) -> list[dict[str, str]]:
    with (shared / "data" / "published" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_rm_bench_equals_its_source(shared: Path) -> None:
    rows = rows_of(board_named("rm-bench"))
    stated = source_rows(shared, "rm-bench-leaderboard")
    assert [row["model"] for row in stated] == list(rows)
    for own in stated:
        row = rows[own["model"]]
        columns = {("average", name): own[name.capitalize()] for name in DOMAINS}
        columns |= {(level, "all"): own[level.capitalize()] for level in LEVELS} | {("overall", "all"): own["Overall"]}
        wanted = {measure: float(cell) / 100 for measure, cell in columns.items() if cell}
        assert row.values == pytest.approx(wanted, abs=1e-12)
        assert (row.kind, row.url, row.licence) == (own["Model Type"], own["url"], own["License Type"])


def test_rewardbench_equals_its_source(shared: Path) -> None:
    """Names that the source cuts occur several times, so the rows are compared in the order of the sections."""
    plain, prior = board_named("reward-bench"), board_named("reward-bench-prior")
    stated = source_rows(shared, "rewardbench-v1-leaderboard")

    def key(row: PublishedRow) -> tuple[str, ...]:
        return (row.model, *(str(row.values.get(("section", name))) for name in SECTIONS))

    own = {key(row): row for row in plain.rows}
    with_prior = {key(row): row for row in prior.rows}
    assert len(own) == len(stated) == 187
    for source in stated:
        sections = {name: float(source[name]) if source[name] else None for name in SECTIONS}
        row = own[source["model"], *(str(value) for value in sections.values())]
        half = float(source["Prior Sets (0.5 weight)"] or 0)
        assert row.kind == source["model_type"]
        if half:
            other = with_prior[key(row)]
            assert other.values[prior.headline] == float(source["Score"])
            known = {name: value for name, value in sections.items() if value is not None}
            assert overall_with_prior(known, half) == pytest.approx(float(source["Score"]), abs=1.0001e-4)
        elif None not in sections.values():
            assert row.values[plain.headline] == float(source["Score"])
