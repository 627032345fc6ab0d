"""Metrics, computed from gold and evidence, without models, files or printing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.metrics.composition import Composition, Counts, Measure, Part, Shares, headline, mixed, pooled
    from rmeval.metrics.outcomes import HALF, HALF_FAILURES, OFFICIAL, SCORE_RULES, SHARED, Outcomes
    from rmeval.metrics.records import accuracy_record, make_record
    from rmeval.metrics.scoring.best_of_k import best_of_k
    from rmeval.metrics.scoring.sections import SECTIONS, overall, overall_with_prior, section_scores
    from rmeval.metrics.scoring.style_substance import style_substance_records
    from rmeval.metrics.stats.equivalence import Equivalence
    from rmeval.metrics.stats.paired import Difference
    from rmeval.metrics.stats.variance import Component, crossed_components
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.metrics.composition": (
                "Composition",
                "Counts",
                "Measure",
                "Part",
                "Shares",
                "headline",
                "mixed",
                "pooled",
            ),
            "rmeval.metrics.outcomes": (
                "HALF",
                "HALF_FAILURES",
                "OFFICIAL",
                "SCORE_RULES",
                "SHARED",
                "Outcomes",
            ),
            "rmeval.metrics.records": (
                "accuracy_record",
                "make_record",
            ),
            "rmeval.metrics.scoring.best_of_k": ("best_of_k",),
            "rmeval.metrics.scoring.sections": (
                "SECTIONS",
                "overall",
                "overall_with_prior",
                "section_scores",
            ),
            "rmeval.metrics.scoring.style_substance": ("style_substance_records",),
            "rmeval.metrics.stats.equivalence": ("Equivalence",),
            "rmeval.metrics.stats.paired": ("Difference",),
            "rmeval.metrics.stats.variance": (
                "Component",
                "crossed_components",
            ),
        },
    )

__all__ = [
    "HALF",
    "HALF_FAILURES",
    "OFFICIAL",
    "SCORE_RULES",
    "SECTIONS",
    "SHARED",
    "Component",
    "Composition",
    "Counts",
    "Difference",
    "Equivalence",
    "Measure",
    "Outcomes",
    "Part",
    "Shares",
    "accuracy_record",
    "best_of_k",
    "crossed_components",
    "headline",
    "make_record",
    "mixed",
    "overall",
    "overall_with_prior",
    "pooled",
    "section_scores",
    "style_substance_records",
]
