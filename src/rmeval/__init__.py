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
        Analysis,
        ChosenItems,
        Estimate,
        ModelComparison,
        Result,
        WrongExample,
        WrongExamples,
        analyze,
        choose_items,
        compare,
        estimate,
        evaluate,
        load_benchmark,
        load_model,
        open_run,
        score,
        wrong_examples,
    )
    from rmeval.errors import DataError, ModelError, RmevalError, RunError
    from rmeval.types import Comparison, Evidence, Item, Message, Observation, Record, Request, Response
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.api": (
                "Analysis",
                "ChosenItems",
                "Estimate",
                "ModelComparison",
                "Result",
                "WrongExample",
                "WrongExamples",
                "analyze",
                "choose_items",
                "compare",
                "estimate",
                "evaluate",
                "load_benchmark",
                "load_model",
                "open_run",
                "score",
                "wrong_examples",
            ),
            "rmeval.errors": ("DataError", "ModelError", "RmevalError", "RunError"),
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
    "Analysis",
    "ChosenItems",
    "Comparison",
    "DataError",
    "Estimate",
    "Evidence",
    "Item",
    "Message",
    "ModelComparison",
    "ModelError",
    "Observation",
    "Record",
    "Request",
    "Response",
    "Result",
    "RmevalError",
    "RunError",
    "WrongExample",
    "WrongExamples",
    "__version__",
    "analyze",
    "choose_items",
    "compare",
    "estimate",
    "evaluate",
    "load_benchmark",
    "load_model",
    "open_run",
    "score",
    "wrong_examples",
]
