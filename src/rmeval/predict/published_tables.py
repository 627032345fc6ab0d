"""Packaged boards as tables of scores: `published:rm-bench`."""

from __future__ import annotations

import numpy as np

from rmeval.messages import count_of
from rmeval.predict.score_tables import ScoreTable
from rmeval.published.reading import board_named

__all__ = ["published_table"]


def published_table(place: str) -> ScoreTable:
    """Return a packaged board as a table, in percent; a column is named `metric:scope`.

    Args:
        place: `published:` and the board's id.

    Raises:
        DataError: If there is no such board.
    """
    board = board_named(place.partition(":")[2])
    measures = list(dict.fromkeys(measure for row in board.rows for measure in row.values))
    values = np.array([[100 * row.values.get(measure, np.nan) for measure in measures] for row in board.rows])
    wrong = sum(row.contradicts for row in board.rows)
    notes = [f"{place}: {note}" for note in board.notes]
    if wrong:
        told = "rmeval list published --json states them"
        notes.append(f"{place}: {wrong} of {count_of(len(board.rows), 'row')} contradict themselves: {told}")
    return ScoreTable(
        place,
        f"{board.name} ({board.date})",
        tuple(row.model for row in board.rows),
        tuple(":".join(measure) for measure in measures),
        values,
        {},
        tuple(notes),
    )
