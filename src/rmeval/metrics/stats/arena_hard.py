"""Style control as Arena-Hard-Auto computes it, with float32, few iterations and resampled rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rmeval.metrics.stats.fixed_step import Vector, fixed_step_minimum
from rmeval.metrics.stats.style_control import OUTCOMES, Battles, Controlled, Numbers, standardised
from rmeval.types import FloatArray, IntArray

__all__ = ["ROUNDS", "Rows", "reference_style"]

ROUNDS = 100
_START = 0.5
_ENDS = (0.05, 0.95)


class Rows(NamedTuple):
    """Battles in their order in the files, on which the resamples of a seed depend.

    Attributes:
        group: int64[m], the group of `Battles` that each belongs to.
        outcome: int64[m], 0 if the policy lost, 1 if it tied, 2 if it won.
    """

    group: IntArray
    outcome: IntArray


def reference_style(battles: Battles, rows: Rows, names: Sequence[str], baseline: str, seed: int = 0) -> Controlled:
    """Compute `arena-hard@1`: the numbers of Arena-Hard-Auto (show_result.py, commit 196f6b8).

    They are medians over 100 resamples of battles, the mean score is the mean of its resamples, and the ends of the
    intervals are the 5th and 95th percentiles: 90% intervals that treat battles as independent. Each fit takes at most
    50 steps in float32, as `fixed_step_minimum` does, also where it has not converged. The reference has no seed; this
    is its `numpy.random.seed`. It has no style-control score: its interval has the same resamples in both fits.

    Args:
        battles: The battles.
        rows: Their order.
        names: Name of each policy. The reference sorts models by name, without the part before the last slash.
        baseline: Name of the baseline.
        seed: Seed of the resamples.
    """
    own = [name.split("/")[-1] for name in names]
    order = sorted(range(len(names)), key=own.__getitem__)
    one = _Reference(battles, rows, order, sum(name < baseline.split("/")[-1] for name in own))
    random = np.random.RandomState(seed)
    draws = [random.randint(0, one.number, one.number) for _ in range(ROUNDS)]
    fits = [one.rates(np.bincount(drawn, minlength=one.number)) for drawn in draws]
    vectors = np.stack([found.vector for found in fits])
    means = one.means(np.random.RandomState(seed))
    vectors[:, : battles.policies] = means
    middle = Numbers.split(np.quantile(vectors, 0.5, axis=0), battles.policies)
    score = (middle.controlled - middle.uncontrolled) / middle.uncontrolled
    found = middle._replace(mean=means.mean(axis=0), score=score)
    low, high = np.quantile(vectors, _ENDS, axis=0)
    return Controlled.of(found, (low, high), one.used, battles, confidence=_ENDS[1] - _ENDS[0])


class _Reference:
    """Battles as rows with float32 features, of which equal ones stand together."""

    def __init__(self, battles: Battles, rows: Rows, order: list[int], baseline: int) -> None:
        self._battles, self._rows, self._order = battles, rows, order
        number = battles.number
        mean, deviation = standardised(battles.style, number)
        self.used = tuple((deviation > 0).tolist())
        with np.errstate(invalid="ignore", divide="ignore"):
            self._style = ((battles.style - mean) / deviation).astype(np.float32)
        rank = np.empty(battles.policies, np.int64)
        rank[order] = np.arange(battles.policies)
        rank += rank >= baseline
        self._rank, self._baseline = rank, baseline
        self.number = len(rows.group)

    def means(self, random: np.random.RandomState) -> FloatArray:
        """float64[100, k], mean scores of resampled rows of each policy."""
        outcome, policy = OUTCOMES[self._rows.outcome], self._battles.policy[self._rows.group]
        own = [outcome[policy == place] for place in range(self._battles.policies)]
        found = np.empty((ROUNDS, len(own)))
        for number in range(ROUNDS):
            for place in self._order:
                count = len(own[place])
                found[number, place] = own[place][random.randint(0, count, count)].mean()
        return found

    def rates(self, times: IntArray) -> Numbers:
        """Return the win rates where each row occurs so often."""
        code = self._rows.group * len(OUTCOMES) + self._rows.outcome
        weight = np.bincount(code, times, self._battles.outcomes.size)
        kept = np.flatnonzero(weight)
        group, outcome = kept // len(OUTCOMES), OUTCOMES[kept % len(OUTCOMES)].astype(np.float32)
        place, style = self._rank[self._battles.policy[group]], self._style[group]
        count = weight[kept].astype(np.float32)
        models = self._battles.policies + 1
        plain = self._fit(place, style[:, :0], outcome, count, models)
        # Without a variation, a feature is 0 / 0, and so is everything else.
        varies = not np.isnan(style).any()
        full = self._fit(place, style, outcome, count, models) if varies else np.full(models + style.shape[1], np.nan)
        uncontrolled, controlled = (self._win_rates(one[:models]) for one in (plain, full))
        score = (controlled - uncontrolled) / uncontrolled
        missing = np.full(models - 1, math.nan)
        return Numbers(missing, uncontrolled, controlled, missing, score, full[models:].astype(np.float64))

    def _win_rates(self, strength: Vector) -> FloatArray:
        power = np.exp(strength)
        found: FloatArray = (power / (power + power[self._baseline]))[self._rank].astype(np.float64)
        return found

    def _fit(self, place: IntArray, style: Vector, outcome: Vector, count: Vector, models: int) -> Vector:
        """Return strengths of all models, the baseline among them, and weights of features, in float32."""

        def gradient(point: Vector) -> tuple[float, Vector]:
            odds = point[place] - point[self._baseline] + style @ point[models:]
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                # The reference's formula: where a chance rounds to 0 or 1, its loss is not a number.
                chance = 1 / (1 + np.exp(-odds))
                loss = -(np.log(chance) * outcome + np.log(1 - chance) * (1 - outcome)) @ count
                rest = (1 - outcome) / (1 - chance) - outcome / chance
                slope = rest * chance * (1 - chance) * count
            own = np.bincount(place, slope, models)
            own[self._baseline] = -slope.sum()
            return float(loss), np.concatenate([own, style.T @ slope]).astype(np.float32)

        start = np.full(models + style.shape[1], _START, np.float32)
        return fixed_step_minimum(gradient, start)
