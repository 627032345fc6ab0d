"""Leaderboards: rows of runs and published results, and a static site made from bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.leaderboard.board import Board, BoardNumber, BoardRow, make_boards
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.leaderboard.board": ("Board", "BoardNumber", "BoardRow", "make_boards"),
        },
    )

__all__ = ["Board", "BoardNumber", "BoardRow", "make_boards"]
