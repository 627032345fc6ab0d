"""Ensembles, which combine the evidence of several models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rmeval.data.tables import EvidenceTable
from rmeval.types import FloatArray

__all__ = ["RULES", "ensemble"]


def _standard(scores: FloatArray) -> FloatArray:
    """Standardise each model's scores: subtract their mean, divide by their standard deviation; 0 if all are equal.

    RewardBench does this before it combines models (`analysis/run_ensemble_offline.py`), since their scales differ.
    """
    mean, deviation = np.nanmean(scores, axis=1, keepdims=True), np.nanstd(scores, axis=1, keepdims=True)
    standard: FloatArray = (scores - mean) / np.where(deviation > 0, deviation, 1.0)
    return standard


_COMBINE: dict[str, Callable[[FloatArray], FloatArray]] = {
    "mean": lambda scores: np.asarray(scores.mean(axis=0)),
    "z-mean": lambda scores: np.asarray(_standard(scores).mean(axis=0)),
    "worst": lambda scores: np.asarray(_standard(scores).min(axis=0)),
    "uncertainty": lambda scores: np.asarray(_standard(scores).mean(axis=0) - _standard(scores).std(axis=0)),
}
RULES = (*_COMBINE, "majority")
"""Rules: `mean` of raw scores; of standardised scores, `z-mean`, `worst` (the smallest; Coste et al. 2024, arXiv
2310.02743, section 3.2) and `uncertainty` (mean minus standard deviation between models); `majority` of preferences."""


def ensemble(rule: str, members: Sequence[EvidenceTable]) -> EvidenceTable:
    """Combine the evidence of several models.

    With `majority`, the ensemble prefers the response that more models prefer; equal counts are a tie. With the other
    rules, a response without a score of one model has no score.

    Args:
        rule: One of `RULES`.
        members: The evidence of each model on the same items.

    Raises:
        ValueError: If a model has no scores, or the rule combines scores and a model only compares responses.
    """
    table = members[0].table
    for place, one in enumerate(members):
        if not one.beats and not np.isfinite(one.scores).any():
            raise ValueError(f"model {place + 1} of the ensemble has no scores: leave its run out")
    if rule == "majority":
        return EvidenceTable(table, rule, np.full(int(table.offsets[-1]), np.nan), {}, _votes(members))
    if any(one.beats for one in members):
        raise ValueError(
            f"{rule} combines scores, but a model of the ensemble compares responses and has no scores: use majority"
        )
    return EvidenceTable(table, rule, _COMBINE[rule](np.stack([one.scores for one in members])))


def _votes(members: Sequence[EvidenceTable]) -> dict[int, FloatArray]:
    table = members[0].table
    sizes = np.diff(table.offsets)
    found: dict[int, FloatArray] = {}
    for size in np.unique(sizes).tolist():
        positions = np.flatnonzero(sizes == size)
        places = table.offsets[positions][:, None] + np.arange(size)
        votes = np.zeros((len(positions), size, size))
        for one in members:
            own = one.scores[places]
            # NaN minus NaN is NaN, which counts as no vote.
            signs = np.sign(own[:, :, None] - own[:, None, :])
            if one.beats:
                for row, position in enumerate(positions.tolist()):
                    if (matrix := one.beats.get(position)) is not None:
                        signs[row] = np.sign(matrix - 0.5)
            votes += np.nan_to_num(signs)
        found |= dict(zip(positions.tolist(), 0.5 + 0.5 * np.sign(votes), strict=True))
    return found
