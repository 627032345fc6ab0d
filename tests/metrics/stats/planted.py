"""Results of models on items with planted difficulties and discriminations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from rmeval.data.tables import Mask
from rmeval.types import FloatArray

__all__ = ["Planted", "plant"]


@dataclass(frozen=True)
class Planted:
    """The truth, and results drawn from it."""

    ability: FloatArray
    discrimination: FloatArray
    difficulty: FloatArray
    flipped: Mask
    share: FloatArray
    count: FloatArray


def plant(
    seed: int, models: int, items: int, comparisons: int = 1, alike: float = 0.0, flipped: float = 0.05
) -> Planted:
    """Draw abilities, items and results; the labels of some items are flipped, so that able models are wrong there.

    Results of the comparisons of an item have a beta-binomial distribution with this intraclass correlation.
    """
    random = np.random.default_rng(seed)
    ability = random.normal(size=models)
    wrong = random.random(items) < flipped
    discrimination = np.where(wrong, -1, 1) * np.abs(random.normal(0.8, 0.35, items))
    difficulty = np.where(wrong, -1, 1) * random.normal(-0.5, 1.2, items)
    chance = expit(np.outer(ability, discrimination) - difficulty)
    if alike:
        size = 1 / alike - 1
        chance = random.beta(np.maximum(chance * size, 1e-9), np.maximum((1 - chance) * size, 1e-9))
    share = random.binomial(comparisons, chance) / comparisons
    return Planted(ability, discrimination, difficulty, wrong, share, np.full(items, float(comparisons)))
