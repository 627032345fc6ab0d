"""rmeval: evaluate reward models.

    import rmeval
    result = rmeval.evaluate("./my-checkpoint", "rm-bench", data="./data/")
    result.value("hard", "chat")

Names are imported on first use, so that `import rmeval` is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval._version import __version__
from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.api import (
        AcrossBenchmarks,
        Analysis,
        ChosenItems,
        Estimate,
        Exported,
        ItemAnalysis,
        Lead,
        Leads,
        ModelComparison,
        Plan,
        Result,
        VarianceStudy,
        WrongExample,
        WrongExamples,
        analyze,
        analyze_items,
        choose_items,
        compare,
        compare_across,
        decide,
        estimate,
        evaluate,
        export,
        load_benchmark,
        load_model,
        open_run,
        plan,
        score,
        variance,
        wrong_examples,
    )
    from rmeval.errors import (
        DataError,
        ModelError,
        RmevalError,
        RunError,
    )
    from rmeval.types import (
        Comparison,
        Evidence,
        Item,
        Message,
        Observation,
        Record,
        Request,
        Response,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.api": (
                "AcrossBenchmarks",
                "Analysis",
                "ChosenItems",
                "Estimate",
                "Exported",
                "ItemAnalysis",
                "Lead",
                "Leads",
                "ModelComparison",
                "Plan",
                "Result",
                "VarianceStudy",
                "WrongExample",
                "WrongExamples",
                "analyze",
                "analyze_items",
                "choose_items",
                "compare",
                "compare_across",
                "decide",
                "estimate",
                "evaluate",
                "export",
                "load_benchmark",
                "load_model",
                "open_run",
                "plan",
                "score",
                "variance",
                "wrong_examples",
            ),
            "rmeval.errors": (
                "DataError",
                "ModelError",
                "RmevalError",
                "RunError",
            ),
            "rmeval.types": (
                "Comparison",
                "Evidence",
                "Item",
                "Message",
                "Observation",
                "Record",
                "Request",
                "Response",
            ),
        },
    )

__all__ = [
    "AcrossBenchmarks",
    "Analysis",
    "ChosenItems",
    "Comparison",
    "DataError",
    "Estimate",
    "Evidence",
    "Exported",
    "Item",
    "ItemAnalysis",
    "Lead",
    "Leads",
    "Message",
    "ModelComparison",
    "ModelError",
    "Observation",
    "Plan",
    "Record",
    "Request",
    "Response",
    "Result",
    "RmevalError",
    "RunError",
    "VarianceStudy",
    "WrongExample",
    "WrongExamples",
    "__version__",
    "analyze",
    "analyze_items",
    "choose_items",
    "compare",
    "compare_across",
    "decide",
    "estimate",
    "evaluate",
    "export",
    "load_benchmark",
    "load_model",
    "open_run",
    "plan",
    "score",
    "variance",
    "wrong_examples",
]
