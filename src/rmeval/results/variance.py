"""Where the variance of a number comes from: problems, items of one problem, and what differs between runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.benchmarks import Benchmark
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import RunError
from rmeval.messages import chosen_from, count_of, quoted
from rmeval.metrics.composition import Measure, Shares, composition_of, headline, pooled
from rmeval.metrics.outcomes import OFFICIAL, Outcomes
from rmeval.metrics.records import checked_records
from rmeval.metrics.stats.linearised import linearise
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.metrics.stats.variance import (
    ITEM,
    PROBLEM,
    Clustering,
    Component,
    crossed_components,
    nested_components,
)
from rmeval.results.align import ScoredRun, find_by_benchmark, run_names, scored_runs, shared_evidence
from rmeval.results.designs import Design, Designs
from rmeval.results.facets import MODEL, Facet, facet_notes, facets_of
from rmeval.results.frames import frame_of
from rmeval.results.notebook import html_of
from rmeval.results.places import Place, places_of
from rmeval.results.result import check_rule, rule_of
from rmeval.store.manifest import finite
from rmeval.store.run import read_scored
from rmeval.types import FloatArray, IntArray, ScoreRule

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StudiedRun", "VarianceStudy", "study_variance"]


@dataclass(frozen=True, slots=True)
class StudiedRun:
    """One of the runs.

    Attributes:
        name: Its model's name.
        path: Its folder.
        value: Its number.
        levels: Its level of each facet.
    """

    name: str
    path: Path
    value: float
    levels: tuple[str, ...]


@dataclass(frozen=True)
class VarianceStudy:
    """Variance components of a number, and what they mean for the numbers of problems and repeats.

    Attributes:
        benchmark: The benchmark's id.
        rule: The name of the score rule.
        measure: The number: metric and scope.
        facets: What differs between the runs; empty for one run.
        measured: `model` if the runs are of several models, whose differences the standard errors are of; else None.
        runs: The runs.
        n_items: Number of items.
        n_problems: Number of their problems.
        components: The variance components of one value: of one problem under one level of each facet, or of one item.
        clustering: For one run: how alike the items of a problem are.
        designs: Designs with names: the runs as they are, twice as much of each, and the best split.
        grid: Designs over the numbers of problems and repeats.
        notes: Notes for the reader, one sentence each.
    """

    benchmark: str
    rule: str
    measure: Measure
    facets: tuple[Facet, ...]
    measured: str | None
    runs: tuple[StudiedRun, ...]
    n_items: int
    n_problems: int
    components: tuple[Component, ...]
    clustering: Clustering | None
    designs: tuple[Design, ...]
    grid: tuple[Design, ...] = field(repr=False)
    notes: tuple[str, ...]

    @property
    def value(self) -> float:
        """The mean of the runs' numbers."""
        return float(np.mean([run.value for run in self.runs]))

    @property
    def error(self) -> float:
        """The standard error of that mean, or of a difference of two models, as the runs are."""
        return self.designs[0].error

    def component(self, *effect: str) -> Component:
        """Return a component, such as `component("problem", "dtype")`.

        Raises:
            RunError: If there is no such component; the message lists the existing ones.
        """
        for one in self.components:
            if set(one.effect) == set(effect):
                return one
        there = ", ".join(" x ".join(one.effect) for one in self.components)
        raise RunError(f"no component {' x '.join(effect)!r}: choose from {there}")

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each component."""
        total = sum(one.variance for one in self.components)
        return frame_of(
            [
                {
                    "effect": " x ".join(one.effect),
                    "variance": one.variance,
                    "share": one.variance / total if total else math.nan,
                    "ci_low": one.ci[0] if one.ci else math.nan,
                    "ci_high": one.ci[1] if one.ci else math.nan,
                    "estimate": one.estimate,
                }
                for one in self.components
            ]
        )

    def __repr__(self) -> str:
        parts = (f"{' x '.join(one.effect)} {one.variance:.3g}" for one in self.components)
        lead = f"{self.benchmark}  {' '.join(self.measure)}: variance components of {count_of(len(self.runs), 'run')}"
        return f"{lead}\n  {', '.join(parts)}\n  standard error {100 * self.error:.2f} points"

    def _repr_html_(self) -> str | None:
        return html_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the study as plain JSON types."""
        found: dict[str, Any] = finite(
            {
                "benchmark": self.benchmark,
                "rule": self.rule,
                "metric": self.measure[0],
                "scope": self.measure[1],
                "value": self.value,
                "error": self.error,
                "measured": self.measured,
                "n_items": self.n_items,
                "n_problems": self.n_problems,
                "facets": [asdict(one) for one in self.facets],
                "runs": [{**asdict(run), "path": str(run.path)} for run in self.runs],
                "components": [asdict(one) for one in self.components],
                "clustering": None
                if self.clustering is None
                else {name: value for name, value in asdict(self.clustering).items() if name != "components"},
                "designs": [asdict(one) for one in self.designs],
                "grid": [asdict(one) for one in self.grid],
                "notes": list(self.notes),
            }
        )
        return found


