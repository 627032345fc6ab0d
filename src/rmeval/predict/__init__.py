"""Whether scores of reward models predict anything: policies, best-of-N, and the effect of style."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.predict.best_of_n import (
        best_of_n_curves,
    )
    from rmeval.predict.candidate_set import (
        CandidateSet,
    )
    from rmeval.predict.curves import (
        BestOfNCurves,
        CurvePoint,
        Overoptimisation,
        Picker,
    )
    from rmeval.predict.picks import (
        write_picks,
    )
    from rmeval.predict.scored_candidates import (
        ScoredCandidates,
        candidates_of_runs,
    )
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
            "rmeval.predict.best_of_n": ("best_of_n_curves",),
            "rmeval.predict.candidate_set": ("CandidateSet",),
            "rmeval.predict.curves": (
                "BestOfNCurves",
                "CurvePoint",
                "Overoptimisation",
                "Picker",
            ),
            "rmeval.predict.picks": ("write_picks",),
            "rmeval.predict.scored_candidates": (
                "ScoredCandidates",
                "candidates_of_runs",
            ),
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
    "BestOfNCurves",
    "CandidateSet",
    "CurvePoint",
    "MethodDifference",
    "MethodNumber",
    "Overoptimisation",
    "Picker",
    "ScoredCandidates",
    "Trainings",
    "TrainingsComparison",
    "best_of_n_curves",
    "candidates_of_runs",
    "compare_trainings",
    "write_picks",
]
