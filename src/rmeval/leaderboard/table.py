"""A board as a table, for downloads: all numbers with intervals, and where each row comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rmeval.leaderboard.board import Board, BoardRow
from rmeval.metrics.composition import Measure
from rmeval.report.cells import Cell, Number
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View

__all__ = ["board_view", "column_name", "rank_text", "source_of"]

_FACTS = ("kind", "source", "rank", "state", "run")


def column_name(measure: Measure) -> str:
    """The name of a number's column."""
    return "accuracy" if measure == ("accuracy", "all") else measure_name(measure)


def rank_text(rank: tuple[int, int] | None) -> str:
    """The range of ranks; empty if there is none."""
    if rank is None:
        return ""
    first, last = rank
    return str(first) if first == last else f"{first}-{last}"


def source_of(row: BoardRow) -> str:
    """Where a row comes from: a `run`, a null `baseline`, or `published` results."""
    if row.published is not None:
        return "published"
    return "baseline" if row.is_baseline else "run"


def board_view(board: Board, states: Mapping[Path, str], names: Mapping[Path, str]) -> View:
    """Return the board as a view.

    Args:
        board: The board.
        states: What was verified of each run.
        names: The name of each run.
    """
    columns = ("model", *_FACTS, *map(column_name, board.measures), "notes")
    return View(
        board.benchmark,
        (Table("board", columns, tuple(_row(row, board, states, names) for row in board.rows), keys=columns),),
        data=board.title.removeprefix(board.benchmark).strip(),
        notes=board.notes,
    )


def _row(row: BoardRow, board: Board, states: Mapping[Path, str], names: Mapping[Path, str]) -> Row:
    numbers = (row.values.get(measure) for measure in board.measures)
    cells: tuple[Cell, ...] = (
        row.kind,
        source_of(row),
        rank_text(row.rank) or None,
        None if row.run is None else states.get(row.run),
        None if row.run is None else names.get(row.run),
        *(None if number is None else Number(number.value, number.ci) for number in numbers),
        "; ".join(row.notes) or None,
    )
    return Row(row.model, cells)
