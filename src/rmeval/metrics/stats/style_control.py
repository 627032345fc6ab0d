"""Style control of policies that are judged against a baseline: win rates adjusted for length and markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from rmeval.data.tables import Mask
from rmeval.metrics.stats.bootstrap import REPLICATES, SEED, bootstrap_interval
from rmeval.metrics.stats.bradley_terry import CONVERGED, Fit, fit_strengths, identified, separated
from rmeval.types import FloatArray, IntArray

__all__ = [
    "FEATURES",
    "OUTCOMES",
    "Battles",
    "Controlled",
    "Ends",
    "Numbers",
    "control_style",
    "differences",
    "standardised",
]

FEATURES = ("length", "header", "list", "bold")
OUTCOMES: FloatArray = np.array([0.0, 0.5, 1.0])
"""Score of a battle that a policy lost, tied or won."""


@dataclass(frozen=True)
class Battles:
    """Battles of policies against a baseline, a group for each policy and question.

    Attributes:
        policy: int64[n], the policy of each group, from 0 to k - 1.
        question: int64[n], the question of each group, from 0 to q - 1.
        outcomes: float64[n, 3], number of battles that the policy lost, tied and won.
        style: float64[n, 4], differences of style between the answers of policy and baseline; see `differences`.
    """

    policy: IntArray
    question: IntArray
    outcomes: FloatArray
    style: FloatArray

    @property
    def policies(self) -> int:
        """Number of policies."""
        return int(self.policy.max()) + 1

    @property
    def number(self) -> FloatArray:
        """float64[n], number of battles of each group."""
        found: FloatArray = self.outcomes.sum(axis=1)
        return found

    @property
    def wins(self) -> FloatArray:
        """float64[n], number of battles that the policy won; a tie counts one half."""
        found: FloatArray = self.outcomes @ OUTCOMES
        return found

    @property
    def one_sided(self) -> Mask:
        """bool[k], whether each policy wins all its battles, or loses all."""
        won, of = (np.bincount(self.policy, values, self.policies) for values in (self.wins, self.number))
        found: Mask = (won <= 0) | (won >= of)
        return found


def differences(own: FloatArray, baseline: FloatArray) -> FloatArray:
    """Return the differences of style of Arena-Hard-Auto (show_result.py, commit 196f6b8).

    Of length it is (a - b) / (a + b). Of headers, list entries and bold passages it is (p - q) / (p + q + 1) of their
    densities p = c / (l + 1) of the length. Two empty answers do not differ.

    Args:
        own: float64[n, 4], length, headers, list entries and bold passages of the answers of the policy.
        baseline: float64[n, 4], those of the baseline's answers.
    """
    length = own[:, :1] + baseline[:, :1]
    first = (own[:, :1] - baseline[:, :1]) / np.where(length > 0, length, 1)
    one, other = (counts[:, 1:] / (counts[:, :1] + 1) for counts in (own, baseline))
    return np.concatenate([first, (one - other) / (one + other + 1)], axis=1)


def standardised(style: FloatArray, battles: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of each feature over all battles, as the reference standardises them."""
    total = float(battles.sum())
    mean = battles @ style / total
    return mean, np.sqrt(battles @ (style - mean) ** 2 / max(total - 1, 1))


