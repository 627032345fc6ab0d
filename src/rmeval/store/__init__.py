"""The files of a run folder: manifest, items, requests, journal, scores and lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.store.manifest import Manifest, find_runs, read_manifest
    from rmeval.store.run import StoredRun, read_run
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.store.manifest": (
                "Manifest",
                "find_runs",
                "read_manifest",
            ),
            "rmeval.store.run": (
                "StoredRun",
                "read_run",
            ),
        },
    )

__all__ = [
    "Manifest",
    "StoredRun",
    "find_runs",
    "read_manifest",
    "read_run",
]
