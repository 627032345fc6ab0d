"""What several models achieve on each item of a benchmark, and the weight of each item in a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rmeval.data.tables import EvidenceTable, ItemTable
from rmeval.errors import RunError
from rmeval.messages import count_of
from rmeval.metrics.composition import Measure, Part, composition_of
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.metrics.records import checked_records
from rmeval.metrics.stats.item_response import FEWEST, ItemResults
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.results.align import ScoredRun, find_by_benchmark, run_names, scored_runs, shared_evidence
from rmeval.results.measures import measure_of, refuse_scope_alone
from rmeval.results.places import Place, only_folder, places_of
from rmeval.results.result import check_rule, rule_of
from rmeval.store.manifest import read_manifest
from rmeval.store.run import StoredRun, read_scored
from rmeval.types import FloatArray, IntArray, ScoreRule

__all__ = ["ItemMatrix", "PartOfItems", "results_of_runs", "results_on_part"]


@dataclass(frozen=True)
class ItemMatrix:
    """Results of models on the items of a number.

    Attributes:
        run: One of the runs.
        names: The names of the models.
        rule: The score rule.
        measure: The number; None for the share of all comparisons, if no number is of all items.
        table: The items.
        share: float64[models, items], the share of each item's comparisons that a model decides right.
        count: float64[items], numbers of comparisons.
        mass: float64[items], the weight of each item; a model's number is the sum of mass times share.
        weights: The weight of one comparison of each kind in the number.
        notes: Notes for the reader, one sentence each.
    """

    run: StoredRun
    names: tuple[str, ...]
    rule: ScoreRule
    measure: Measure | None
    table: ItemTable
    share: FloatArray
    count: FloatArray
    mass: FloatArray
    weights: Mapping[Part, float]
    notes: tuple[str, ...]

    @property
    def results(self) -> ItemResults:
        """The results in the form that item response needs."""
        return ItemResults.of(self.share, self.count)


def results_of_runs(
    paths: Place | Iterable[Place],
    *,
    rule: str | None,
    variant: str | None,
    metric: str | None,
    scope: str,
    benchmark: str | None,
    protocol: str | None,
) -> ItemMatrix:
    """Read the results of several models on their common items; null baselines and copies of results are left out.

    Raises:
        RunError: If the runs are of several benchmarks, fewer than five models are left, or the number is not a
            weighted mean of comparisons.
    """
    check_rule(rule)
    refuse_scope_alone(metric, scope)
    taking, notes = _scored(paths, variant, benchmark, protocol)
    runs = [one.run for one in taking]
    chosen = rule_of(runs, rule)
    evidence, shared, more = shared_evidence(runs, [one.evidence for one in taking], chosen)
    table = runs[0].items.table.take(shared)
    outcomes = [runs[0].benchmark.outcomes(table, own, chosen) for own in evidence]
    paired = PairedOutcomes.of(outcomes)
    measure, weights = _weights(runs[0], paired, evidence[0], chosen, metric, scope)
    share, count, mass = _by_item(paired, weights, len(table))
    inside = mass > 0
    names = run_names([(str(one.run.manifest["model"]["name"]), one.run.folder) for one in taking])
    kept, copies = _distinct(names, share[:, inside])
    if len(kept) < FEWEST:
        raise RunError(
            f"{count_of(len(kept), 'model')} with different results: item response needs at least {FEWEST}, null "
            "baselines not included; give more runs"
        )
    if not inside.all():
        more.append(f"{count_of(int((~inside).sum()), 'item')} without a comparison in this number: not included")
    return ItemMatrix(
        runs[0],
        tuple(names[k] for k in kept),
        chosen,
        measure,
        table.take(inside),
        share[kept][:, inside],
        count[inside],
        mass[inside],
        weights,
        (*notes, *more, *copies, *(f"{one.folder}: {one.note}" for one in runs if one.note)),
    )


def _scored(
    paths: Place | Iterable[Place], variant: str | None, benchmark: str | None, protocol: str | None
) -> tuple[list[ScoredRun], list[str]]:
    found = find_by_benchmark(places_of(paths))
    if len(found.folders) > 1:
        raise RunError(f"these are runs of {', '.join(found.folders)}: give runs of one of them")
    (folders,) = found.folders.values()
    models = {folder: read_manifest(folder)["model"] for folder in folders}
    null = [folder for folder in folders if models[folder]["kind"] == "baseline"]
    left = [folder for folder in folders if folder not in null]
    if len(left) < FEWEST:
        raise RunError(
            f"there {'is' if len(left) == 1 else 'are'} {count_of(len(left), 'run')} of models: item response needs at "
            f"least {FEWEST}, null baselines not included; give more runs"
        )
    taking, notes = scored_runs(left, found.named, variant, benchmark, protocol)
    if null:
        names = ", ".join(sorted({models[folder]["name"] for folder in null}))
        notes.append(f"{names}: not included, because null baselines ignore the content")
    return taking, [*notes, *found.notes]


def _weights(
    run: StoredRun,
    paired: PairedOutcomes,
    evidence: EvidenceTable,
    rule: ScoreRule,
    metric: str | None,
    scope: str,
) -> tuple[Measure | None, dict[Part, float]]:
    """Return the number, and the weight of a comparison of each kind in it."""
    composition = composition_of(run.benchmark, paired.counts)
    measure = measure_of(run.benchmark.card.id, [one for one in composition if ":" not in one[0]], metric, scope)
    if measure is None:
        return None, dict.fromkeys(paired.parts, 1 / max(len(paired.part), 1))
    shares = paired.shares(composition[measure])
    if (shares < 0).any():
        raise RunError(f"{' '.join(measure)} is a difference: choose a `metric` that is a share of comparisons")
    records = checked_records(run.benchmark.aggregate(evidence.table, evidence, rule, intervals=False))
    value = next((one.value for one in records if (one.metric, one.scope) == measure), None)
    if value is None or abs(float(paired.means[0] @ shares) - value) > 1e-9:
        raise RunError(f"{' '.join(measure)} is not a weighted mean of comparisons: choose another `metric`")
    return measure, dict(zip(paired.parts, (shares / np.bincount(paired.part)).tolist(), strict=True))


def _by_item(
    paired: PairedOutcomes, weights: Mapping[Part, float], items: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the share of each item's comparisons that are right, their numbers, and the items' weights."""
    weight = np.array([weights.get(part, 0.0) for part in paired.parts])[paired.part]
    mass: FloatArray = np.bincount(paired.item, weight, items).astype(float)
    count = np.bincount(paired.item, weight > 0, items).astype(float)
    right = np.stack([np.bincount(paired.item, weight * own, items) for own in paired.credit])
    # Rounded, so that items with the same comparisons right have the same share to the last bit.
    return np.round(right / np.where(mass > 0, mass, 1.0), 9), count, mass


