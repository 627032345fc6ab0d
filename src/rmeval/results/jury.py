"""Juries: several judges' runs on the same items, decided by strict majority, and their agreement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.benchmarks import Benchmark
from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import RunError
from rmeval.messages import percent
from rmeval.metrics.composition import Measure
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.metrics.records import records_of
from rmeval.metrics.stats.agreement import Agreement, cohen, fleiss, interval_alpha, nominal_alpha
from rmeval.metrics.stats.juries import Ballots, ballots_of
from rmeval.protocols.judging.chance import BestGuess
from rmeval.protocols.judging.evidence import NO_MAJORITY
from rmeval.results.align import ScoredRun, run_names, scored_runs, shared_evidence, stopped_notes
from rmeval.results.described import data_text
from rmeval.results.judging import family_notes, guessed_records
from rmeval.results.measures import measure_of, refuse_scope_alone
from rmeval.results.notebook import html_of
from rmeval.results.places import Place, only_folder, places_of
from rmeval.results.result import check_rule, null_records, rule_of
from rmeval.store.items import StoredItems
from rmeval.store.manifest import finite
from rmeval.types import Record, ScoreRule

__all__ = ["Juror", "Jury", "JuryAgreement", "jury_runs"]


@dataclass(frozen=True)
class Juror:
    """One of a jury's judges.

    Attributes:
        name: Its name.
        path: Its run folder.
        variant: Which of its scores or readings is used.
        record: Its number on the common items.
        failures: Number of comparisons without a verdict, in all readings.
    """

    name: str
    path: Path
    variant: str
    record: Record
    failures: int


@dataclass(frozen=True)
class JuryAgreement:
    """A coefficient of agreement, and the judges that it is about.

    Attributes:
        judges: Their names; empty for all.
        agreement: The coefficient.
    """

    judges: tuple[str, ...]
    agreement: Agreement


@dataclass(frozen=True)
class Jury:
    """A jury: more than half of all judges decide.

    Attributes:
        benchmark: The benchmark's id.
        rule: Name of the score rule.
        measure: Metric and scope of the numbers.
        record: The jury's number.
        records: All numbers of the jury.
        jurors: The judges.
        mean: The mean of the judges' numbers.
        verdicts: Number of verdicts: of comparisons in each reading that all judges have, such as both orders.
        no_majority: Number of those for which no choice has more than half of all judges; the score rule counts them
            as failures.
        ties: Number of verdicts that more than half of the judges call a tie.
        agreements: Coefficients of agreement.
        n_items: Number of common items.
        notes: Notes for the reader, one sentence each.
        data: The data that were read or generated.
    """

    benchmark: str
    rule: str
    measure: Measure
    record: Record
    records: tuple[Record, ...] = field(repr=False)
    jurors: tuple[Juror, ...]
    mean: float
    verdicts: int
    no_majority: int
    ties: int
    agreements: tuple[JuryAgreement, ...]
    n_items: int
    notes: tuple[str, ...] = field(repr=False)
    data: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the jury as plain JSON types."""
        found: dict[str, Any] = finite(asdict(replace(self, jurors=())))
        jurors = finite([asdict(replace(one, path=str(one.path))) for one in self.jurors])  # type: ignore[arg-type]
        return found | {"jurors": jurors}

    def __repr__(self) -> str:
        share = percent(self.no_majority / self.verdicts) if self.verdicts else "-"
        return (
            f"{self.benchmark}  {' '.join(self.measure)}: jury of {len(self.jurors)} {percent(self.record.value)}, "
            f"mean of its judges {percent(self.mean)}\n  no majority in {share}% of {self.verdicts} verdicts"
        )

    def _repr_html_(self) -> str | None:
        return html_of(self)


