"""Runs of several models on one benchmark, side by side on the items that all of them hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.benchmarks import Card
from rmeval.data.tables import EvidenceTable
from rmeval.errors import RunError
from rmeval.messages import count_of
from rmeval.metrics.composition import Measure, Shares, composition_of, headline
from rmeval.metrics.outcomes import SCORE_RULES, outcomes_of
from rmeval.metrics.records import with_null
from rmeval.metrics.stats.analysis import analyse
from rmeval.metrics.stats.ensembles import RULES, ensemble
from rmeval.metrics.stats.paired import Difference, PairedOutcomes
from rmeval.metrics.stats.paired import compare as compare_contested
from rmeval.metrics.stats.significance import groups, least, rank_intervals
from rmeval.results.align import run_names, shared_evidence
from rmeval.results.analyze import null_analyses
from rmeval.results.result import check_rule, null_records, rule_of
from rmeval.store.items import StoredItems
from rmeval.store.manifest import find_runs, finite, read_manifest
from rmeval.store.run import NothingScoredError, StoredRun, read_scored
from rmeval.types import Record

__all__ = ["Entry", "ModelComparison", "compare_runs"]


@dataclass(frozen=True)
class Entry:
    """One model among those that are compared.

    Attributes:
        name: Its name, with the beginning of the run's identity where another has the same.
        path: Its run folder; None for an ensemble.
        variant: Which of its scores was taken.
        records: Its numbers on the items that all models have.
        evidence: What it said of those items.
        rank: The ranks that it may have by the headline.
        group: Letters, of which two models share one where neither leads the other.
    """

    name: str
    path: Path | None
    variant: str
    records: Mapping[Measure, Record]
    evidence: EvidenceTable = field(repr=False)
    rank: tuple[int, int] = (1, 1)
    group: str = "a"


@dataclass(frozen=True)
class ModelComparison:
    """Models compared on the same items of one benchmark.

    Attributes:
        benchmark: The benchmark's id.
        rule: How ties and failures count.
        headline: The number that models are ranked by.
        entries: The models, best first.
        differences: By number, a difference for each two models. P-values are corrected over all pairs of models, for
            the headline by itself, and for all other numbers together.
        n_items: Items that all models have.
        n_clusters: Problems behind them.
        notes: What a reader must know.
        card: The benchmark's card.
        items: The items that all models have.
    """

    benchmark: str
    rule: str
    headline: Measure
    entries: tuple[Entry, ...]
    differences: Mapping[Measure, Sequence[Difference]]
    n_items: int
    n_clusters: int
    notes: tuple[str, ...]
    card: Card = field(repr=False)
    items: StoredItems = field(repr=False)

    def analyses(self) -> dict[str, dict[Measure, Record]]:
        """For each model the numbers of `rmeval.metrics.stats.analysis.analyse`, on the items that all have."""
        table, counts = self.items.table, self.items.counts
        rule = SCORE_RULES.get(self.rule, self.card.rule)
        null = null_analyses(self.card, self.items)
        found = {}
        for entry in self.entries:
            own = with_null(analyse(self.card.id, self.card.analyses, table, entry.evidence, counts, rule), null)
            found[entry.name] = {(r.metric, r.scope): replace(r, variant=entry.variant) for r in own}
        return found

    def difference(self, first: str, second: str, metric: str | None = None, scope: str = "all") -> Difference:
        """How two models differ in a number; in the headline if none is named.

        Raises:
            KeyError: If there is no such number or model.
        """
        measure = self.headline if metric is None else (metric, scope)
        for one in self.differences[measure]:
            if (one.first, one.second) == (first, second):
                return one
            if (one.first, one.second) == (second, first):
                return _turned(one)
        raise KeyError(f"there is no {first} or {second} among {', '.join(entry.name for entry in self.entries)}")

    def letters(self, measure: Measure) -> list[str]:
        """For each model in order, letters, of which two share one where neither leads the other in that number.

        They are given from the largest number on.
        """
        order = sorted(range(len(self.entries)), key=lambda k: -self.entries[k].records[measure].value)
        found = groups(_leads(self.differences[measure], [self.entries[k].name for k in order]))
        return [found[order.index(k)] for k in range(len(order))]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON types."""
        found: dict[str, Any] = finite(
            {
                "benchmark": self.benchmark,
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
                "notes": list(self.notes),
            }
        )
        return found


