"""Cascades: a cheap judge decides where it is confident, and an expensive one decides the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.errors import RunError
from rmeval.messages import count_of, percent
from rmeval.metrics.composition import Measure, Shares, composition_of
from rmeval.metrics.records import records_of
from rmeval.metrics.stats.cascades import Two
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.results.align import ScoredRun, run_names, shared_evidence, stopped_notes
from rmeval.results.confidence import decisions_of
from rmeval.results.described import data_text
from rmeval.results.escalation import CascadePoint, Escalation, Goal
from rmeval.results.frames import frame_of
from rmeval.results.measures import measure_of, refuse_scope_alone, shown_measures
from rmeval.results.notebook import html_of
from rmeval.results.places import Place, only_folder
from rmeval.results.result import check_rule, rule_of
from rmeval.results.spending import Spending, spending_of
from rmeval.store.manifest import finite
from rmeval.store.run import StoredRun, read_scored
from rmeval.types import FloatArray, ScoreRule

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cascade", "CascadePoint", "CascadeSide", "cascade_runs"]

Interval = tuple[float, float]


@dataclass(frozen=True)
class CascadeSide:
    """One of the two judges, alone.

    Attributes:
        name: Its name.
        path: Its run folder.
        variant: Which of its scores or readings is used.
        accuracy: The number on the common items.
        ci: Its 95% interval.
        cost: Dollars of an item; NaN if unknown.
    """

    name: str
    path: Path
    variant: str
    accuracy: float
    ci: Interval | None
    cost: float = math.nan


@dataclass(frozen=True)
class Cascade:
    """A cascade of two judges.

    Attributes:
        benchmark: The benchmark's id.
        rule: Name of the score rule.
        measure: Metric and scope of the number.
        cheap: The cheap judge alone.
        expensive: The expensive judge alone.
        confidence: What the cheap judge's confidence comes from, see `rmeval.results.confidence.Decisions`.
        n_items: Number of common items.
        n_comparisons: Number of comparisons of the number.
        unknown: Number of those without a confidence of the cheap judge, which are always escalated.
        points: What thresholds yield, by the share escalated. They are computed on the comparisons on which they are
            shown.
        goal: What the chosen threshold is to reach, in words.
        reached: Whether a threshold reaches it on these comparisons.
        chosen: What the chosen threshold yields on the comparisons on which it was chosen, which is optimistic.
        cross_validated: What the same choice yields on problems that it did not use; its `tau` is the median.
        prices: Where costs come from; empty if they are not known.
        notes: Notes for the reader, one sentence each.
        data: The data that were read or generated.
    """

    benchmark: str
    rule: str
    measure: Measure
    cheap: CascadeSide
    expensive: CascadeSide
    confidence: str
    n_items: int
    n_comparisons: int
    unknown: int
    points: tuple[CascadePoint, ...]
    goal: str
    reached: bool
    chosen: CascadePoint
    cross_validated: CascadePoint
    prices: str
    notes: tuple[str, ...] = field(repr=False)
    data: str = ""

    @property
    def tau(self) -> float:
        """The chosen threshold."""
        return self.chosen.tau

    def to_dict(self) -> dict[str, Any]:
        """Return the cascade as plain JSON types; an infinite threshold, which escalates everything, is None."""
        found: dict[str, Any] = finite(asdict(self))
        for side in ("cheap", "expensive"):
            found[side]["path"] = str(found[side]["path"])
        return found

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each threshold."""
        return frame_of([asdict(point) for point in self.points])

    def __repr__(self) -> str:
        own = self.cross_validated
        return (
            f"{self.benchmark}  {' '.join(self.measure)}: {self.cheap.name} {percent(self.cheap.accuracy)}, "
            f"{self.expensive.name} {percent(self.expensive.accuracy)}\n"
            f"  tau {self.tau:.3f} ({self.goal}): cross-validated {percent(own.accuracy)} with "
            f"{percent(own.escalated)}% escalated"
        )

    def _repr_html_(self) -> str | None:
        return html_of(self)


