"""Places of runs on boards, worked by hand, and which runs have one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import rmeval
from rmeval.benchmarks.rm_bench import RMBench
from rmeval.published import (
    PublishedBoard,
    PublishedRow,
    board_named,
    incomparable,
    place_among,
    place_notes,
    places_of,
)
from rmeval.published.places import ordinal, own_row
from rmeval.results.result import Result
from rmeval.types import Record
from tests.samples import rm_bench_rows

OVERALL = ("overall", "all")


def made_board(*values: float, wrong: int = -1, names: str = "abcdefgh") -> PublishedBoard:
    """A board with a row for each value, of which one contradicts itself."""
    rows = [PublishedRow(names[k], "", {OVERALL: value}, "", contradicts=k == wrong) for k, value in enumerate(values)]
    return PublishedBoard("b", "a board", "rm-bench", "https://example.org", "2025-07", OVERALL, tuple(rows))


def made_record(value: float, ci: tuple[float, float] | None = None) -> Record:
    own = ("rm-bench", "score", "official@1", *OVERALL, value, ci, "score" if ci else None)
    return Record(*own, n_items=9, n_clusters=9, weight=9.0, ties=0, failures=0, null={}, formula="x@1")


@pytest.mark.parametrize(
    ("value", "ci", "ranks"),
    [
        (0.65, None, (3, 3)),  # Below 0.9 and 0.7.
        (0.7, None, (2, 2)),  # Equal numbers share the better rank.
        (0.65, (0.62, 0.68), (3, 3)),
        (0.65, (0.55, 0.75), (2, 5)),  # The row with 0.7 may be above or below, and the two with 0.6 too.
        (0.65, (0.6, 0.7), (3, 3)),  # 0.7 is above every number in [0.6, 0.7), and 0.6 above none.
        (0.65, (0.59, 0.71), (2, 5)),
        (0.62, (0.6, 0.65), (3, 3)),
        (0.55, (0.5, 0.6), (5, 5)),  # 0.6 is above every number in [0.5, 0.6).
        (0.95, (0.92, 0.99), (1, 1)),
        (0.3, (0.2, 0.4), (6, 6)),
        (0.65, (0.65, 0.65), (3, 3)),  # An empty interval is no interval.
    ],
)
def test_ranks_are_those_of_the_interval(value: float, ci: tuple[float, float] | None, ranks: tuple[int, int]) -> None:
    place = place_among(made_record(value, ci), made_board(0.9, 0.7, 0.6, 0.6, 0.5))
    assert (place.first, place.last, place.of) == (*ranks, 6)


def test_rows_that_contradict_themselves_are_named_if_they_are_inside() -> None:
    board = made_board(0.9, 0.7, 0.6, 0.5, wrong=1)
    assert [row.model for row in place_among(made_record(0.65, (0.62, 0.75)), board).marked] == ["b"]
    assert place_among(made_record(0.55, (0.52, 0.58)), board).marked == ()


def test_sentences() -> None:
    board = made_board(0.9, 0.7, 0.6, wrong=1)
    assert place_among(made_record(0.65, (0.62, 0.75)), board).sentence == (
        "would rank 2nd-3rd of 4 on a board (2025-07; 1 row contradicts its own numbers)"
    )
    assert place_among(made_record(0.65), made_board(0.9, 0.7)).sentence == "would rank 3rd of 3 on a board (2025-07)"
    assert (
        place_among(made_record(0.65), replace(made_board(0.9), date="")).sentence == "would rank 2nd of 2 on a board"
    )
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th")
    ]


def test_the_own_row_is_left_out() -> None:
    board = made_board(0.9, 0.7, 0.6)
    place = place_among(made_record(0.7), board, "owner/B")
    assert (place.first, place.of, place.own) == (2, 3, board.rows[1])
    assert place.sentence == "would rank 2nd of 3 on a board (2025-07), without the row of b, which has 70.0"


def test_rows_are_found_by_name() -> None:
    rm_bench, reward_bench = board_named("rm-bench"), board_named("reward-bench")
    found = own_row("Skywork/Skywork-Reward-Llama-3.1-8B", rm_bench)
    assert found is not None and found.model == "Skywork-Reward-Llama-3.1-8B"
    found = own_row("openbmb/eurus-rm-7b", reward_bench)
    assert found is not None and found.model == "openbmb/Eurus-RM-7b"
    found = own_row("Eurus-RM-7b", reward_bench)
    assert found is not None and found.model == "openbmb/Eurus-RM-7b"
    assert own_row("somebody-else/Eurus-RM-7b", reward_bench) is None
    assert own_row("", rm_bench) is None
    # The source cuts several names to this one.
    assert own_row("tulu-2-7b-rm-v0-nectar-binarized-3.8m-check...", reward_bench) is None


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many made-up items of each domain as RM-Bench has."""
    folder = tmp_path_factory.mktemp("whole")
    for domain, count in RMBench.card.counts.items():
        (folder / f"{domain}_filtered.json").write_text(json.dumps(rm_bench_rows(domain, count)))
    return folder