def compare_runs(
    paths: Sequence[str | Path],
    *,
    rule: str | None = None,
    variant: str | None = None,
    metric: str | None = None,
    scope: str = "all",
    ensembles: Sequence[str] = (),
    benchmark: str | None = None,
) -> list[ModelComparison]:
    """Compares models that were run on the same benchmark.

    Args:
        paths: Run folders, or folders with runs in them; runs of several benchmarks make several comparisons.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        variant: Which of a model's scores to take, where it gives several; its first if None.
        metric: The number to rank models by, such as `hard`; the benchmark's own if None.
        scope: What that is measured on, such as `chat`.
        ensembles: Rules by which all models together make further ones, of `rmeval.metrics.stats.ensembles.RULES`.
        benchmark: The `file.py:Class` of runs made with one.

    Raises:
        RunError: If there are fewer than two runs of each benchmark, or they share no items.
    """
    check_rule(rule)
    if metric is None and scope != "all":
        raise RunError(f"`scope` {scope} says what `metric` is measured on: give both, such as `metric` average")
    if unknown := [rule for rule in ensembles if rule not in RULES]:
        raise RunError(f"there is no ensemble {unknown[0]!r}: choose one of {', '.join(RULES)}")
    by_benchmark = _by_benchmark(paths)
    several = {name: own for name, own in by_benchmark.items() if len(own) > 1}
    if not several:
        count = "1 run" if len(by_benchmark) == 1 else f"{len(by_benchmark)} runs of as many benchmarks"
        raise RunError(f"there is nothing to compare: give two runs or more of one benchmark, not {count}")
    alone = [f"only one run of {name}, which is left out" for name in by_benchmark if name not in several]
    settings = _Settings(rule, variant, metric, scope, tuple(dict.fromkeys(ensembles)))
    found, missing = [], []
    for own in several.values():
        try:
            found.append(_compare(own, settings, benchmark))
        except _NumberError as error:
            missing.append(error)
    if not found:
        raise missing[0]
    left = [f"{error.benchmark} is left out: {error}" for error in missing]
    return [replace(found[0], notes=(*found[0].notes, *left, *alone)), *found[1:]]


class _NumberError(RunError):
    """What models were to be ranked by is not among a benchmark's numbers."""

    def __init__(self, benchmark: str, message: str) -> None:
        super().__init__(message)
        self.benchmark = benchmark


def _by_benchmark(paths: Sequence[str | Path]) -> dict[str, list[Path]]:
    """The run folders at some paths or below them, each once."""
    folders = list(dict.fromkeys(found.resolve() for path in paths for found in find_runs(Path(path))))
    if not folders:
        raise RunError(f"there are no runs in {', '.join(map(str, paths))}: give folders that `rmeval run` wrote")
    found: dict[str, list[Path]] = {}
    for folder in folders:
        found.setdefault(read_manifest(folder)["benchmark"]["id"], []).append(folder)
    return found


@dataclass(frozen=True)
class _Settings:
    rule: str | None
    variant: str | None
    metric: str | None
    scope: str
    ensembles: tuple[str, ...]


def _compare(folders: Sequence[Path], settings: _Settings, benchmark: str | None) -> ModelComparison:
    taking, notes = _scored(folders, settings, benchmark)
    first = taking[0].run
    found = first.benchmark
    rule = rule_of(found, settings.rule)
    evidence, shared, more = shared_evidence([one.run for one in taking], [one.evidence for one in taking], rule)
    notes += more
    items = first.items.take(shared)
    null = null_records(found, items)

    def entry(name: str, path: Path | None, variant: str, own: EvidenceTable) -> Entry:
        records = with_null(found.aggregate(items.table, own, rule), null)
        return Entry(name, path, variant, {(r.metric, r.scope): replace(r, variant=variant) for r in records}, own)

    names = run_names([(str(one.run.manifest["model"]["name"]), one.run.folder) for one in taking])
    entries = [
        entry(name, one.run.folder, one.variant, own) for name, one, own in zip(names, taking, evidence, strict=True)
    ]
    entries += [entry(f"ensemble:{rule}", None, rule, _ensemble(rule, evidence)) for rule in settings.ensembles]
    names = [one.name for one in entries]
    if not any(one.records for one in entries):
        raise RunError(f"{found.card.id}: none of the comparisons of these items has a winner to go by")
    paired = PairedOutcomes.of([outcomes_of(found, items.table, one.evidence, rule) for one in entries])
    composition = composition_of(found, paired.counts)
    shown = [
        measure
        for measure in composition
        if not measure[0].startswith("cell:") and _agrees(paired, composition[measure], measure, entries)
    ]
    if not shown:
        raise RunError(
            f"the benchmark {found.card.id} does not say what its numbers are made of: give it a method composition"
        )
    top = _headline(found.card.id, shown, settings)
    others = [measure for measure in shown if measure != top]
    differences = compare_contested(paired, names, composition, [[top], others])
    order = sorted(range(len(names)), key=lambda k: -entries[k].records[top].value)
    leads = _leads(differences[top], [names[k] for k in order])
    ranked = [
        replace(entries[k], rank=rank, group=letters)
        for k, rank, letters in zip(order, rank_intervals(leads), groups(leads), strict=True)
    ]
    notes += found.notes(items.table)
    enough = least(len(differences[top]))
    if (problems := differences[top][0].n_clusters) < enough:
        notes.append(f"of {problems} problems no test can show anything, whatever they are: it takes {enough} at least")
    notes += [f"{name}: {one.run.note}" for name, one in zip(names, taking, strict=False) if one.run.note]
    notes += [
        f"{entry.name}: {count_of(count, 'comparison')} without a score, lost therefore"
        for entry in ranked
        if rule.failure == "loss" and (count := _failures(entry.records))
    ]
    return ModelComparison(
        found.card.id,
        rule.name,
        top,
        tuple(ranked),
        differences,
        len(items.table),
        paired.n_clusters,
        tuple(notes),
        found.card,
        items,
    )


