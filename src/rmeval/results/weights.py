"""The weight of each comparison of a run in one of the benchmark's numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rmeval.data.tables import EvidenceTable, Mask
from rmeval.errors import RunError
from rmeval.metrics.composition import Measure, composition_of
from rmeval.metrics.outcomes import Outcomes
from rmeval.metrics.records import checked_records
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.results.measures import measure_of, refuse_scope_alone
from rmeval.results.places import Place, only_folder
from rmeval.results.result import check_rule, rule_of
from rmeval.store.run import StoredRun, read_scored
from rmeval.types import FloatArray, IntArray, ScoreRule

__all__ = ["WeightedRun", "weigh_run"]


@dataclass(frozen=True)
class WeightedRun:
    """A run whose model has scored all items, and the weight of each comparison in one number.

    Attributes:
        run: The run.
        evidence: Its evidence.
        rule: The score rule.
        measure: The number.
        outcomes: The outcomes of all comparisons.
        weight: float64[m], the weights; the number is the sum of weight times credit. 0 outside the number's scope.
    """

    run: StoredRun
    evidence: EvidenceTable
    rule: ScoreRule
    measure: Measure
    outcomes: Outcomes
    weight: FloatArray

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.run.manifest["model"]["name"])

    def sums(self, values: FloatArray) -> FloatArray:
        """Return the sum of each item's values, float64[items], given those of the comparisons."""
        return np.asarray(np.bincount(self.outcomes.item, values, self.outcomes.n_items), np.float64)

    @cached_property
    def size(self) -> FloatArray:
        """The sum of the absolute weights of each item's comparisons."""
        return self.sums(np.abs(self.weight))

    @property
    def inside(self) -> Mask:
        """Whether each item has a comparison that the number depends on."""
        found: Mask = self.size > 0
        return found

    @property
    def parts(self) -> IntArray:
        """The subset of each item as a number; numbers are in the alphabetical order of the subsets."""
        order = np.argsort(np.array(self.outcomes.subsets))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        found: IntArray = rank[self.outcomes.subset]
        return found

    @property
    def credit(self) -> FloatArray:
        """The credits; one half where the rule excludes a comparison without a score."""
        return np.nan_to_num(self.outcomes.credit, nan=0.5)


def weigh_run(
    place: Place,
    metric: str | None,
    scope: str,
    rule: str | None,
    variant: str | None,
    benchmark: str | None,
    protocol: str | None,
) -> WeightedRun:
    """Read a complete run, and weight its comparisons for a number.

    Raises:
        RunError: If it cannot be read or is unfinished, or there is no such number.
    """
    check_rule(rule)
    refuse_scope_alone(metric, scope)
    run = read_scored(only_folder(place), benchmark, protocol)
    if run.note:
        raise RunError(f"{run.folder} is {run.note}: continue that run first")
    found, score_rule = run.benchmark, rule_of([run], rule)
    evidence = run.evidence(run.variant(variant))
    outcomes = found.outcomes(run.items.table, evidence, score_rule)
    known = PairedOutcomes.of([outcomes])
    values = _values(run, evidence, score_rule)
    # A benchmark may compute a number otherwise than as the sum of its composition.
    shown = [
        measure
        for measure, shares in composition_of(found, known.counts).items()
        if not measure[0].startswith("cell:")
        and abs(values.get(measure, np.nan) - known.means[0] @ known.shares(shares)) < 1e-9
    ]
    if not shown:
        raise RunError(
            f"the benchmark {found.card.id} does not define the composition of its numbers: give it a method "
            "composition"
        )
    if (measure := measure_of(found.card.id, shown, metric, scope)) is None:
        there = ", ".join(map(" ".join, shown))
        raise RunError(
            f"no number of {found.card.id} is of all items of {run.folder}: choose `metric` and `scope` among {there}"
        )
    paired = PairedOutcomes.of([replace(outcomes, credit=np.nan_to_num(outcomes.credit, nan=0.5))])
    shares = paired.shares(composition_of(found, paired.counts)[measure])
    return WeightedRun(run, evidence, score_rule, measure, outcomes, paired.weights(shares))


def _values(run: StoredRun, evidence: EvidenceTable, rule: ScoreRule) -> dict[Measure, float]:
    """The benchmark's numbers, without intervals."""
    records = checked_records(run.benchmark.aggregate(run.items.table, evidence, rule, intervals=False))
    return {(record.metric, record.scope): record.value for record in records}