@pytest.fixture(scope="module")
def complete(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    found = rmeval.evaluate("baseline:longest", "rm-bench", whole, out=tmp_path_factory.mktemp("complete"))
    assert incomparable(found) == f"is on other data ({whole})"
    assert places_of(found) == ()
    return on_published_data(found)


def on_published_data(result: Result) -> Result:
    """The run as if it were on the pinned data."""
    benchmark = {**result.manifest["benchmark"], "data": None}
    return replace(result, manifest={**result.manifest, "benchmark": benchmark})


def test_a_complete_run_has_a_place_on_each_board(complete: Result) -> None:
    assert incomparable(complete) == ""
    places = places_of(complete)
    assert [(place.board.id, place.of) for place in places] == [("rm-bench", 52), ("rm-bench-rm-r1", 37)]
    number = complete.record(*OVERALL)
    assert number.ci is not None and number.ci[1] < 0.597
    # The longest response is never better here than by chance, and the last row has 59.7.
    assert list(place_notes(complete)) == [
        "would rank 52nd of 52 on RM-Bench's leaderboard (2025-07-23; 10 rows contradict their own numbers)"
    ]


def test_the_place_follows_the_interval(complete: Result) -> None:
    better = replace(complete.record(*OVERALL), value=0.81, ci=(0.79, 0.82))
    place = places_of(replace(complete, records=(better,)))[0]
    # 0.82 or more: 12 rows. Above 0.79: these and 81.9, 81.6, 81.5, 81.1, 79.9 and 79.1.
    assert (place.first, place.last) == (13, 19)
    assert [row.model for row in place.marked] == ["RM-R1-Qwen-Instruct-32B"]


def test_other_runs_have_no_place(complete: Result, whole: Path, tmp_path: Path) -> None:
    some = rmeval.evaluate("baseline:longest", "rm-bench", whole, out=tmp_path, n_items=100)
    assert incomparable(some) == "is of 100 items at random (seed 0)"
    assert places_of(some) == ()
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "chat_filtered.json").write_text(json.dumps(rm_bench_rows("chat", 129)))
    part = rmeval.evaluate("baseline:longest", "rm-bench", tmp_path / "part", out=tmp_path)
    assert incomparable(part) == "does not have the 1327 items of rm-bench"
    other = rmeval.open_run(complete.path, rule="half-ties@1")
    assert incomparable(other) == "counts ties and failures by half-ties@1, and not by official@1"
    unfinished = replace(complete, manifest={**complete.manifest, "status": "running"})
    assert incomparable(unfinished) == "is unfinished"
    for run in (some, part, other, unfinished):
        assert list(place_notes(run)) == []


def test_a_benchmark_of_the_same_name_has_no_place(complete: Result) -> None:
    benchmark = {**complete.manifest["benchmark"], "spec": "mine.py:RMBench"}
    mine = replace(complete, manifest={**complete.manifest, "benchmark": benchmark})
    assert incomparable(mine) == "is of the benchmark mine.py:RMBench, and not of rm-bench itself"
    assert places_of(mine) == ()


def test_a_synthetic_run_has_no_place(tmp_path: Path) -> None:
    made = rmeval.evaluate("baseline:longest", "rm-bench-synthetic", size=24, out=tmp_path)
    assert places_of(made) == ()