def cascade_runs(
    cheap: Place,
    expensive: Place,
    *,
    accuracy: float | None = None,
    budget: float | None = None,
    escalated: float | None = None,
    prices: str | Path | None = None,
    metric: str | None = None,
    scope: str = "all",
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> Cascade:
    """Combine two runs on the same items: accept the cheap judge where its confidence is high, escalate the rest.

    Both may also be scalar models: then confidence is 1/(1 + exp(-d)) for the margin d.

    Args:
        cheap: The run of the cheap judge: a run folder, a folder with one run in it, or a result.
        expensive: The run of the expensive judge on the same items.
        accuracy: Choose the threshold with the fewest escalations that reaches this accuracy. Without any goal, that of
            the expensive judge.
        budget: Instead: the highest accuracy for this number of dollars for 1,000 items.
        escalated: Instead: the highest accuracy with at most this share escalated.
        prices: File of prices, as for a run; without one, the cost that the runs have recorded.
        metric: The number, such as `hard`; the benchmark's headline if None.
        scope: What that is measured on, such as `chat`.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        variant: Which of a model's scores to use, where it gives several; its first if None.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Raises:
        RunError: If a run cannot be used, the runs have no item in common, or a goal is not valid.
    """
    check_rule(rule)
    refuse_scope_alone(metric, scope)
    goal = Goal(accuracy, budget, escalated)
    scored = _scored(cheap, expensive, variant, benchmark, protocol)
    return _Cascading(scored, rule_of((one.run for one in scored), rule), goal, prices).found(metric, scope)


def _scored(
    cheap: Place, expensive: Place, variant: str | None, benchmark: str | None, protocol: str | None
) -> tuple[ScoredRun, ScoredRun]:
    """Return both runs.

    Raises:
        RunError: If they are the same, or of two benchmarks, or neither has the variant.
    """
    folders = [only_folder(one) for one in (cheap, expensive)]
    if folders[0].resolve() == folders[1].resolve():
        raise RunError(f"{folders[0]} is both runs of the cascade: give the runs of two judges")
    first = read_scored(folders[0], benchmark, protocol)
    second = read_scored(folders[1], benchmark, protocol, first)
    one, other = (own.manifest["benchmark"]["id"] for own in (first, second))
    if one != other:
        raise RunError(f"{folders[0]} is a run of {one} and {folders[1]} one of {other}: give runs on the same items")
    if variant is not None and variant not in second.variants:
        first.variant(variant)  # Raises an error if neither has it.
    names = [run.variant(variant if variant in run.variants else None) for run in (first, second)]
    one_run, other_run = (
        ScoredRun(run, name, run.evidence(name)) for run, name in zip((first, second), names, strict=True)
    )
    return one_run, other_run


class _Cascading:
    """Two runs on their common items."""

    def __init__(
        self, scored: tuple[ScoredRun, ScoredRun], rule: ScoreRule, goal: Goal, prices: str | Path | None
    ) -> None:
        self._scored, self._rule, self._goal = scored, rule, goal
        runs = [one.run for one in scored]
        self._benchmark = runs[0].benchmark
        self._evidence, shared, notes = shared_evidence(runs, [one.evidence for one in scored], rule)
        self._table = runs[0].items.table.take(shared)
        self._outcomes = [self._benchmark.outcomes(self._table, own, rule) for own in self._evidence]
        decisions = decisions_of(runs[0], scored[0].evidence)
        known = np.where(np.isnan(decisions.confidence), -1.0, decisions.confidence)[shared[decisions.item]]
        if len(known) != len(self._outcomes[0].credit):
            raise RunError(f"{self._benchmark.card.id} decides its comparisons in its own way: it has no cascades")
        self._confidence, self._source = known, decisions.source
        self._notes = [*notes, *stopped_notes(runs)]
        spent = [spending_of(run, None if prices is None else str(prices)) for run in runs]
        if any(spent) or prices is not None:
            self._notes += [
                f"the cost of {run.folder} is not known, because it has recorded no tokens"
                for run, own in zip(runs, spent, strict=True)
                if own is None
            ]
        if goal.budget is not None and not all(spent):
            raise RunError("`budget` needs the cost of both runs: give `prices`, a file of prices")
        self._cost = np.stack([self._costs(run, own) for run, own in zip(runs, spent, strict=True)])
        self._prices = next((own.source for own in spent if own), "")

    def _costs(self, run: StoredRun, spent: Spending | None) -> FloatArray:
        """float64[m], dollars of each comparison: an item's cost is spread evenly over its comparisons."""
        item = self._outcomes[0].item
        if spent is None:
            return np.full(len(item), np.nan)
        place = dict(zip(run.items.table.ids, spent.by_item.tolist(), strict=True))
        of_item = np.array([place.get(name, spent.per_item) for name in self._table.ids])
        each: FloatArray = (of_item / np.maximum(np.bincount(item, minlength=len(of_item)), 1))[item]
        return each

    def _measured(self, metric: str | None, scope: str) -> tuple[Measure, Shares]:
        """Return the number and the share of each kind of comparison.

        Raises:
            RunError: If there is no such number, or it is not an accuracy.
        """
        paired, card = PairedOutcomes.of(self._outcomes), self._benchmark.card
        composition = composition_of(self._benchmark, paired.counts)
        records = [
            {(record.metric, record.scope): record for record in records_of(self._benchmark, own, self._rule, {})}
            for own in self._evidence
        ]
        found = measure_of(card.id, shown_measures(card.id, composition, paired, records), metric, scope)
        if found is None:
            raise RunError(f"{card.id} has no number of all items here: name one with `metric` and `scope`")
        if any(share < 0 for share in composition[found].values()):
            raise RunError(f"{found[0]} is a difference of accuracies: choose an accuracy with `metric`")
        return found, composition[found]

    def _escalation(self, measure: Measure, shares: Shares) -> Escalation:
        one, other = self._outcomes
        kinds = np.array([(subset, tag) in shares for subset in one.subsets for tag in one.tags])
        kind = one.subset[one.item].astype(np.int64) * len(one.tags) + one.tag
        inside = kinds[kind] & ~np.isnan(one.credit) & ~np.isnan(other.credit)
        if len(np.unique(one.cluster[one.item[inside]])) < 2:
            raise RunError(
                "a cascade needs comparisons of two problems or more, because its threshold is chosen on others than "
                "those on which it is used: give runs on more items"
            )
        both = one.comparisons(inside), other.comparisons(inside)
        paired = PairedOutcomes.of(both)
        own = paired.shares(shares)
        two = Two(paired, own / own.sum(), self._confidence[inside], self._cost[:, inside])
        return Escalation(both, two, measure, shares, self._rule, len(np.unique(paired.item)))

    def found(self, metric: str | None, scope: str) -> Cascade:
        """Return the cascade."""
        measure, shares = self._measured(metric, scope)
        own = self._escalation(measure, shares)
        chosen = own.chosen(self._goal)
        cheap, expensive = self._sides(own)
        unknown = int((own.two.confidence < 0).sum())
        return Cascade(
            self._benchmark.card.id,
            self._rule.name,
            measure,
            cheap,
            expensive,
            self._source,
            own.n_items,
            len(own.two.confidence),
            unknown,
            chosen.points,
            self._goal.text,
            chosen.reached,
            chosen.apparent,
            chosen.cross_validated,
            self._prices,
            (*self._notes, *self._remarks(unknown, chosen.reached, cheap, expensive)),
            data_text(self._scored[0].run.manifest),
        )

    def _sides(self, own: Escalation) -> tuple[CascadeSide, CascadeSide]:
        names = run_names([(str(one.run.manifest["model"]["name"]), one.run.folder) for one in self._scored])
        found = []
        for expensive, (one, name) in enumerate(zip(self._scored, names, strict=True)):
            record, cost = own.alone(bool(expensive))
            found.append(CascadeSide(name, one.run.folder, one.variant, record.value, record.ci, cost))
        return found[0], found[1]

    def _remarks(self, unknown: int, reached: bool, cheap: CascadeSide, expensive: CascadeSide) -> Iterator[str]:
        if unknown:
            yield (
                f"{count_of(unknown, 'comparison')} without a confidence of {cheap.name}, such as failures: always "
                "escalated"
            )
        if not reached:
            yield f"no threshold reaches the goal ({self._goal.text}): the nearest one is chosen"
        if cheap.accuracy >= expensive.accuracy:
            yield f"{expensive.name} alone is not better than {cheap.name} alone on these items"
