"""Whether scores of reward models predict anything: policies, best-of-N, and the effect of style."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.predict.trainings import (
        MethodDifference,
        MethodNumber,
        Trainings,
        TrainingsComparison,
        compare_trainings,
    )
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.predict.trainings": (
                "MethodDifference",
                "MethodNumber",
                "Trainings",
                "TrainingsComparison",
                "compare_trainings",
            ),
        },
    )

__all__ = [
    "MethodDifference",
    "MethodNumber",
    "Trainings",
    "TrainingsComparison",
    "compare_trainings",
]
