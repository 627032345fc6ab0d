"""Published results of models, as facts with source and date, and the place of a run among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.published.beside import Beside, beside_published
    from rmeval.published.board import PublishedBoard, PublishedRow
    from rmeval.published.places import Place, incomparable, own_row, place_among, place_notes, places_of
    from rmeval.published.reading import all_boards, board_named, published_boards
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.published.beside": ("Beside", "beside_published"),
            "rmeval.published.board": ("PublishedBoard", "PublishedRow"),
            "rmeval.published.places": ("Place", "incomparable", "own_row", "place_among", "place_notes", "places_of"),
            "rmeval.published.reading": ("all_boards", "board_named", "published_boards"),
        },
    )

__all__ = [
    "Beside",
    "Place",
    "PublishedBoard",
    "PublishedRow",
    "all_boards",
    "beside_published",
    "board_named",
    "incomparable",
    "own_row",
    "place_among",
    "place_notes",
    "places_of",
    "published_boards",
]
