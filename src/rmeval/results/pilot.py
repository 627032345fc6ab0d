"""Pilots: what one or two runs tell about further problems of the same kind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from rmeval.data.tables import EvidenceTable, Mask
from rmeval.errors import RunError, UnknownNameError
from rmeval.messages import count_of
from rmeval.metrics.composition import Measure, composition_of, headline
from rmeval.metrics.records import records_of
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.results.align import ScoredRun, run_names, scored_runs, shared_evidence
from rmeval.results.places import Place, places_of
from rmeval.results.result import check_rule, rule_of
from rmeval.results.spending import spending_of
from rmeval.store.manifest import find_runs, read_manifest
from rmeval.store.run import StoredRun, read_scored
from rmeval.types import FloatArray, ScoreRule

__all__ = ["Pilot", "PilotSettings", "read_pilot"]

_FEWEST = 5
"""Smallest number of problems in a pilot: resamples of fewer are nearly all alike."""


@dataclass(frozen=True)
class PilotSettings:
    """How to read a pilot: the arguments of `rmeval.plan` of these names."""

    rule: str | None = None
    variant: str | None = None
    metric: str | None = None
    scope: str = "all"
    benchmark: str | None = None
    protocol: str | None = None
    prices: str | None = None

    @property
    def given(self) -> list[str]:
        """Names of the settings that differ from their defaults."""
        return [name for name, value in asdict(self).items() if value not in (None, "all")]


@dataclass(frozen=True)
class Pilot:
    """The problems of one or two runs.

    Attributes:
        benchmark: The benchmark's id.
        models: The names of the models.
        measure: The number that the plan is about.
        accuracies: The value of that number for each model.
        errors: float64[models, problems], each problem's contribution to the error of that number.
        independent: The variance of that number for each model if all comparisons were independent.
        values: float64[problems], contributions to the difference, which is their mean; empty for one run.
        discordance: Share of the comparisons on which the models differ, weighted as in the number.
        design_effect: Design effect of the difference; NaN if the models never differ.
        n_items: Number of items.
        n_comparisons: Number of comparisons.
        requests: Number of requests of one model.
        prices: Price of 1,000 requests of each model; NaN if it is not known.
        available: Number of items that the benchmark has for this number; 0 if that is unknown.
        notes: Notes for the reader.
    """

    benchmark: str
    models: tuple[str, ...]
    measure: Measure
    accuracies: tuple[float, ...]
    errors: FloatArray = field(repr=False)
    independent: tuple[float, ...]
    values: FloatArray = field(repr=False)
    discordance: float
    design_effect: float
    n_items: int
    n_comparisons: int
    requests: int
    prices: tuple[float, ...]
    available: int
    notes: tuple[str, ...]

    @property
    def n_problems(self) -> int:
        """Number of problems."""
        return int(self.errors.shape[1])

    @property
    def is_share(self) -> bool:
        """Whether the number is an average of accuracies and not a gap."""
        return bool(self.independent)


def read_pilot(paths: Place | Iterable[Place], settings: PilotSettings) -> Pilot:
    """Read a pilot of one or two runs.

    Raises:
        RunError: If there are none or more than two, of different benchmarks, or without the number.
    """
    check_rule(settings.rule)
    if settings.metric is None and settings.scope != "all":
        raise RunError(f"`scope` {settings.scope} needs `metric`: give both, such as `metric` average")
    taking, notes = _runs(places_of(paths), settings)
    first = taking[0].run
    rule = rule_of((one.run for one in taking), settings.rule)
    evidence, shared, more = shared_evidence([one.run for one in taking], [one.evidence for one in taking], rule)
    items = first.items.take(shared)
    outcomes = [first.benchmark.outcomes(items.table, own, rule) for own in evidence]
    paired = PairedOutcomes.of(outcomes)
    measure = _measure(taking[0], evidence, paired, rule, settings)
    shares = composition_of(first.benchmark, paired.counts)[measure]
    weights = paired.shares(shares)
    inside = weights[paired.part] != 0
    present: Mask = np.bincount(paired.cluster, inside, paired.n_clusters) > 0
    if (known := int(present.sum())) < _FEWEST:
        raise RunError(
            f"the pilot has {count_of(known, 'problem')}, and a plan needs at least {_FEWEST}: give a larger pilot, or "
            "plan from `accuracy` and `discordance` without one"
        )
    counts, card = first.benchmark.card.counts, first.benchmark.card
    requests = int(np.diff(first.requests.offsets)[shared][np.unique(paired.item[inside])].sum())
    return Pilot(
        card.id,
        tuple(run_names([(str(one.run.manifest["model"]["name"]), one.run.folder) for one in taking])),
        measure,
        tuple((paired.means @ weights).tolist()),
        _errors(paired, weights)[:, present],
        _independent(paired, weights),
        _values(paired, weights, present),
        *_discordance(paired, weights),
        len(np.unique(paired.item[inside])),
        int(inside.sum()),
        requests,
        tuple(_price(one.run, settings) for one in taking),
        sum(counts.get(subset, 0) for subset in {subset for subset, _ in shares}),
        (*notes, *more, *(one.run.note for one in taking if one.run.note)),
    )


def _price(run: StoredRun, settings: PilotSettings) -> float:
    spent = spending_of(run, settings.prices)
    return math.nan if spent is None else spent.per_1000_requests


def _runs(places: Sequence[Path], settings: PilotSettings) -> tuple[list[ScoredRun], list[str]]:
    folders = list(dict.fromkeys(found.resolve() for place in places for found in find_runs(place)))
    if not folders:
        raise RunError(f"there are no runs in {', '.join(map(str, places))}: give folders that `rmeval run` wrote")
    if len(folders) > 2:
        raise RunError(f"a pilot is one run or two runs, not {len(folders)}: name the folders of two")
    ids = [read_manifest(folder)["benchmark"]["id"] for folder in folders]
    if ids[0] != ids[-1]:
        raise RunError(f"{folders[1]} is a run of {ids[1]}, not of {ids[0]}: give two runs of one benchmark")
    if len(folders) == 2:
        return scored_runs(folders, folders, settings.variant, settings.benchmark, settings.protocol)
    run = read_scored(folders[0], settings.benchmark, settings.protocol)
    variant = run.variant(settings.variant)
    return [ScoredRun(run, variant, run.evidence(variant))], []


def _measure(
    one: ScoredRun, evidence: Sequence[EvidenceTable], paired: PairedOutcomes, rule: ScoreRule, settings: PilotSettings
) -> Measure:
    """Return the number to plan for: one that the benchmark composes of accuracies."""
    benchmark = one.run.benchmark
    found = [{(r.metric, r.scope): r.value for r in records_of(benchmark, own, rule, {})} for own in evidence]
    there = [
        measure
        for measure, shares in composition_of(benchmark, paired.counts).items()
        if not measure[0].startswith("cell:")
        and all(measure in own for own in found)
        and np.allclose(paired.means @ paired.shares(shares), [own[measure] for own in found], rtol=0, atol=1e-9)
    ]
    named = ", ".join(" ".join(measure) for measure in there)
    if settings.metric is not None:
        if (settings.metric, settings.scope) not in there:
            raise UnknownNameError(
                f"{benchmark.card.id} has no {settings.metric} on {settings.scope}: choose `metric` and `scope` among "
                f"{named}"
            )
        return settings.metric, settings.scope
    top = headline(there)
    if top is None:
        raise RunError(f"no number of {one.run.folder} is of all items: give `metric` and `scope`, from {named}")
    return top


def _errors(paired: PairedOutcomes, weights: FloatArray) -> FloatArray:
    """Return float64[models, clusters]: each problem's contribution to the error of a number.

    The variance of the number is the sum of their squares (Cochran 1977, "Sampling Techniques", chapter 5:
    strata whose variances have one degree of freedom less than they have values).
    """
    return np.stack([np.bincount(paired.cluster, own, paired.n_clusters) for own in _off(paired, weights)])


def _off(paired: PairedOutcomes, weights: FloatArray) -> FloatArray:
    """Return float64[models, m]: how far each comparison moves a number from the mean of its kind."""
    sizes = np.bincount(paired.part)
    factor = weights / sizes * np.sqrt(sizes / np.maximum(sizes - 1, 1))
    off: FloatArray = (paired.credit - paired.means[:, paired.part]) * factor[paired.part]
    return off


def _independent(paired: PairedOutcomes, weights: FloatArray) -> tuple[float, ...]:
    """Return the variance of each model's number with independent comparisons; empty for a gap."""
    if (weights < 0).any() or abs(float(weights.sum()) - 1) > 1e-9:
        return ()
    return tuple(np.square(_off(paired, weights)).sum(axis=1).tolist())


def _values(paired: PairedOutcomes, weights: FloatArray, present: Mask) -> FloatArray:
    if len(paired.credit) < 2:
        return np.empty(0)
    own = paired.by_cluster(weights)
    found: FloatArray = (own[0] - own[1])[present] * int(np.count_nonzero(present))
    return found


def _discordance(paired: PairedOutcomes, weights: FloatArray) -> tuple[float, float]:
    """Return the discordance of two models and the design effect of their difference; NaN for one model."""
    if len(paired.credit) < 2:
        return float("nan"), float("nan")
    share = paired.weights(weights)
    ahead = (paired.credit[0] - paired.credit[1]) * share
    together = np.bincount(paired.cluster, ahead, paired.n_clusters)
    discordance = float(np.abs(share[ahead != 0]).sum() / np.abs(share).sum())
    alone = float(np.square(ahead).sum())
    return round(discordance, 12), round(float(np.square(together).sum()) / alone, 9) if alone else float("nan")