def study_variance(
    paths: Place | Iterable[Place],
    *,
    facet: str | Sequence[str] = (),
    metric: str | None = None,
    scope: str = "all",
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> VarianceStudy:
    """Estimate where the variance of a number comes from; needs neither the models nor torch.

    With several runs on the same items: from problems, from what differs between the runs, and from their interaction.
    With one run: from problems, and from the items of one problem.

    Args:
        paths: Run folders, folders with runs in them, or results; of one benchmark.
        facet: What the runs differ in, if it is not to be found in their manifests: one or two entries of the
            identity, or a name, such as `vote`, for what the manifests do not state.
        metric: The number, such as `hard`; the benchmark's headline if None, or the accuracy on all items without one.
        scope: What that is measured on, such as `chat`.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        variant: Which of a model's scores to take, where it gives several; its first if None.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Raises:
        RunError: If the runs do not belong together, or their components cannot be estimated.
    """
    check_rule(rule)
    if metric is None and scope != "all":
        raise RunError(f"`scope` {scope} needs `metric`: give both, such as `metric` average")
    found = find_by_benchmark(places_of(paths))
    if len(found.folders) > 1:
        raise RunError(f"the runs are of {', '.join(found.folders)}: give runs of one benchmark on the same data")
    (folders,) = found.folders.values()
    named = [facet] if isinstance(facet, str) else list(facet)
    if len(folders) == 1:
        run = read_scored(folders[0], benchmark, protocol)
        chosen = run.variant(variant)
        taking, notes = [ScoredRun(run, chosen, run.evidence(chosen))], list(found.notes)
    else:
        taking, notes = scored_runs(folders, found.named, variant, benchmark, protocol)
        notes += found.notes
    if len(taking) == 1 and named:
        raise RunError("`facet` needs several runs: give runs that differ in it")
    study = _Study.of(taking, metric, scope, rule)
    notes += [*study.notes, *(f"{one.run.folder}: {one.run.note}" for one in taking if one.run.note)]
    try:
        return study.nested(notes) if len(taking) == 1 else study.crossed(facets_of(_manifests(taking), named), notes)
    except ValueError as error:
        raise RunError(f"the variance cannot be separated: {error}") from error


def _manifests(taking: Sequence[ScoredRun]) -> list[Any]:
    return [one.run.manifest for one in taking]


@dataclass(frozen=True)
class _Study:
    """The outcomes of runs on their common items, and the number that is studied."""

    taking: Sequence[ScoredRun]
    table: ItemTable
    rule: ScoreRule
    outcomes: Sequence[Outcomes]
    measure: Measure
    shares: Sequence[Shares]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, taking: Sequence[ScoredRun], metric: str | None, scope: str, rule: str | None) -> _Study:
        first = taking[0].run
        own = rule_of((one.run for one in taking), rule)
        evidence: list[EvidenceTable] = [one.evidence for one in taking]
        table, notes = first.items.table, list[str]()
        if len(taking) > 1:
            # A missing score of one run is a missing value; it excludes the item for no other run.
            evidence, shared, notes = shared_evidence([one.run for one in taking], evidence, OFFICIAL)
            table = first.items.take(shared).table
        seen = [first.benchmark.outcomes(table, one, own) for one in evidence]
        measure, shares, more = _number(first.benchmark, seen, metric, scope)
        _check(first.benchmark, evidence[0], own, measure, linearise(seen[0], shares[0]).value)
        return cls(taking, table, own, seen, measure, shares, (*notes, *more))

    def crossed(self, facets: Sequence[Facet], notes: Sequence[str]) -> VarianceStudy:
        cluster = np.unique(self.table.cluster, return_inverse=True)[1]
        problems = int(cluster.max()) + 1
        shape = [len(facet.levels) for facet in facets]
        values: FloatArray = np.full((problems, math.prod(shape)), np.nan)
        numbers = []
        for place, (found, shares) in enumerate(zip(self.outcomes, self.shares, strict=True)):
            own = linearise(found, shares)
            column = np.ravel_multi_index([facet.of_run[place] for facet in facets], shape)
            values[:, column] = own.of_units(cluster[found.item], problems)
            numbers.append(own.value)
        components = self._bounded(
            crossed_components(values.reshape(problems, *shape), [facet.name for facet in facets])
        )
        known = ~np.isnan(values)
        there = int(known.any(axis=1).sum())
        measured = MODEL if any(facet.name == MODEL for facet in facets) else None
        repeated = [facet.name for facet in facets if facet.name != measured]
        now = {PROBLEM: there} | {facet.name: len(facet.levels) for facet in facets}
        missing = there * values.shape[1] - int(known.sum())
        more = [f"{count_of(missing, 'value')} missing: a problem without a score under a level"] if missing else []
        return self._study(components, facets, measured, now, repeated, numbers, (*notes, *more, *facet_notes(facets)))

    def _items(self) -> int:
        """Return the number of items that contribute to the number."""
        found, shares = self.outcomes[0], self.shares[0]
        return int(np.count_nonzero(np.bincount(found.item[~np.isnan(linearise(found, shares).part)])))

    def _bounded(self, components: Sequence[Component]) -> tuple[Component, ...]:
        """Limit intervals of the components of facets to 1/4, the largest variance of numbers between 0 and 1."""
        if any(abs(sum(own.values()) - 1) > 1e-9 for own in self.shares):
            return tuple(components)
        return tuple(
            replace(one, ci=(min(one.ci[0], 0.25), min(one.ci[1], 0.25)))
            if one.ci and PROBLEM not in one.effect
            else one
            for one in components
        )

    def nested(self, notes: Sequence[str]) -> VarianceStudy:
        (found,), (shares,) = self.outcomes, self.shares
        own = linearise(found, shares)
        values = own.of_units(found.item, found.n_items)
        known = ~np.isnan(values)
        cluster = found.cluster[known]
        clustering = nested_components(values[known], cluster)
        size = np.bincount(cluster)
        size = size[size > 0]
        now = {PROBLEM: len(size), ITEM: float(size.mean())}
        return self._study(clustering.components, (), None, now, [ITEM], [own.value], notes, clustering, size)

    def _study(
        self,
        components: tuple[Component, ...],
        facets: Sequence[Facet],
        measured: str | None,
        now: Mapping[str, float],
        repeated: Sequence[str],
        numbers: Sequence[float],
        notes: Sequence[str],
        clustering: Clustering | None = None,
        size: IntArray | None = None,
    ) -> VarianceStudy:
        own = Designs(components, measured, now, tuple(repeated), size)
        names = run_names([(str(one.run.manifest["model"]["name"]), one.run.folder) for one in self.taking])
        runs = [
            StudiedRun(name, one.run.folder, value, tuple(facet.levels[facet.of_run[place]] for facet in facets))
            for place, (name, one, value) in enumerate(zip(names, self.taking, numbers, strict=True))
        ]
        order = sorted(range(len(runs)), key=lambda place: (runs[place].levels, runs[place].name))
        return VarianceStudy(
            self.taking[0].run.benchmark.card.id,
            self.rule.name,
            self.measure,
            tuple(replace(facet, of_run=tuple(facet.of_run[place] for place in order)) for facet in facets),
            measured,
            tuple(runs[place] for place in order),
            self._items(),
            int(now[PROBLEM]),
            components,
            clustering,
            tuple(own.named()),
            tuple(own.grid()),
            (*notes, *_of_components(components)),
        )


