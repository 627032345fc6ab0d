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
    from rmeval.predict.correlate import (
        correlate_scores,
    )
    from rmeval.predict.curves import (
        BestOfNCurves,
        CurvePoint,
        Overoptimisation,
        Picker,
    )
    from rmeval.predict.model_names import (
        Match,
        Matches,
    )
    from rmeval.predict.picks import (
        write_picks,
    )
    from rmeval.predict.policy_correlation import (
        Coefficient,
        Correlation,
        CorrelationDifference,
        Correlations,
        LeftOut,
        PolicyPoint,
    )
    from rmeval.predict.scored_candidates import (
        ScoredCandidates,
        candidates_of_runs,
    )
    from rmeval.predict.style_control import (
        PolicyStyle,
        StyleControl,
        StyleWeight,
        style_control_scores,
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
            "rmeval.predict.correlate": ("correlate_scores",),
            "rmeval.predict.curves": (
                "BestOfNCurves",
                "CurvePoint",
                "Overoptimisation",
                "Picker",
            ),
            "rmeval.predict.model_names": (
                "Match",
                "Matches",
            ),
            "rmeval.predict.picks": ("write_picks",),
            "rmeval.predict.policy_correlation": (
                "Coefficient",
                "Correlation",
                "CorrelationDifference",
                "Correlations",
                "LeftOut",
                "PolicyPoint",
            ),
            "rmeval.predict.scored_candidates": (
                "ScoredCandidates",
                "candidates_of_runs",
            ),
            "rmeval.predict.style_control": (
                "PolicyStyle",
                "StyleControl",
                "StyleWeight",
                "style_control_scores",
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
    "Coefficient",
    "Correlation",
    "CorrelationDifference",
    "Correlations",
    "CurvePoint",
    "LeftOut",
    "Match",
    "Matches",
    "MethodDifference",
    "MethodNumber",
    "Overoptimisation",
    "Picker",
    "PolicyPoint",
    "PolicyStyle",
    "ScoredCandidates",
    "StyleControl",
    "StyleWeight",
    "Trainings",
    "TrainingsComparison",
    "best_of_n_curves",
    "candidates_of_runs",
    "compare_trainings",
    "correlate_scores",
    "style_control_scores",
    "write_picks",
]
