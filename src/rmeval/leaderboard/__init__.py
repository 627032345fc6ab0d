"""Leaderboards: rows of runs and published results, and a static site made from bundles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.leaderboard.board import Board, BoardNumber, BoardRow, make_boards
    from rmeval.leaderboard.site import Site, build_site
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.leaderboard.board": ("Board", "BoardNumber", "BoardRow", "make_boards"),
            "rmeval.leaderboard.site": ("Site", "build_site"),
        },
    )

__all__ = ["Board", "BoardNumber", "BoardRow", "Site", "build_site", "make_boards"]
