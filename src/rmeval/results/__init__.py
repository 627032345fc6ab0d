"""Results of run folders: numbers, comparisons, analyses and citations, without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.results.across import (
        AcrossBenchmarks,
        AcrossModel,
        BenchmarkDifference,
        compare_across,
    )
    from rmeval.results.analyze import (
        Analysis,
        analyze_run,
    )
    from rmeval.results.bundle import (
        bundle_run,
    )
    from rmeval.results.cascade import (
        Cascade,
        CascadePoint,
        CascadeSide,
        cascade_runs,
    )
    from rmeval.results.checks import (
        Check,
    )
    from rmeval.results.choose import (
        ChosenItems,
        choose_items,
    )
    from rmeval.results.cite import (
        cite_runs,
    )
    from rmeval.results.compare import (
        Entry,
        ModelComparison,
        compare_runs,
    )
    from rmeval.results.designs import (
        Design,
    )
    from rmeval.results.estimate import (
        Estimate,
        estimate_runs,
    )
    from rmeval.results.examples import (
        JudgedResponse,
        Tally,
        WrongExample,
        WrongExamples,
    )
    from rmeval.results.facets import (
        Facet,
    )
    from rmeval.results.goals import (
        Goal,
        Plan,
        PlanPoint,
    )
    from rmeval.results.item_analysis import (
        AnalyzedItem,
        AnalyzedModel,
        ItemAnalysis,
        ShortEstimate,
        ShortForm,
        analyze_items,
    )
    from rmeval.results.judging import (
        Failed,
        Judging,
    )
    from rmeval.results.jury import (
        Juror,
        Jury,
        JuryAgreement,
        jury_runs,
    )
    from rmeval.results.label_errors import (
        CorrectedNumbers,
    )
    from rmeval.results.lead_sequence import (
        Lead,
    )
    from rmeval.results.leads import (
        Leads,
        decide_runs,
    )
    from rmeval.results.plan import (
        make_plan,
    )
    from rmeval.results.result import (
        Result,
        open_run,
    )
    from rmeval.results.variance import (
        VarianceStudy,
        study_variance,
    )
    from rmeval.results.verify import (
        Verification,
        verify_run,
    )
    from rmeval.results.wrong import (
        wrong_examples,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.results.across": (
                "AcrossBenchmarks",
                "AcrossModel",
                "BenchmarkDifference",
                "compare_across",
            ),
            "rmeval.results.analyze": (
                "Analysis",
                "analyze_run",
            ),
            "rmeval.results.bundle": ("bundle_run",),
            "rmeval.results.cascade": (
                "Cascade",
                "CascadePoint",
                "CascadeSide",
                "cascade_runs",
            ),
            "rmeval.results.checks": ("Check",),
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
            "rmeval.results.lead_sequence": ("Lead",),
            "rmeval.results.designs": ("Design",),
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
            "rmeval.results.facets": ("Facet",),
            "rmeval.results.goals": (
                "Goal",
                "Plan",
                "PlanPoint",
            ),
            "rmeval.results.item_analysis": (
                "AnalyzedItem",
                "AnalyzedModel",
                "ItemAnalysis",
                "ShortEstimate",
                "ShortForm",
                "analyze_items",
            ),
            "rmeval.results.judging": (
                "Failed",
                "Judging",
            ),
            "rmeval.results.jury": (
                "Juror",
                "Jury",
                "JuryAgreement",
                "jury_runs",
            ),
            "rmeval.results.label_errors": ("CorrectedNumbers",),
            "rmeval.results.leads": (
                "Leads",
                "decide_runs",
            ),
            "rmeval.results.plan": ("make_plan",),
            "rmeval.results.result": (
                "Result",
                "open_run",
            ),
            "rmeval.results.variance": (
                "VarianceStudy",
                "study_variance",
            ),
            "rmeval.results.verify": (
                "Verification",
                "verify_run",
            ),
            "rmeval.results.wrong": ("wrong_examples",),
        },
    )

__all__ = [
    "AcrossBenchmarks",
    "AcrossModel",
    "Analysis",
    "AnalyzedItem",
    "AnalyzedModel",
    "BenchmarkDifference",
    "Cascade",
    "CascadePoint",
    "CascadeSide",
    "Check",
    "ChosenItems",
    "CorrectedNumbers",
    "Design",
    "Entry",
    "Estimate",
    "Facet",
    "Failed",
    "Goal",
    "ItemAnalysis",
    "JudgedResponse",
    "Judging",
    "Juror",
    "Jury",
    "JuryAgreement",
    "Lead",
    "Leads",
    "ModelComparison",
    "Plan",
    "PlanPoint",
    "Result",
    "ShortEstimate",
    "ShortForm",
    "Tally",
    "VarianceStudy",
    "Verification",
    "WrongExample",
    "WrongExamples",
    "analyze_items",
    "analyze_run",
    "bundle_run",
    "cascade_runs",
    "choose_items",
    "cite_runs",
    "compare_across",
    "compare_runs",
    "decide_runs",
    "estimate_runs",
    "jury_runs",
    "make_plan",
    "open_run",
    "study_variance",
    "verify_run",
    "wrong_examples",
]
