"""Data structures that all layers use: items, observations and evidence as columns, rows of files, digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.data.observations import ObservationTable, Vectors
    from rmeval.data.rows import Row
    from rmeval.data.tables import EvidenceTable, ItemTable
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.data.observations": (
                "ObservationTable",
                "Vectors",
            ),
            "rmeval.data.rows": ("Row",),
            "rmeval.data.tables": (
                "EvidenceTable",
                "ItemTable",
            ),
        },
    )

__all__ = [
    "EvidenceTable",
    "ItemTable",
    "ObservationTable",
    "Row",
    "Vectors",
]
