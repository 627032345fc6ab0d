"""Ensembles of models, by hand and on models of known skill."""

from __future__ import annotations

import numpy as np
import pytest

from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.metrics.stats.ensembles import ensemble
from rmeval.testing import make_evidence, make_items, make_pairs
from rmeval.types import Item


def evidence_of(items: list[Item], *scores: list[float]) -> list[EvidenceTable]:
    table = ItemTable.of(items)
    return [EvidenceTable(table, "score", np.array(own, float)) for own in scores]


def test_ensembles_by_hand() -> None:
    # Scales of 1, 100 and 1; standardised, the first two models say the same.
    members = evidence_of(make_pairs(2), [0, 2, 0, 2], [0, 200, 0, 200], [2, 0, 0, 2])
    assert ensemble("mean", members).scores == pytest.approx([2 / 3, 202 / 3, 0, 204 / 3])
    assert ensemble("z-mean", members).scores == pytest.approx([-1 / 3, 1 / 3, -1, 1])
    assert ensemble("worst", members).scores == pytest.approx([-1, -1, -1, 1])
    deviation = (8 / 9) ** 0.5
    assert ensemble("uncertainty", members).scores == pytest.approx([-1 / 3 - deviation, 1 / 3 - deviation, -1, 1])
    votes = ensemble("majority", members).beats
    assert votes[0].tolist() == [[0.5, 0.0], [1.0, 0.5]]
    split = ensemble("majority", members[1:]).beats
    assert split[0].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert ensemble("majority", evidence_of(make_pairs(1), [np.nan, 1], [1, 0])).beats[0][0, 1] == 1.0
    with pytest.raises(ValueError, match="model 2 of the ensemble has no scores"):
        ensemble("mean", evidence_of(make_pairs(1), [0, 1], [np.nan, np.nan]))
    with pytest.raises(ValueError, match="worst combines scores"):
        ensemble("worst", [EvidenceTable(members[0].table, "x", members[0].scores, {}, {0: np.eye(2)})])


def test_many_judges_of_equal_skill_are_better_together() -> None:
    from rmeval.metrics.outcomes import OFFICIAL, outcomes

    table = ItemTable.of(make_items(800))
    members = [make_evidence(table, accuracy=0.7, seed=seed) for seed in range(5)]
    alone = [outcomes(table, one, OFFICIAL).credit.mean() for one in members]
    for rule in ("mean", "z-mean", "worst", "uncertainty", "majority"):
        together = outcomes(table, ensemble(rule, members), OFFICIAL).credit.mean()
        assert together > max(alone), rule