def _distinct(names: Sequence[str], share: FloatArray) -> tuple[list[int], list[str]]:
    """Return the models without copies, and a note on each copy."""
    _, first, inverse = np.unique(share, axis=0, return_index=True, return_inverse=True)
    kept = sorted(first.tolist())
    notes = [
        f"{name}: not included, because its results are those of {names[first[place]]} on every item"
        for k, (name, place) in enumerate(zip(names, inverse.reshape(-1).tolist(), strict=True))
        if k not in kept
    ]
    return kept, notes


@dataclass(frozen=True)
class PartOfItems:
    """A model's results on a part of the items.

    Attributes:
        name: The model's name.
        items: int64[n], positions among the known items.
        share: float64[n], the share of each item's comparisons that are right.
        others: Number of the run's items that are not among the known ones.
    """

    name: str
    items: IntArray
    share: FloatArray
    others: int


def results_on_part(
    known: ItemMatrix, run: Place, variant: str | None, benchmark: str | None, protocol: str | None
) -> PartOfItems:
    """Read a run's results on a part of the known items.

    Raises:
        RunError: If the run is of another benchmark, or has none of the items.
    """
    own = read_scored(only_folder(run), benchmark, protocol, known.run)
    if own.benchmark.card.id != known.run.benchmark.card.id:
        raise RunError(f"{own.folder} is a run of {own.benchmark.card.id}, not of {known.run.benchmark.card.id}")
    base = known.run
    evidence, shared, _ = shared_evidence(
        [base, own], [base.evidence(base.variant(variant)), own.evidence(own.variant(variant))], OFFICIAL
    )
    place = {name: k for k, name in enumerate(known.table.ids)}
    table = base.items.table.take(shared)
    paired = PairedOutcomes.of([base.benchmark.outcomes(table, evidence[1], known.rule)])
    share, _, mass = _by_item(paired, known.weights, len(table))
    there = np.array([place.get(name, -1) for name in table.ids], np.int64)
    inside = (there >= 0) & (mass > 0)
    return PartOfItems(
        str(own.manifest["model"]["name"]),
        there[inside],
        share[0, inside],
        len(own.items.table) - int(inside.sum()),
    )
