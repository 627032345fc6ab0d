"""The viewer's index: an SQLite file with the runs, items, margins and words of a folder of runs.

`Index` is made from run folders only and can be deleted at any time. `IndexBuilder` is its only writer::

    builder = IndexBuilder(index_file(runs), Source(runs))
    builder.update()            # reads runs that are new or changed; cheap if none is
    builder.add_texts()         # makes texts searchable, as far as they can be read
    index = Index(builder.file) # for any number of threads
    page = index.comparisons(ItemQuery(run="0123456789ab", outcome="wrong"), limit=50)
    page = index.comparisons(query, after=page.next)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.app.index.build import IndexBuilder, Source
    from rmeval.app.index.entries import ComparisonRow, IndexedItem, IndexedRun, ModelScores, Page, Tally
    from rmeval.app.index.query import OUTCOMES, SORTS, ItemQuery, Key, Outcome, Sort
    from rmeval.app.index.reading import Index
    from rmeval.app.index.schema import index_file
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.app.index.build": ("IndexBuilder", "Source"),
            "rmeval.app.index.entries": (
                "ComparisonRow",
                "IndexedItem",
                "IndexedRun",
                "ModelScores",
                "Page",
                "Tally",
            ),
            "rmeval.app.index.query": ("OUTCOMES", "SORTS", "ItemQuery", "Key", "Outcome", "Sort"),
            "rmeval.app.index.reading": ("Index",),
            "rmeval.app.index.schema": ("index_file",),
        },
    )

__all__ = [
    "OUTCOMES",
    "SORTS",
    "ComparisonRow",
    "Index",
    "IndexBuilder",
    "IndexedItem",
    "IndexedRun",
    "ItemQuery",
    "Key",
    "ModelScores",
    "Outcome",
    "Page",
    "Sort",
    "Source",
    "Tally",
    "index_file",
]
