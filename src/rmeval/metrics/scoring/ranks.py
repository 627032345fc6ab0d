"""Ranks of the right response among several."""

from __future__ import annotations

import numpy as np

from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.metrics.outcomes import Outcomes, over_readings, sides
from rmeval.types import FloatArray, ScoreRule

__all__ = ["RECIPROCAL", "pairs_with_winner", "reciprocal_ranks"]

RECIPROCAL = "reciprocal-rank"


def reciprocal_ranks(items: ItemTable, evidence: EvidenceTable, rule: ScoreRule) -> Outcomes:
    """Compute the reciprocal rank of the winner of each item's first comparison; the mean of these is the MRR.

    The rank is one more than the number of other members that are not below the winner, so equal scores count against
    the winner (`_calculate_MRR` in `src/evaluation/eval.py` of RewardMATH); if the score rule shares ties, the credit
    is the mean over all orders of the tied members. For a model that compares responses, a member ranks above the
    winner if the model does not prefer the winner to it.

    Args:
        items: The items.
        evidence: The model's evidence.
        rule: The score rule.

    Returns:
        One comparison for each item, with the tag `RECIPROCAL`.
    """
    if evidence.readings:
        return over_readings(evidence, lambda one: reciprocal_ranks(items, one, rule))
    credit = np.full(len(items), np.nan)
    tied = np.zeros(len(items), bool)
    held = np.zeros(len(items), bool)
    for comparisons, positions in items.by_comparisons():
        decided = [comparison for comparison in comparisons if comparison.gold is not None]
        if decided and decided[0].gold is not None:
            winning, against = sides(evidence, positions, decided[0].members, decided[0].gold)
            known = ~(np.isnan(winning) | np.isnan(against)).any(axis=1)
            above, equal = (winning < against).sum(axis=1), (winning == against).sum(axis=1)
            # If the rule shares ties, the mean of 1/rank over all orders of the equal members; else 1/rank of the last
            # one.
            orders = [
                np.mean(1 / np.arange(1 + a, 2 + a + e)) if rule.tie == "share" else 1 / (1 + a + e)
                for a, e in zip(above.tolist(), equal.tolist(), strict=True)
            ]
            credit[positions] = np.where(known, orders, np.nan)
            tied[positions] = known & (winning == against).any(axis=1)
            held[positions] = True
    item = np.flatnonzero(held).astype(np.int32)
    own = credit[held]
    failed = np.isnan(own)
    own[failed] = np.nan if rule.failure == "exclude" else 0.0
    tag = np.zeros(len(item), np.int32)
    return Outcomes(
        item, tag, (RECIPROCAL,), own, tied[held], failed, items.subset, items.subsets, items.cluster, evidence.variant
    )


def pairs_with_winner(items: ItemTable, evidence: EvidenceTable, rule: ScoreRule) -> Outcomes:
    """Split each item's first comparison into pairs: the winner against each other member.

    Args:
        items: The items.
        evidence: The model's evidence.
        rule: The score rule.

    Returns:
        One comparison for each member besides the winner, with the tag `pair`.
    """
    if evidence.readings:
        return over_readings(evidence, lambda one: pairs_with_winner(items, one, rule))
    parts: list[tuple[Codes, FloatArray]] = []
    for comparisons, positions in items.by_comparisons():
        decided = [comparison for comparison in comparisons if comparison.gold is not None]
        if decided and decided[0].gold is not None:
            winning, against = sides(evidence, positions, decided[0].members, decided[0].gold)
            margin = np.sign(winning - against)
            parts.append((np.repeat(positions, margin.shape[1]).astype(np.int32), margin.ravel()))
    item = np.concatenate([own for own, _ in parts]) if parts else np.empty(0, np.int32)
    margin = np.concatenate([own for _, own in parts]) if parts else np.empty(0)
    failed, tied = np.isnan(margin), margin == 0
    credit = np.where(margin > 0, 1.0, np.where(tied & (rule.tie == "share"), 0.5, 0.0))
    credit[failed] = {"loss": 0.0, "exclude": np.nan, "share": 0.5}[rule.failure]
    tag = np.zeros(len(item), np.int32)
    return Outcomes(
        item, tag, ("pair",), credit, tied, failed, items.subset, items.subsets, items.cluster, evidence.variant
    )
