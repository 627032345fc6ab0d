"""Candidates of best-of-N: written by a language model, and verified by keys and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.candidates.options import WriterOptions
    from rmeval.candidates.planning import plan_candidates
    from rmeval.candidates.summary import CandidateSummary
    from rmeval.candidates.verifying import verify_candidates
    from rmeval.candidates.writing import write_candidates

__all__ = ["CandidateSummary", "WriterOptions", "plan_candidates", "verify_candidates", "write_candidates"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "rmeval.candidates.options": ["WriterOptions"],
        "rmeval.candidates.planning": ["plan_candidates"],
        "rmeval.candidates.summary": ["CandidateSummary"],
        "rmeval.candidates.verifying": ["verify_candidates"],
        "rmeval.candidates.writing": ["write_candidates"],
    },
)