@dataclass(frozen=True)
class Ends:
    """A number of each policy or feature, with its interval; NaN if there is none.

    Attributes:
        value: float64[k].
        low: float64[k].
        high: float64[k].
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray

    def at(self, place: int) -> tuple[float, tuple[float, float] | None]:
        """Return a number and its interval."""
        low, high = float(self.low[place]), float(self.high[place])
        return float(self.value[place]), None if np.isnan(low + high) else (low, high)


@dataclass(frozen=True)
class Controlled:
    """Win rates against the baseline, without and with control of style.

    Attributes:
        mean: Mean score of each policy.
        uncontrolled: Its win rate by Bradley and Terry's model without control.
        controlled: Its win rate with control, where its style differs from the baseline's as much as the average
            policy does.
        equal: Its win rate with control, where its style equals the baseline's.
        score: (controlled - uncontrolled) / uncontrolled.
        weights: Log-odds of each standardised feature.
        used: Whether each feature is in the model.
        one_sided: Whether each policy wins all its battles, or loses all.
        separated: Whether style separates wins from losses.
        gradient: Norm of the gradient at the estimates; NaN if there are none.
        confidence: Confidence of the intervals.
        failed: Share of resamples without finite estimates of the weights.
    """

    mean: Ends
    uncontrolled: Ends
    controlled: Ends
    equal: Ends
    score: Ends
    weights: Ends
    used: tuple[bool, ...]
    one_sided: tuple[bool, ...]
    separated: bool
    gradient: float
    confidence: float
    failed: float

    @classmethod
    def of(
        cls,
        found: Numbers,
        ends: tuple[FloatArray, FloatArray],
        used: Sequence[bool],
        battles: Battles,
        *,
        separated: bool = False,
        gradient: float = math.nan,
        confidence: float = 0.95,
        failed: float = 0.0,
    ) -> Controlled:
        """Return the numbers with their intervals, both as vectors."""
        low, high = (Numbers.split(one, battles.policies) for one in ends)
        mean, uncontrolled, controlled, equal, score, weights = (
            Ends(*three) for three in zip(found, low, high, strict=True)
        )
        one_sided = tuple(battles.one_sided.tolist())
        parts = mean, uncontrolled, controlled, equal, score, weights
        return cls(*parts, tuple(used), one_sided, separated, gradient, confidence, failed)


class Numbers(NamedTuple):
    """Numbers of policies, float64[k] each, and the weights of features, float64[4]."""

    mean: FloatArray
    uncontrolled: FloatArray
    controlled: FloatArray
    equal: FloatArray
    score: FloatArray
    weights: FloatArray

    @classmethod
    def split(cls, vector: FloatArray, policies: int) -> Numbers:
        """Return a vector of all numbers as its parts."""
        return cls(*np.split(vector, [policies * k for k in range(1, 6)]))

    @property
    def vector(self) -> FloatArray:
        """All numbers in order."""
        return np.concatenate(self)


def control_style(battles: Battles, resamples: int = REPLICATES, seed: int = SEED) -> Controlled:
    """Compute `style-control@1`: fitted to convergence in float64, with 95% intervals over resampled questions.

    All battles of a question are resampled together, and differences of style are standardised over all battles of a
    resample. Intervals are those of `bootstrap_interval`. A resample without finite estimates lies beyond both ends of
    an interval; if there are too many, a number has none.

    Args:
        battles: The battles.
        resamples: Number of resamples.
        seed: Seed of the resamples.
    """
    model = _Model(battles)
    fit = model.fit(np.ones(model.questions))
    split = fit is not None and not fit.finite and model.is_separated()
    if split:
        fit = None
    found = model.numbers(np.ones(model.questions), fit)
    random = np.random.default_rng(seed)
    drawn = np.empty((resamples, len(found.vector)))
    for place in range(resamples):
        times = np.bincount(random.integers(0, model.questions, model.questions), minlength=model.questions)
        own = None if fit is None else model.fit(times.astype(float), fit)
        drawn[place] = model.numbers(times.astype(float), own if own is not None and own.finite else None).vector
    weights = drawn[:, -len(FEATURES) :]
    return Controlled.of(
        found,
        model.ends(found, drawn),
        model.used,
        battles,
        separated=split,
        gradient=math.nan if fit is None else fit.gradient,
        failed=0.0 if fit is None or not resamples else float(np.isnan(weights).all(axis=1).mean()),
    )


class _Model:
    """Battles with the features that can be estimated."""

    def __init__(self, battles: Battles) -> None:
        self._battles = battles
        self.questions = int(battles.question.max()) + 1
        self._mean, self._deviation = standardised(battles.style, battles.number)
        constant = self._deviation <= 1e-12
        self._scaled = (battles.style - self._mean) / np.where(constant, 1.0, self._deviation)
        self._active = ~battles.one_sided
        self._groups = np.flatnonzero(self._active[battles.policy])
        used = ~constant
        if len(self._groups):
            used[used] = identified(self._own_policy(self._groups), battles.number[self._groups], self._kept(used))
        self._used = used
        self.used = tuple((used & bool(len(self._groups))).tolist())

    def _own_policy(self, groups: IntArray) -> IntArray:
        """int64[n], numbers of the policies of some groups, without gaps."""
        found: IntArray = np.unique(self._battles.policy[groups], return_inverse=True)[1]
        return found

    def _kept(self, used: Mask) -> FloatArray:
        return self._scaled[np.ix_(self._groups, np.flatnonzero(used))]

    def is_separated(self) -> bool:
        """Return whether no finite estimates exist."""
        own = self._groups
        return separated(
            self._own_policy(own), self._battles.wins[own], self._battles.number[own], self._kept(self._used)
        )

    def fit(self, times: FloatArray, start: Fit | None = None) -> Fit | None:
        """Fit the model where each question occurs so often; None if policies or features cannot be estimated.

        A policy that wins or loses all its battles there has a strength of NaN.
        """
        battles, weight = self._battles, times[self._battles.question]
        number, wins = battles.number * weight, battles.wins * weight
        won, of = (np.bincount(battles.policy, values, battles.policies) for values in (wins, number))
        inside = self._active & (won > 0) & (won < of)
        groups = np.flatnonzero(inside[battles.policy] & (number > 0))
        if not len(groups) or not self._used.any():
            return None
        own = self._scaled[np.ix_(groups, np.flatnonzero(self._used))]
        if start is not None:
            start = replace(start, strength=start.strength[inside])
        own_policy = self._own_policy(groups)
        tolerance = CONVERGED if start is None else _RESAMPLED
        found = fit_strengths(own_policy, wins[groups], number[groups], own, start, tolerance)
        if found is None:
            return None
        strength = np.full(battles.policies, math.nan)
        strength[inside] = found.strength
        return replace(found, strength=strength)

    def numbers(self, times: FloatArray, fit: Fit | None) -> Numbers:
        """Return the numbers where each question occurs so often, by a fit on these."""
        battles, weight = self._battles, times[self._battles.question]
        number = battles.number * weight
        won, of = (np.bincount(battles.policy, own, battles.policies) for own in (battles.wins * weight, number))
        with np.errstate(invalid="ignore"):
            mean = won / of
        missing = np.full(battles.policies, math.nan)
        weights = np.full(len(FEATURES), math.nan)
        if fit is None:
            return Numbers(mean, mean, missing, missing, missing, weights)
        used = np.flatnonzero(self._used)
        centre, deviation = standardised(battles.style, number)
        scale = self._deviation[used]
        controlled = expit(fit.strength + (centre - self._mean)[used] / scale @ fit.weights)
        equal = expit(fit.strength - self._mean[used] / scale @ fit.weights)
        weights[used] = fit.weights * deviation[used] / scale
        with np.errstate(invalid="ignore", divide="ignore"):
            score = (controlled - mean) / mean
        return Numbers(mean, mean, controlled, equal, score, weights)

    def ends(self, found: Numbers, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the ends of the intervals of all numbers."""
        policies = self._battles.policies
        clusters = np.bincount(self._battles.policy, minlength=policies)
        value = found.vector
        low, high = np.full((2, len(value)), math.nan)
        for place, one in enumerate(value.tolist()):
            if math.isnan(one) or not len(drawn):
                continue
            part = place // policies
            count = float(clusters[place % policies]) if part < _SCORES else float(self.questions)
            # A replicate without a number could have any: it counts as both ends.
            sides = [
                bootstrap_interval(one, np.where(np.isnan(drawn[:, place]), far, drawn[:, place]), count, part < _RATES)
                for far in (-_ANY, _ANY)
            ]
            if sides[0][0] is not None and sides[1][0] is not None:
                bounds = sides[0][0][0], sides[1][0][1]
                if max(np.abs(bounds)) < _ANY / 1e6:
                    low[place], high[place] = bounds
        return low, high


_RATES, _SCORES = 4, 5
"""The first parts of `Numbers` are shares; all but the last are of policies."""
_ANY = 1e100
_RESAMPLED = 1e-6
"""Tolerance of the fits of resamples, whose estimates are then right to more digits than their spread needs."""