def _number(
    benchmark: Benchmark, seen: Sequence[Outcomes], metric: str | None, scope: str
) -> tuple[Measure, list[Shares], list[str]]:
    """Return the number to study, the weights of its kinds of comparisons in each run, and notes."""
    # Runs have different counts where scores are missing and the score rule excludes them.
    counts = [PairedOutcomes.of([one]).counts for one in seen]
    if not all(counts):
        raise RunError(f"{benchmark.card.id}: none of the comparisons of these items has a winner and a score")
    compositions = [composition_of(benchmark, own) for own in counts]
    there = [one for one in compositions[0] if all(one in own for own in compositions)]
    measure, notes = (metric, scope) if metric else headline(there), list[str]()
    if measure is None:
        compositions = [{_ALL: pooled(own, [subset for subset, _ in own])} for own in counts]
        measure = _ALL
        notes = [
            "there is no headline number, so this is the accuracy on all items: choose `metric` and `scope` for others"
        ]
    elif measure not in there:
        names = [" ".join(one) for one in there if not one[0].startswith("cell:")]
        meant = chosen_from(f"{metric} {scope}", names)
        raise RunError(f"{benchmark.card.id} has no {quoted(metric)} on {quoted(scope)}: {meant}")
    return measure, [own[measure] for own in compositions], notes


def _check(benchmark: Benchmark, evidence: EvidenceTable, rule: ScoreRule, measure: Measure, value: float) -> None:
    """Refuse a number that the benchmark computes otherwise than its composition states."""
    records = checked_records(benchmark.aggregate(evidence.table, evidence, rule, intervals=False))
    if any((one.metric, one.scope) == measure and abs(one.value - value) > 1e-9 for one in records):
        raise RunError(
            f"{benchmark.card.id} computes {' '.join(measure)} otherwise than its method composition states: correct "
            "it, or choose another `metric`"
        )


_ALL: Measure = ("accuracy", "all")


def _of_components(components: Sequence[Component]) -> Iterator[str]:
    for one in components:
        if one.estimate < 0:
            yield f"the estimate of {' x '.join(one.effect)} is negative ({one.estimate:.2g}) and shown as 0"
    if len(components) > 1 and not components[-1].variance:
        yield "the runs have the same outcome on every problem: repeating them adds no information"
