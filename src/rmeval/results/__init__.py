"""Results of run folders: numbers, comparisons, analyses and citations, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.results.analyze import Analysis, analyze_run
    from rmeval.results.cite import cite_runs
    from rmeval.results.compare import Entry, ModelComparison, compare_runs
    from rmeval.results.result import Result, open_run
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.results.analyze": (
                "Analysis",
                "analyze_run",
            ),
            "rmeval.results.cite": ("cite_runs",),
            "rmeval.results.compare": (
                "Entry",
                "ModelComparison",
                "compare_runs",
            ),
            "rmeval.results.result": (
                "Result",
                "open_run",
            ),
        },
    )

__all__ = [
    "Analysis",
    "Entry",
    "ModelComparison",
    "Result",
    "analyze_run",
    "cite_runs",
    "compare_runs",
    "open_run",
]
