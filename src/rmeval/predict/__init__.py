"""Whether scores of reward models predict anything: policies, best-of-N, and the effect of style."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.predict.correlate import (
        correlate_scores,
    )
    from rmeval.predict.model_names import (
        Match,
        Matches,
    )
    from rmeval.predict.policy_correlation import (
        Coefficient,
        Correlation,
        CorrelationDifference,
        Correlations,
        LeftOut,
        PolicyPoint,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.predict.correlate": ("correlate_scores",),
            "rmeval.predict.model_names": (
                "Match",
                "Matches",
            ),
            "rmeval.predict.policy_correlation": (
                "Coefficient",
                "Correlation",
                "CorrelationDifference",
                "Correlations",
                "LeftOut",
                "PolicyPoint",
            ),
        },
    )

__all__ = [
    "Coefficient",
    "Correlation",
    "CorrelationDifference",
    "Correlations",
    "LeftOut",
    "Match",
    "Matches",
    "PolicyPoint",
    "correlate_scores",
]
