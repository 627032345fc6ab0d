"""rmeval: evaluate reward models.

    import rmeval
    result = rmeval.evaluate("./my-checkpoint", "rm-bench", data="./data/")
    result.value("hard", "chat")

Names are imported when they are first used, so that `import rmeval` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rmeval._version import __version__

if TYPE_CHECKING:
    from rmeval.api import (
        Analysis,
        ModelComparison,
        Result,
        analyze,
        compare,
        evaluate,
        load_benchmark,
        load_model,
        open_run,
        score,
    )
    from rmeval.errors import DataError, ModelError, RmevalError, RunError
    from rmeval.types import Comparison, Evidence, Item, Message, Observation, Record, Request, Response


_HOME = {
    "rmeval.api": (
        "Analysis",
        "ModelComparison",
        "Result",
        "analyze",
        "compare",
        "evaluate",
        "load_benchmark",
        "load_model",
        "open_run",
        "score",
    ),
    "rmeval.errors": ("DataError", "ModelError", "RmevalError", "RunError"),
    "rmeval.types": ("Comparison", "Evidence", "Item", "Message", "Observation", "Record", "Request", "Response"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Analysis",
    "Comparison",
    "DataError",
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
    "__version__",
    "analyze",
    "compare",
    "evaluate",
    "load_benchmark",
    "load_model",
    "open_run",
    "score",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'rmeval' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULE[name]), name)


def __dir__() -> list[str]:
    return __all__
