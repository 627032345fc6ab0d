"""What thresholds of a cascade yield: the number, the share escalated, the cost, and the choice of one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rmeval.data.tables import Mask
from rmeval.errors import RunError
from rmeval.messages import percent
from rmeval.metrics.composition import Measure, Shares
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.scoring.aggregates import composed_records
from rmeval.metrics.stats.bootstrap import bootstrap_interval, bootstrap_random, resampled_means
from rmeval.metrics.stats.cascades import FOLDS, Curve, Two, curve_of, held_out
from rmeval.metrics.stats.intervals import wilson
from rmeval.metrics.stats.linearised import linearise
from rmeval.types import FloatArray, Record, ScoreRule

__all__ = ["CascadePoint", "Chosen", "Escalation", "Goal"]

Interval = tuple[float, float]
_STEPS = 20
"""Number of steps of the share escalated in the table."""


@dataclass(frozen=True)
class CascadePoint:
    """What one threshold yields.

    Attributes:
        tau: The threshold: the cheap judge decides where its confidence is at least this large.
        escalated: Share of the comparisons that the expensive judge decides.
        escalated_ci: Its 95% interval.
        accuracy: The number.
        ci: Its 95% interval.
        random: The number if as many comparisons are escalated at random.
        gain: `accuracy` minus `random`.
        gain_ci: Its 95% interval.
        cost: Dollars of an item; NaN if unknown.
        cost_ci: Its 95% interval.
    """

    tau: float
    escalated: float
    escalated_ci: Interval | None
    accuracy: float
    ci: Interval | None
    random: float
    gain: float
    gain_ci: Interval | None
    cost: float = math.nan
    cost_ci: Interval | None = None


@dataclass(frozen=True)
class Goal:
    """What a threshold is to reach; without any of these, the expensive judge's own accuracy."""

    accuracy: float | None
    budget: float | None
    escalated: float | None

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            RunError: If one is out of its range, or there are two goals.
        """
        given = [name for name in ("accuracy", "budget", "escalated") if getattr(self, name) is not None]
        if len(given) > 1:
            raise RunError(f"`{given[0]}` and `{given[1]}` are two goals: give one of them")
        for name in ("accuracy", "escalated"):
            if (share := getattr(self, name)) is not None and not (_is_number(share) and 0 <= share <= 1):
                raise RunError(f"`{name}` must be a share from 0 to 1, such as 0.9 for 90%, not {share!r}")
        if self.budget is not None and not (_is_number(self.budget) and self.budget > 0):
            raise RunError(f"`budget` must be dollars for 1,000 items, above 0, not {self.budget!r}")

    @property
    def text(self) -> str:
        """The goal in words."""
        if self.budget is not None:
            return f"the highest accuracy for at most {self.budget:g} dollars for 1,000 items"
        if self.escalated is not None:
            return f"the highest accuracy with at most {percent(self.escalated)}% escalated"
        aim = "that of the expensive judge" if self.accuracy is None else f"{percent(self.accuracy)}%"
        return f"the fewest escalations with an accuracy of at least {aim}"

    def place(self, curve: Curve, items: float) -> tuple[int, bool]:
        """Return the place of the best threshold on a curve, and whether it reaches the goal."""
        if self.budget is None and self.escalated is None:
            aim = curve.accuracy[-1] if self.accuracy is None else self.accuracy
            enough = np.flatnonzero(curve.accuracy >= aim - 1e-12)
            return (int(enough[0]), True) if len(enough) else (int(np.argmax(curve.accuracy)), False)
        if self.budget is not None:
            allowed = np.flatnonzero(curve.cost <= items * self.budget / 1000 + 1e-12)
        else:
            allowed = np.flatnonzero(curve.escalated <= (self.escalated or 0.0) + 1e-12)
        return (int(allowed[np.argmax(curve.accuracy[allowed])]), True) if len(allowed) else (0, False)


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)


@dataclass(frozen=True)
class Chosen:
    """The thresholds of a table, and the chosen one.

    Attributes:
        points: What the thresholds yield.
        apparent: What the chosen one yields on the comparisons on which it was chosen.
        cross_validated: What the same choice yields on problems that it did not use.
        reached: Whether it reaches the goal.
    """

    points: tuple[CascadePoint, ...]
    apparent: CascadePoint
    cross_validated: CascadePoint
    reached: bool


@dataclass(frozen=True)
class Escalation:
    """Two judges' outcomes on the comparisons of a number.

    Attributes:
        outcomes: Those of the cheap and of the expensive judge, without comparisons that do not count.
        two: The same comparisons with confidence and cost.
        measure: The number.
        shares: The share of each kind of comparison.
        rule: The score rule.
        n_items: Number of items.
    """

    outcomes: tuple[Outcomes, Outcomes]
    two: Two
    measure: Measure
    shares: Shares
    rule: ScoreRule
    n_items: int

    def chosen(self, goal: Goal) -> Chosen:
        """Return what thresholds yield, and choose one."""
        curve = curve_of(self.two)
        places = _steps(curve)
        place, reached = goal.place(curve, self.n_items)
        # A fold's curve is of a part of the items, and so is its budget.
        rest = self.n_items * (1 - 1 / FOLDS)
        held, taus = held_out(self.two, lambda own: float(own.tau[goal.place(own, rest)[0]]))
        tau = curve.tau[[*places, place]]
        points = self._points(
            [*(self.two.confidence < one for one in tau), held], [*tau.tolist(), float(np.median(taus))]
        )
        return Chosen(tuple(points[:-2]), points[-2], points[-1], reached)

    def alone(self, expensive: bool) -> tuple[Record, float]:
        """Return the number of one judge alone, and its dollars for an item."""
        record = self._number(np.full(len(self.two.confidence), expensive))
        return record, float(self.two.cost[int(expensive)].sum()) / self.n_items

    def _points(self, masks: Sequence[Mask], taus: Sequence[float]) -> list[CascadePoint]:
        ends = self.alone(False)[0].value, self.alone(True)[0].value
        replicates = self._replicates(masks)
        return [self._point(mask, tau, ends, *own) for mask, tau, own in zip(masks, taus, replicates, strict=True)]

    def _point(
        self, mask: Mask, tau: float, ends: tuple[float, float], gains: FloatArray, costs: FloatArray
    ) -> CascadePoint:
        """Return what one threshold yields.

        Args:
            mask: bool[m], whether the expensive judge decides.
            tau: The threshold.
            ends: The numbers of both judges alone.
            gains: Replicates of the gain over random escalation.
            costs: Replicates of the cost.
        """
        record, share = self._number(mask), float(mask.mean())
        problems, cost = self.two.paired.n_clusters, self._dollars(mask)
        random = (1 - share) * ends[0] + share * ends[1]
        some = 0 < share < 1
        return CascadePoint(
            tau,
            share,
            wilson(mask.astype(float), self.two.paired.cluster)[0],
            record.value,
            record.ci,
            random,
            record.value - random if some else 0.0,
            bootstrap_interval(0, gains, problems, False)[0] if some else None,
            cost,
            None if math.isnan(cost) else bootstrap_interval(cost, costs, problems, False)[0],
        )

    def _mixed(self, escalated: Mask) -> Outcomes:
        one, other = self.outcomes
        return replace(
            one,
            credit=np.where(escalated, other.credit, one.credit),
            tied=np.where(escalated, other.tied, one.tied),
            failed=np.where(escalated, other.failed, one.failed),
        )

    def _number(self, escalated: Mask) -> Record:
        """Return the benchmark's number of a cascade, with the benchmark's interval."""
        (found,) = composed_records(
            "", self._mixed(escalated), lambda _: {self.measure: self.shares}, self.rule, lambda one: one[0], {}
        )
        return found

    def _dollars(self, escalated: Mask) -> float:
        """Return the dollars of an item."""
        cheap, expensive = self.two.cost
        return float(cheap.sum() + expensive[escalated].sum()) / self.n_items

    def _replicates(self, masks: Sequence[Mask]) -> list[tuple[FloatArray, FloatArray]]:
        """Return each cascade's gain over random escalation and its cost of an item, over resampled problems."""
        paired, count, n = self.two.paired, len(self.two.confidence), len(masks)
        clusters = paired.n_clusters
        numbers = [self._values(mask) for mask in (np.zeros(count, bool), np.ones(count, bool), *masks)]
        shares = [np.bincount(paired.cluster, mask, clusters) for mask in masks]
        paid = [np.bincount(paired.cluster, self.two.cost[0] + self.two.cost[1] * mask, clusters) for mask in masks]
        sizes = np.bincount(paired.cluster, minlength=clusters)
        sums = np.stack([*numbers, *shares, *paid, sizes], axis=1).astype(np.float64)
        means = resampled_means(sums, np.ones_like(sums), bootstrap_random())
        cheap, expensive, size = means[:, 0], means[:, 1], means[:, -1]
        found = []
        for k in range(n):
            share = means[:, 2 + n + k] / size
            random = (1 - share) * cheap + share * expensive
            found.append((means[:, 2 + k] - random, means[:, 2 + 2 * n + k] * clusters / self.n_items))
        return found

    def _values(self, escalated: Mask) -> FloatArray:
        """float64[problems], whose mean is the number of a cascade."""
        paired = self.two.paired
        own = linearise(self._mixed(escalated), self.shares)
        return np.nan_to_num(own.of_units(paired.cluster, paired.n_clusters), nan=own.value)


def _steps(curve: Curve) -> list[int]:
    """Return the places of thresholds whose shares escalated are nearest to equal steps."""
    wanted = np.linspace(0, 1, _STEPS + 1)
    nearest = np.abs(curve.escalated[None, :] - wanted[:, None]).argmin(axis=1)
    return sorted(set(nearest.tolist()))