def jury_runs(
    runs: Place | Iterable[Place],
    *,
    metric: str | None = None,
    scope: str = "all",
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> Jury:
    """Combine runs of several judges on the same items: more than half of all judges decide each comparison.

    The denominator is the number of judges, so a missing verdict counts for no choice. Where all judges have a verdict
    in each order, the jury decides each order by itself.

    Args:
        runs: Two run folders or more, folders with one run each, or results; scalar models may be among them.
        metric: The number, such as `hard`; the benchmark's headline if None.
        scope: What that is measured on, such as `chat`.
        rule: Name of another rule for ties and failures, such as `left-out@1`.
        variant: Which of the models' scores to use; each one's first if None.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Raises:
        RunError: If there are fewer than two runs, a run cannot be used, or they have no item in common.
    """
    check_rule(rule)
    refuse_scope_alone(metric, scope)
    taking, notes = _taken([only_folder(one) for one in places_of(runs)], variant, benchmark, protocol)
    first = taking[0].run
    own = rule_of((one.run for one in taking), rule)
    evidence, shared, more = shared_evidence([one.run for one in taking], [one.evidence for one in taking], OFFICIAL)
    items = first.items.take(shared)
    ballots = _ballots(items.table, evidence)
    records = {(one.metric, one.scope): one for one in _records(ballots, first.benchmark, items, own)}
    measure = measure_of(first.benchmark.card.id, list(records), metric, scope)
    if measure is None:
        raise RunError(f"{first.benchmark.card.id} has no number of all items here: name one with `metric` and `scope`")
    jurors = tuple(_jurors(taking, evidence, first.benchmark, own, measure))
    verdicts = np.concatenate([one.verdicts for one in ballots])
    return Jury(
        first.benchmark.card.id,
        own.name,
        measure,
        records[measure],
        tuple(records.values()),
        jurors,
        float(np.mean([one.record.value for one in jurors])),
        len(verdicts),
        int(np.isnan(verdicts).sum()),
        int((verdicts == -1).sum()),
        tuple(_agreements([one.name for one in jurors], ballots, evidence)),
        len(items.table),
        (*notes, *more, *_notes(taking, jurors, items.table)),
        data_text(first.manifest),
    )


def _records(ballots: Sequence[Ballots], benchmark: Benchmark, items: StoredItems, rule: ScoreRule) -> list[Record]:
    """The jury's numbers, beside those of a jury whose judges' verdicts are random."""
    missing = sum(int(np.isnan(one.verdicts).sum()) for one in ballots)
    decided = EvidenceTable.averaged([one.evidence() for one in ballots], {NO_MAJORITY: missing})
    choices = np.concatenate([one.choices for one in ballots])
    known = choices[~np.isnan(choices)]
    guess = BestGuess(float((known == -1).mean()) if len(known) else 0.0, choices.shape[1])
    null = guessed_records(benchmark, items.table, guess, rule, null_records(benchmark, items))
    return records_of(benchmark, decided, rule, null)


def _taken(
    folders: Sequence[Path], variant: str | None, benchmark: str | None, protocol: str | None
) -> tuple[list[ScoredRun], list[str]]:
    """Return the runs of a jury, each given once, of one benchmark.

    Raises:
        RunError: If they are not.
    """
    if len(folders) < 2:
        raise RunError("a jury needs two judges or more: give their runs on the same items")
    known: set[Path] = set()
    for folder in folders:
        if folder.resolve() in known:
            raise RunError(f"{folder} is given twice: give the runs of different judges")
        known.add(folder.resolve())
    found, notes = scored_runs(folders, folders, variant, benchmark, protocol)
    names = {one.run.benchmark.card.id: one.run.folder for one in found}
    if len(names) > 1:
        (one, where), (other, there) = list(names.items())[:2]
        raise RunError(f"{where} is a run of {one} and {there} one of {other}: give runs on the same items")
    if len(found) < len(folders):
        raise RunError(f"a judge of the jury has no verdicts ({notes[0]}): leave its run out")
    return found, notes


def _ballots(table: ItemTable, evidence: Sequence[EvidenceTable]) -> list[Ballots]:
    """The choices in each reading that all judges have, or by each judge's mean of its readings.

    Raises:
        RunError: If the comparisons of an item contradict each other.
    """
    counts = {len(one.readings) for one in evidence}
    whole = all(reading.covers is None for one in evidence for reading in one.readings)
    each = whole and len(counts) == 1 and counts != {0}
    readings = list(zip(*(one.readings for one in evidence), strict=True)) if each else [tuple(evidence)]
    try:
        return [ballots_of(table, own) for own in readings]
    except ValueError as error:
        raise RunError(f"{error}, of which a jury would choose one for each: compare the runs instead") from error


def _jurors(
    taking: Sequence[ScoredRun],
    evidence: Sequence[EvidenceTable],
    benchmark: Benchmark,
    rule: ScoreRule,
    measure: Measure,
) -> Iterator[Juror]:
    names = run_names([(str(one.run.manifest["model"]["name"]), one.run.folder) for one in taking])
    for name, one, own in zip(names, taking, evidence, strict=True):
        records = {(record.metric, record.scope): record for record in records_of(benchmark, own, rule, {})}
        if measure not in records:
            raise RunError(
                f"{one.run.folder} has no {' '.join(measure)}: choose `metric` and `scope` that all runs have"
            )
        yield Juror(name, one.run.folder, one.variant, records[measure], records[measure].failures)


def _agreements(
    names: Sequence[str], ballots: Sequence[Ballots], evidence: Sequence[EvidenceTable]
) -> Iterator[JuryAgreement]:
    """Yield the coefficients: of verdicts, of scores if all judges have them, and of each pair of judges."""
    parts = [own.labels() for own in ballots]
    labels = np.concatenate([own for own, _ in parts])
    cluster = np.concatenate([own.cluster[rows] for own, (_, rows) in zip(ballots, parts, strict=True)])
    choices = np.concatenate([own.choices for own in ballots])
    given = (~np.isnan(choices)).sum(axis=1)
    yield JuryAgreement((), replace(nominal_alpha(labels, cluster), units=int((given > 1).sum())))
    if all(np.isfinite(one.scores).any() for one in evidence):
        table = evidence[0].table
        scores = np.stack([one.scores for one in evidence], axis=1)
        yield JuryAgreement((), interval_alpha(scores, np.repeat(table.cluster, table.sizes)))
    yield JuryAgreement((), replace(fleiss(labels, cluster), units=int((given == len(names)).sum())))
    for one, other in combinations(range(len(names)), 2):
        both = int((~np.isnan(choices[:, [one, other]])).all(axis=1).sum())
        found = replace(cohen(labels[:, one], labels[:, other], cluster), units=both)
        yield JuryAgreement((names[one], names[other]), found)


def _notes(taking: Sequence[ScoredRun], jurors: Sequence[Juror], table: ItemTable) -> Iterator[str]:
    yield from stopped_notes(one.run for one in taking)
    if len(jurors) % 2 == 0:
        yield (
            f"{len(jurors)} judges can be split evenly, which is no majority and counts as a failure: an odd number of "
            "judges decides more"
        )
    for one in jurors:
        yield from family_notes(one.name, table)
