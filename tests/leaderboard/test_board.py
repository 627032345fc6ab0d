"""Boards: order, rank intervals, null baselines, and published results."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

import rmeval
from rmeval.leaderboard import Board, make_boards
from rmeval.results import Result, compare_runs

OVERALL = ("overall", "all")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    out = tmp_path_factory.mktemp("runs")
    return [
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=out, size=80, n_items=n)
        for name, n in (("longest", None), ("shortest", None), ("markdown", None), ("random", 20))
    ]


def as_models(results: list[Result]) -> list[Result]:
    """The results under names of models that are no baselines."""
    names = ("weak", "middle", "strong", "part")
    return [
        replace(one, manifest={**one.manifest, "model": {"name": name, "kind": "classifier"}})
        for one, name in zip(results, names, strict=True)
    ]


def test_rows_are_in_order_of_the_headline(results: list[Result]) -> None:
    (board,) = make_boards(results)
    assert (board.benchmark, board.headline, board.measures[0]) == ("rm-bench-synthetic", OVERALL, OVERALL)
    values = [row.values[OVERALL].value for row in board.rows if OVERALL in row.values]
    assert values == sorted(values, reverse=True)
    assert board.rows[-1].model == "baseline:random"  # It contains other items.
    assert all(not metric.startswith("cell:") for metric, _ in board.measures)
    by_name = {row.model: row for row in board.rows}
    record = results[0].record(*OVERALL)
    assert by_name["baseline:longest"].values[OVERALL].value == record.value
    assert by_name["baseline:longest"].values[OVERALL].ci == record.ci


def test_rank_intervals_are_those_of_compare(results: list[Result]) -> None:
    (board,) = make_boards(as_models(results))
    ranks = {row.run: row.rank for row in board.rows if row.run is not None}
    (compared,) = compare_runs([one.path for one in results[:3]])
    assert {path: ranks[path] for path in ranks if ranks[path] is not None} == {
        entry.path: entry.rank for entry in compared.entries
    }
    assert ranks[results[3].path] is None  # It contains other items.
    (part,) = (row for row in board.rows if row.model == "part")
    assert part.notes == ("on a selection of the items: 20 items at random (seed 0)",)


def test_null_baselines_without_a_run_are_rows(results: list[Result]) -> None:
    (board,) = make_boards(as_models(results)[:1])
    nulls = {row.model: row for row in board.rows if row.is_baseline}
    assert set(nulls) == {"baseline:random", "baseline:longest", "baseline:shortest", "baseline:markdown"}
    assert nulls["baseline:longest"].values[OVERALL].value == results[0].record(*OVERALL).null["longest"]
    assert all(row.rank is None for row in nulls.values())


def test_baselines_with_a_run_are_not_repeated(results: list[Result]) -> None:
    (board,) = make_boards(results)
    names = [row.model for row in board.rows]
    assert len(names) == len(set(names)) == 4
    assert {row.rank for row in board.rows} == {None}


def of_rm_bench(folder: Path, out: Path) -> Board:
    found = rmeval.evaluate("baseline:longest", "rm-bench", str(folder), out=out)
    (board,) = make_boards([found])
    return board


def test_published_rows_are_marked(rm_bench_folder: Path, tmp_path: Path) -> None:
    board = of_rm_bench(rm_bench_folder, tmp_path)
    published = [row for row in board.rows if row.published is not None]
    assert len(published) > 40
    assert all(row.run is None and row.rank is None and row.notes[0].startswith("published: ") for row in published)
    assert all(board.headline in row.values for row in published[:20])
    assert any(note.startswith("* published results, not computed here") for note in board.notes)
    values = [row.values[OVERALL].value for row in board.rows if OVERALL in row.values]
    assert values == sorted(values, reverse=True)
    assert not any(math.isnan(value) for value in values)


def test_boards_without_published_rows(rm_bench_folder: Path, tmp_path: Path) -> None:
    found = rmeval.evaluate("baseline:longest", "rm-bench", str(rm_bench_folder), out=tmp_path)
    (board,) = make_boards([found], published=False)
    assert all(row.published is None for row in board.rows)
    assert board.notes == ()


def test_other_data_have_a_board_of_their_own(results: list[Result], tmp_path: Path) -> None:
    others = [
        rmeval.evaluate(f"baseline:{name}", "rm-bench-synthetic", out=tmp_path, size=40, seed=7)
        for name in ("longest", "shortest")
    ]
    boards = make_boards([*results, *others])
    assert [board.benchmark for board in boards] == ["rm-bench-synthetic"] * 2
    assert len({board.title for board in boards}) == 2
    assert make_boards([]) == ()
