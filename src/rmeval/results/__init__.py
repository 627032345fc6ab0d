"""Results of run folders: numbers, comparisons, analyses and citations, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.results.analyze import Analysis, analyze_run
    from rmeval.results.choose import ChosenItems, choose_items
    from rmeval.results.cite import cite_runs
    from rmeval.results.compare import Entry, ModelComparison, compare_runs
    from rmeval.results.estimate import Estimate, estimate_runs
    from rmeval.results.examples import JudgedResponse, Tally, WrongExample, WrongExamples
    from rmeval.results.result import Result, open_run
    from rmeval.results.wrong import wrong_examples
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.results.analyze": (
                "Analysis",
                "analyze_run",
            ),
            "rmeval.results.choose": (
                "ChosenItems",
                "choose_items",
            ),
            "rmeval.results.cite": ("cite_runs",),
            "rmeval.results.compare": (
                "Entry",
                "ModelComparison",
                "compare_runs",
            ),
            "rmeval.results.estimate": (
                "Estimate",
                "estimate_runs",
            ),
            "rmeval.results.examples": (
                "JudgedResponse",
                "Tally",
                "WrongExample",
                "WrongExamples",
            ),
            "rmeval.results.result": (
                "Result",
                "open_run",
            ),
            "rmeval.results.wrong": ("wrong_examples",),
        },
    )

__all__ = [
    "Analysis",
    "ChosenItems",
    "Entry",
    "Estimate",
    "JudgedResponse",
    "ModelComparison",
    "Result",
    "Tally",
    "WrongExample",
    "WrongExamples",
    "analyze_run",
    "choose_items",
    "cite_runs",
    "compare_runs",
    "estimate_runs",
    "open_run",
    "wrong_examples",
]
