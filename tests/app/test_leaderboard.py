"""The leaderboard page: order, filters and marks of a board with runs, baselines and published rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from rmeval.app.leaderboard import LeaderboardView, leaderboard_view
from rmeval.errors import DataError
from rmeval.leaderboard import Board, BoardNumber, BoardRow
from rmeval.models.cards import Descriptor
from rmeval.published import PublishedRow

OVERALL, HARD, GAP = ("overall", "all"), ("hard", "all"), ("style_gap", "all")
RUN = Path("runs/mine")


def row(model: str, overall: float | None, hard: float, gap: float, kind: str = "classifier", **more: Any) -> BoardRow:
    values = {HARD: BoardNumber(hard), GAP: BoardNumber(gap, (gap - 0.05, gap + 0.05))}
    if overall is not None:
        values[OVERALL] = BoardNumber(overall, (overall - 0.02, overall + 0.02))
    return BoardRow(model, kind, values, **more)


def card(base: str, size: float | None, licence: str = "") -> Descriptor:
    return Descriptor("x", base_model=base, parameters=size, licence=licence, training_data="HelpSteer2")


BOARD = Board(
    "rm-bench",
    "rm-bench",
    OVERALL,
    (OVERALL, HARD, GAP),
    (
        row("org/large", 0.9, 0.4, -0.3, rank=(1, 2), run=RUN, descriptor=card("Llama", 70), notes=("unfinished",)),
        row("Small", 0.8, 0.7, 0.1, "DPO", published=PublishedRow("Small", "DPO", {}, "https://example.org/x")),
        row(
            "odd",
            0.7,
            0.2,
            0.6,
            "DPO",
            published=PublishedRow("odd", "DPO", {}, "javascript:alert(1)", contradicts=True),
            descriptor=card("Qwen", 2.6, "Apache-2.0"),
        ),
        row("baseline:longest", 0.5, 0.1, 0.9, "baseline"),
        row("partial", None, 0.6, 0.2),
    ),
)
OTHER = Board("pairs", "pairs on x.jsonl", None, (("accuracy", "all"),), (BoardRow("a", "judge", {}),))


def view_of(address: str = "", **params: str) -> LeaderboardView:
    fields = parse_qs(urlsplit(address).query) if address else {name: [value] for name, value in params.items()}
    return leaderboard_view((BOARD, OTHER), {RUN: "/model?name=org%2Flarge"}, fields)


def models(view: LeaderboardView) -> list[str]:
    return [row.model for row in view.rows]


def test_the_headline_orders_rows_and_marks_say_what_they_are() -> None:
    view = view_of()
    assert models(view) == ["org/large", "Small", "odd", "baseline:longest", "partial"]
    assert [column.label for column in view.columns][:5] == ["rank", "model", "overall", "hard", "style gap"]
    assert [column.label for column in view.columns][5:] == ["kind", "size", "base model", "licence", "training data"]
    large, small, odd, longest, partial = view.rows
    assert (large.rank, large.address, large.notes) == ("1-2", "/model?name=org%2Flarge", ["unfinished"])
    assert (small.rank, small.address, small.is_published) == ("", "https://example.org/x", True)
    assert (odd.address, odd.contradicts) == ("", True)
    assert (longest.is_baseline, longest.is_published, longest.contradicts) == (True, False, False)
    assert [(one.value, one.interval) for one in large.numbers] == [
        ("90.0", "88.0-92.0"),
        ("40.0", ""),
        ("-30.0", "-35.0 to -25.0"),
    ]
    assert partial.numbers[0].value == ""
    assert large.facts == ["classifier", "70B", "Llama", "", "HelpSteer2"]


@pytest.mark.parametrize(
    ("label", "first", "second"),
    [
        ("hard", ["Small", "partial", "large", "odd", "longest"], ["longest", "odd", "large", "partial", "Small"]),
        ("model", ["longest", "odd", "large", "partial", "Small"], ["Small", "partial", "large", "odd", "longest"]),
        ("size", ["odd", "large"], ["large", "odd"]),
        ("base model", ["large", "odd"], ["odd", "large"]),
    ],
)
def test_columns_sort_in_both_directions(label: str, first: list[str], second: list[str]) -> None:
    def names(view: LeaderboardView) -> list[str]:
        found = [name.split("/")[-1].split(":")[-1] for name in models(view)]
        return found[: len(first)]

    def column(view: LeaderboardView) -> Any:
        return next(one for one in view.columns if one.label == label)

    once = view_of(column(view_of()).address)
    twice = view_of(column(once).address)
    assert (names(once), names(twice)) == (first, second)
    assert {column(once).sorted, column(twice).sorted} == {"ascending", "descending"}
    assert column(view_of(column(twice).address)) == column(once)


def test_a_number_whose_best_value_is_finite_is_sorted_by_its_distance() -> None:
    assert models(view_of(sort="style_gap all")) == ["Small", "partial", "org/large", "odd", "baseline:longest"]


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"kind": "DPO"}, ["Small", "odd"]),
        ({"size": "up to 3B"}, ["odd"]),
        ({"size": "over 40B"}, ["org/large"]),
        ({"size": "not known"}, ["Small", "baseline:longest", "partial"]),
        ({"base": "Llama"}, ["org/large"]),
        ({"licence": "Apache-2.0"}, ["odd"]),
        ({"data": "HelpSteer2"}, ["org/large", "odd"]),
        ({"data": "HelpSteer2", "kind": "DPO"}, ["odd"]),
        ({"show": "runs"}, ["org/large", "partial"]),
        ({"show": "published"}, ["Small", "odd"]),
        ({"show": "baselines"}, ["baseline:longest"]),
        ({"q": "AR"}, ["org/large", "partial"]),
        ({"kind": "nothing"}, []),
    ],
)
def test_filters(params: dict[str, str], names: list[str]) -> None:
    view = view_of(**params)
    assert models(view) == names
    assert (view.total, view.all) == (5, "/")
    name = next(iter(params))
    chosen = {one[0]: [choice.value for choice in one[2] if choice.chosen] for one in view.filters}
    if name in chosen:
        assert chosen[name] == [params[name]]


def test_sorting_keeps_the_filter_and_the_filter_keeps_the_order() -> None:
    view = view_of(kind="DPO", sort="hard all")
    assert view.kept == [("sort", "hard all")]
    assert models(view_of(next(one for one in view.columns if one.label == "model").address)) == ["odd", "Small"]


def test_boards_are_chosen_by_title_or_benchmark() -> None:
    assert models(view_of(benchmark="pairs on x.jsonl")) == models(view_of(benchmark="pairs")) == ["a"]
    view = view_of(benchmark="pairs")
    assert [choice.label for choice in view.boards if choice.chosen] == ["pairs on x.jsonl"]
    assert [column.label for column in view.columns] == ["model", "all", "kind"]
    with pytest.raises(DataError, match="there is no board 'x': choose from rm-bench, pairs on x"):
        view_of(benchmark="x")
    with pytest.raises(DataError, match="there is no column 'x': choose from model, overall all"):
        view_of(sort="x")
    assert leaderboard_view((), {}, {}) == LeaderboardView()