@dataclass(frozen=True)
class _Taking:
    """A run that takes part, and which of its scores."""

    run: StoredRun
    variant: str
    evidence: EvidenceTable


def _scored(folders: Sequence[Path], settings: _Settings, benchmark: str | None) -> tuple[list[_Taking], list[str]]:
    """The runs that have any score, and a note for each other one."""
    taking: list[_Taking] = []
    notes = []
    for folder in folders:
        try:
            run = read_scored(folder, benchmark, like=taking[0].run if taking else None)
        except NothingScoredError:
            notes.append(f"nothing in {folder} is scored yet: it is left out")
            continue
        variant = run.variant(settings.variant)
        evidence = run.evidence(variant)
        if evidence.beats or np.isfinite(evidence.scores).any():
            taking.append(_Taking(run, variant, evidence))
        else:
            notes.append(f"{folder} has no score at all, and is left out")
    if len(taking) < 2:
        name = read_manifest(folders[0])["benchmark"]["id"]
        raise RunError(f"fewer than two of these {len(folders)} runs of {name} have any score")
    return taking, notes


def _agrees(paired: PairedOutcomes, shares: Shares, measure: Measure, entries: Sequence[Entry]) -> bool:
    """Whether a number is what its composition says, for each model; what a benchmark computes otherwise is not."""
    if any(measure not in entry.records for entry in entries):
        return False
    made = paired.means @ paired.shares(shares)
    given = np.array([entry.records[measure].value for entry in entries])
    return bool(np.allclose(made, given, rtol=0, atol=1e-9))


def _failures(records: Mapping[Measure, Record]) -> int:
    """Comparisons without a score, of all items."""
    every = [record.failures for (metric, _), record in records.items() if not metric.startswith("cell:")]
    return max(every, default=0)


def _headline(benchmark: str, shown: Sequence[Measure], settings: _Settings) -> Measure:
    if settings.metric is None:
        return headline(shown)
    wanted = settings.metric, settings.scope
    if wanted not in shown:
        there = ", ".join(" ".join(measure) for measure in shown)
        message = f"{benchmark} has no {settings.metric} on {settings.scope}: choose `metric` and `scope` among {there}"
        raise _NumberError(benchmark, message)
    return wanted


def _ensemble(rule: str, members: Sequence[EvidenceTable]) -> EvidenceTable:
    try:
        return ensemble(rule, members)
    except ValueError as error:
        raise RunError(str(error)) from error


def _leads(differences: Sequence[Difference], names: Sequence[str]) -> list[list[bool]]:
    place = {name: k for k, name in enumerate(names)}
    leads = [[False] * len(names) for _ in names]
    for one in differences:
        if one.leads:
            first, second = (one.first, one.second) if one.leads > 0 else (one.second, one.first)
            leads[place[first]][place[second]] = True
    return leads


def _turned(one: Difference) -> Difference:
    """The same difference, seen from the other model."""
    return replace(
        one,
        first=one.second,
        second=one.first,
        value=-one.value,
        ci=None if one.ci is None else (-one.ci[1], -one.ci[0]),
        discordant=(one.discordant[1], one.discordant[0]),
        superiority=1 - one.superiority,
        superiority_ci=None if one.superiority_ci is None else (1 - one.superiority_ci[1], 1 - one.superiority_ci[0]),
    )
