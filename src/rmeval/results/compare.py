"""Comparison of several models' runs on one benchmark, on their common items."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from rmeval.benchmarks import Card
from rmeval.data.tables import EvidenceTable
from rmeval.errors import RunError, UnknownNameError
from rmeval.messages import chosen_from, count_of
from rmeval.metrics.composition import Measure, absence, composition_of
from rmeval.metrics.outcomes import SCORE_RULES
from rmeval.metrics.records import records_of, with_null
from rmeval.metrics.stats.analysis import analyse
from rmeval.metrics.stats.ensembles import RULES, ensemble
from rmeval.metrics.stats.equivalence import Equivalence
from rmeval.metrics.stats.paired import Difference, PairedOutcomes
from rmeval.metrics.stats.paired import compare as compare_paired
from rmeval.results.align import (
    NothingSharedError,
    ScoredRun,
    find_by_benchmark,
    run_names,
    scored_runs,
    shared_evidence,
    stopped_notes,
)
from rmeval.results.analyze import null_analyses
from rmeval.results.equivalence import check_margin, equivalent_pairs, margin_notes
from rmeval.results.frames import comparison_rows, frame_of
from rmeval.results.groups import group_label, with_shared_items
from rmeval.results.measures import measure_of, refuse_scope_alone, shown_measures
from rmeval.results.notebook import html_of
from rmeval.results.order import from_best, letters_of, power_notes, ranks_of
from rmeval.results.places import Place, places_of
from rmeval.results.result import check_rule, null_records, rule_of
from rmeval.results.summary import comparison_lines
from rmeval.store.items import StoredItems
from rmeval.store.manifest import finite
from rmeval.types import Record, ScoreRule

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Entry", "Intervals", "ModelComparison", "compare_runs"]

Intervals = Literal["simultaneous", "single"]
"""Intervals of differences that hold jointly for all pairs of models, or each one alone."""


@dataclass(frozen=True)
class Entry:
    """One of the compared models.

    Attributes:
        name: Its name, with the beginning of the run's identity if several models share the name.
        path: Its run folder; None for an ensemble.
        variant: The score of the model that the comparison uses.
        records: Its numbers on the common items.
        evidence: Its evidence on those items.
        rank: The range of its ranks by the headline; None without a headline.
        group: Letters; two models share a letter if they do not differ significantly. Empty without a headline.
    """

    name: str
    path: Path | None
    variant: str
    records: Mapping[Measure, Record] = field(repr=False)
    evidence: EvidenceTable = field(repr=False)
    rank: tuple[int, int] | None = None
    group: str = ""


@dataclass(frozen=True)
class ModelComparison:
    """Comparison of models on the same items of one benchmark.

    Attributes:
        benchmark: The benchmark's id.
        rule: The name of the score rule.
        headline: The number that ranks the models; None if no number stands for all items.
        entries: The models, best first.
        differences: For each number, the differences of all pairs of models. P-values are corrected over all pairs of
            models, separately for the headline and for all other numbers together.
        n_items: Number of common items.
        n_clusters: Number of their problems.
        notes: Notes for the reader, one sentence each.
        card: The benchmark's card.
        items: The common items.
        data: The data that were read or generated.
        intervals: The intervals of differences that tables show: `simultaneous` over all pairs of models, or `single`.
        equivalences: Tests of equivalence within a margin, of all pairs of models by the headline; empty without one.
    """

    benchmark: str
    rule: str
    headline: Measure | None
    entries: tuple[Entry, ...]
    differences: Mapping[Measure, Sequence[Difference]]
    n_items: int
    n_clusters: int
    notes: tuple[str, ...]
    card: Card = field(repr=False)
    items: StoredItems = field(repr=False)
    data: str = ""
    intervals: Intervals = "simultaneous"
    equivalences: tuple[Equivalence, ...] = ()

    @property
    def absent(self) -> str:
        """Why the official headline does not exist; empty if it does."""
        return absence(self.differences, self.notes)

    def analyses(self) -> dict[str, dict[Measure, Record]]:
        """Return for each model the numbers of `rmeval.metrics.stats.analysis.analyse` on the common items."""
        table, counts = self.items.table, self.items.counts
        rule = SCORE_RULES.get(self.rule, self.card.rule)
        null = null_analyses(self.card, self.items)
        found = {}
        for entry in self.entries:
            own = with_null(analyse(self.card.id, self.card.analyses, table, entry.evidence, counts, rule), null)
            found[entry.name] = {(r.metric, r.scope): r for r in own}
        return found

    def difference(self, first: str, second: str, metric: str | None = None, scope: str = "all") -> Difference:
        """Return the difference of two models in a number, by default the headline.

        Raises:
            UnknownNameError: If there is no such number or model.
        """
        measure = self.headline if metric is None else (metric, scope)
        there = ", ".join(map(" ".join, self.differences))
        if measure is None:
            raise UnknownNameError(f"{self.absent}: give `metric` and `scope`, from {there}")
        if measure not in self.differences:
            raise UnknownNameError(f"no {metric!r} on {scope!r}: choose from {there}")
        for one in self.differences[measure]:
            if (one.first, one.second) == (first, second):
                return one
            if (one.first, one.second) == (second, first):
                return one.swapped()
        raise UnknownNameError(
            f"{first} or {second} is not among the models: choose from "
            f"{', '.join(entry.name for entry in self.entries)}"
        )

    def letters(self, measure: Measure) -> list[str]:
        """Return letters for each model in order; two models share a letter if they do not differ significantly.

        Letters are assigned from the best number on, see `rmeval.metrics.targets`.
        """
        records = [entry.records[measure] for entry in self.entries]
        return letters_of(records, [entry.name for entry in self.entries], self.differences[measure])

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each model and number; rank and group are of the headline."""
        return frame_of(comparison_rows(self))

    def __repr__(self) -> str:
        return comparison_lines(self)

    def _repr_html_(self) -> str | None:
        return html_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON types."""
        found: dict[str, Any] = finite(
            {
                "benchmark": self.benchmark,
                "data": self.data,
                "rule": self.rule,
                "headline": self.headline,
                "n_items": self.n_items,
                "n_clusters": self.n_clusters,
                "models": [
                    {
                        "name": entry.name,
                        "path": None if entry.path is None else str(entry.path),
                        "variant": entry.variant,
                        "rank": entry.rank,
                        "group": entry.group,
                        "records": [record.to_dict() for record in entry.records.values()],
                    }
                    for entry in self.entries
                ],
                "differences": [
                    {**asdict(one), "leads": one.leads} for own in self.differences.values() for one in own
                ],
                "intervals": self.intervals,
                "equivalences": [{**asdict(one), "verdict": one.verdict} for one in self.equivalences],
                "notes": list(self.notes),
            }
        )
        return found


def compare_runs(
    paths: Place | Iterable[Place],
    *,
    rule: str | None = None,
    variant: str | None = None,
    metric: str | None = None,
    scope: str = "all",
    ensembles: Sequence[str] = (),
    benchmark: str | None = None,
    protocol: str | None = None,
    intervals: Intervals = "simultaneous",
    margin: float | None = None,
    details: bool = True,
) -> list[ModelComparison]:
    """Compare models that were run on the same benchmark.

    Args:
        paths: A folder with runs in it, or several; run folders; or results. Each benchmark has its own comparison.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        variant: Which of a model's scores to take, where it gives several; its first if None.
        metric: The number to rank models by, such as `hard`; the benchmark's own if None.
        scope: What that is measured on, such as `chat`.
        ensembles: Rules in `rmeval.metrics.stats.ensembles.RULES` that combine all models into further ones.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.
        intervals: The intervals of differences that tables show: `simultaneous` or `single`.
        margin: Test for equivalence, and for being no worse, within this margin, such as 0.02 for 2 points.
        details: Whether differences in other numbers than the one that ranks have intervals, further tests and the
            smallest detectable difference; letters need none of these, which take most of the time.

    Raises:
        RunError: If there are fewer than two runs of each benchmark, or they share no items.
    """
    if isinstance(ensembles, str):
        raise RunError(f"`ensembles` must be a list of names, such as [{ensembles!r}], not {ensembles!r}")
    combined = tuple(dict.fromkeys(ensembles))
    settings = _Settings(rule, variant, metric, scope, combined, benchmark, protocol, intervals, margin, details)
    settings.check()
    runs = find_by_benchmark(places_of(paths))
    by_benchmark = runs.folders
    several = {name: own for name, own in by_benchmark.items() if len(own) > 1}
    if not several:
        count = "1 run" if len(by_benchmark) == 1 else f"{len(by_benchmark)} runs of {len(by_benchmark)} benchmarks"
        raise RunError(f"there is nothing to compare: give two runs or more of one benchmark, not {count}")
    alone = [f"{name} is excluded, because there is only one run of it" for name in by_benchmark if name not in several]
    found: list[ModelComparison] = []
    missing: dict[str, NothingSharedError] = {}
    for name, own in several.items():
        try:
            found += _compare(name, own, runs.named, settings)
        except NothingSharedError as error:
            missing[name] = error
    if not found:
        raise next(iter(missing.values()))
    left = [f"{name} is excluded: {error}" for name, error in missing.items()]
    return [replace(found[0], notes=(*found[0].notes, *left, *alone, *runs.notes)), *found[1:]]


@dataclass(frozen=True)
class _Settings:
    rule: str | None
    variant: str | None
    metric: str | None
    scope: str
    ensembles: tuple[str, ...]
    benchmark: str | None
    protocol: str | None
    intervals: Intervals
    margin: float | None
    details: bool

    def check(self) -> None:
        """Raise an error if a choice does not exist, or needs another one.

        Raises:
            RunError: If so.
        """
        check_rule(self.rule)
        refuse_scope_alone(self.metric, self.scope)
        if unknown := [rule for rule in self.ensembles if rule not in RULES]:
            raise RunError(f"{unknown[0]!r} is not an ensemble: {chosen_from(unknown[0], RULES)}")
        if self.intervals not in (choices := get_args(Intervals)):
            raise RunError(f"{self.intervals!r} are no `intervals`: {chosen_from(str(self.intervals), choices)}")
        check_margin(self.margin)


def _compare(name: str, folders: Sequence[Path], named: Collection[Path], settings: _Settings) -> list[ModelComparison]:
    """Compare runs of one benchmark on the same data; several times, if some of them share no items."""
    taking, notes = scored_runs(folders, named, settings.variant, settings.benchmark, settings.protocol)
    groups = [list(range(len(taking)))]
    if not set(named) >= set(folders):
        groups, more = with_shared_items([one.run for one in taking])
        notes += more
    found = []
    for own in groups:
        compared = _compared([taking[k] for k in own], notes if own is groups[0] else [], settings)
        found.append(replace(compared, data=group_label(name, taking[own[0]].run.manifest, len(groups) > 1)))
    return found


def _compared(taking: Sequence[ScoredRun], notes: Sequence[str], settings: _Settings) -> ModelComparison:
    first = taking[0].run
    found = first.benchmark
    rule = rule_of((one.run for one in taking), settings.rule)
    evidence, shared, more = shared_evidence([one.run for one in taking], [one.evidence for one in taking], rule)
    more += stopped_notes(one.run for one in taking)
    if settings.rule is None and (own := {rule_of([one.run], None).name for one in taking} - {rule.name}):
        more.append(
            f"ties and failures count by {rule.name} in all runs, although the protocols of some have the rule "
            f"{' or '.join(sorted(own))}: another `rule` changes that"
        )
    items = first.items.take(shared)
    entries = _entries(taking, evidence, items, rule, settings)
    names = [one.name for one in entries]
    paired = PairedOutcomes.of([found.outcomes(items.table, one.evidence, rule) for one in entries])
    composition = composition_of(found, paired.counts)
    shown = shown_measures(found.card.id, composition, paired, [one.records for one in entries])
    top = measure_of(found.card.id, shown, settings.metric, settings.scope)
    others = [measure for measure in shown if measure != top]
    families = [others] if top is None else [[top], others]
    detailed = None if settings.details else [top] if top else []
    differences = compare_paired(paired, names, composition, families, detailed)
    ranked = tuple(entries) if top is None else _ranked(entries, top, differences[top])
    order = [names.index(entry.name) for entry in ranked]
    same = equivalent_pairs(paired, names, order, composition, top, settings.margin)
    unfinished = [f"{name}: {one.run.note}" for name, one in zip(names, taking, strict=False) if one.run.note]
    lost = [
        f"{entry.name}: {count_of(count, 'comparison')} without a score, counted as lost"
        for entry in ranked
        if rule.failure == "loss" and (count := _failures(entry.records))
    ]
    return ModelComparison(
        found.card.id,
        rule.name,
        top,
        ranked,
        differences,
        len(items.table),
        paired.n_clusters,
        (
            *(*notes, *more, *found.notes(items.table), *power_notes(differences[top or others[0]])),
            *(*margin_notes(same, settings.margin), *unfinished, *lost),
        ),
        found.card,
        items,
        intervals=settings.intervals,
        equivalences=same,
    )


def _entries(
    taking: Sequence[ScoredRun],
    evidence: Sequence[EvidenceTable],
    items: StoredItems,
    rule: ScoreRule,
    settings: _Settings,
) -> list[Entry]:
    """The models and their ensembles, with their numbers on the common items.

    Raises:
        RunError: If none of them has a number.
    """
    found = taking[0].run.benchmark
    null = null_records(found, items)

    def entry(name: str, path: Path | None, variant: str, own: EvidenceTable) -> Entry:
        records = records_of(found, own, rule, null)
        return Entry(name, path, variant, {(r.metric, r.scope): r for r in records}, own)

    named = [(str(one.run.manifest["model"]["name"]), one.run.folder) for one in taking]
    entries = [
        entry(name, one.run.folder, one.variant, own)
        for name, one, own in zip(run_names(named), taking, evidence, strict=True)
    ]
    entries += [entry(f"ensemble:{name}", None, name, _ensemble(name, evidence)) for name in settings.ensembles]
    if not any(one.records for one in entries):
        raise RunError(f"{found.card.id}: none of the comparisons of these items has a winner")
    return entries


def _ranked(entries: Sequence[Entry], top: Measure, differences: Sequence[Difference]) -> tuple[Entry, ...]:
    """The models by their headline, the best first, with ranks and letters."""
    records, names = [one.records[top] for one in entries], [one.name for one in entries]
    ranks, letters = ranks_of(records, names, differences), letters_of(records, names, differences)
    return tuple(replace(entries[k], rank=ranks[k], group=letters[k]) for k in from_best(records))


def _failures(records: Mapping[Measure, Record]) -> int:
    """The number of comparisons without a score, on all items."""
    every = [record.failures for (metric, _), record in records.items() if not metric.startswith("cell:")]
    return max(every, default=0)


def _ensemble(rule: str, members: Sequence[EvidenceTable]) -> EvidenceTable:
    try:
        return ensemble(rule, members)
    except ValueError as error:
        raise RunError(str(error)) from error
