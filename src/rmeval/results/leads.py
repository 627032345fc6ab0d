"""Leads decided by anytime-valid sequences: after how many problems the better of two models was known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from rmeval.benchmarks.card import subsets_named
from rmeval.data.tables import ItemTable, Mask
from rmeval.errors import RunError
from rmeval.metrics.composition import Measure
from rmeval.metrics.targets import best_note
from rmeval.results.align import (
    NothingSharedError,
    ScoredRun,
    find_by_benchmark,
    run_names,
    scored_runs,
    shared_evidence,
)
from rmeval.results.groups import group_label
from rmeval.results.lead_sequence import Lead, LeadSequence, OrderedProblems, lead_text
from rmeval.results.notebook import html_of
from rmeval.results.places import Place, places_of
from rmeval.results.result import check_rule, rule_of
from rmeval.store.items import StoredItems
from rmeval.store.manifest import finite
from rmeval.store.problems import problem_order
from rmeval.store.run import StoredRun
from rmeval.types import ScoreRule

__all__ = ["Leads", "decide_runs", "sequence_of"]


@dataclass(frozen=True)
class Leads:
    """Leads of all pairs of models on one benchmark.

    Attributes:
        benchmark: The benchmark's id.
        data: The data that were read or generated.
        rule: The name of the score rule.
        measure: The number in which models are compared.
        pairs: The pairs, those decided first in front.
        notes: Notes for the reader, one sentence each.
    """

    benchmark: str
    data: str
    rule: str
    measure: Measure
    pairs: tuple[Lead, ...]
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([f"{self.benchmark}:", *(f"  {lead_text(one)}" for one in self.pairs)])

    def _repr_html_(self) -> str | None:
        return html_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the leads as plain JSON types."""
        rows = [asdict(one) | {"saved": one.saved} for one in self.pairs]
        found: dict[str, Any] = finite(asdict(self) | {"pairs": rows})
        return found


def decide_runs(
    runs: Place | Iterable[Place],
    *,
    rule: str | None = None,
    variant: str | None = None,
    metric: str | None = None,
    scope: str = "all",
    benchmark: str | None = None,
    protocol: str | None = None,
) -> list[Leads]:
    """Find after how many problems, in a random order, the better of two models is known, for each pair of runs.

    Unlike the tests of `compare`, these hold when a run stops as soon as a pair is decided.

    Args:
        runs: A folder with runs in it, or several; run folders; or results. Each benchmark has its own result.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        variant: Which of a model's scores to use; its first if None.
        metric: The number to compare, such as `hard`; the benchmark's own if None.
        scope: The part of the benchmark, such as `chat`.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Raises:
        RunError: If there are fewer than two runs of each benchmark, or they share no items.
    """
    check_rule(rule)
    if metric is None and scope != "all":
        raise RunError(f"`scope` {scope} needs `metric`: give both, such as `metric` average")
    found = find_by_benchmark(places_of(runs))
    several = {name: own for name, own in found.folders.items() if len(own) > 1}
    if not several:
        raise RunError("there is nothing to compare: give two runs or more of one benchmark")
    if metric is not None and best_note(metric):
        raise RunError(f"of {metric}, {best_note(metric)}: choose a `metric` that is better if it is larger")
    wanted = None if metric is None else (metric, scope)
    decided: list[Leads] = []
    missing: list[NothingSharedError] = []
    for name, folders in several.items():
        try:
            taking, notes = scored_runs(folders, found.named, variant, benchmark, protocol)
            label = group_label(name, taking[0].run.manifest, False)
            decided.append(_leads(label, taking, [*notes, *found.notes], rule, wanted))
        except NothingSharedError as error:
            missing.append(error)
    if not decided:
        raise missing[0]
    left = [f"a benchmark is excluded: {error}" for error in missing]
    return [replace(decided[0], notes=(*decided[0].notes, *left)), *decided[1:]]


def _leads(
    data: str, taking: Sequence[ScoredRun], notes: Sequence[str], rule: str | None, wanted: Measure | None
) -> Leads:
    """Return the leads of all pairs of runs of one benchmark."""
    names = run_names([(str(one.run.manifest["model"]["name"]), one.run.folder) for one in taking])
    score_rule = rule_of((one.run for one in taking), rule)
    pairs = list(combinations(range(len(taking)), 2))
    sequences = [sequence_of(taking[one], taking[other], score_rule, wanted) for one, other in pairs]
    leads = [
        sequence.lead(names[one], names[other], len(pairs))
        for (one, other), sequence in zip(pairs, sequences, strict=True)
    ]
    leads.sort(key=lambda one: (one.decided or np.inf, -one.value, one.first, one.second))
    unfinished = [f"{name}: {one.run.note}" for name, one in zip(names, taking, strict=True) if one.run.note]
    card, measure = taking[0].run.benchmark.card, sequences[0].measure
    # The number of common items, which the first kind of note states, is in a column here.
    own = dict.fromkeys(note for one in sequences for note in one.notes if not note.startswith("compared on "))
    return Leads(card.id, data, score_rule.name, measure, tuple(leads), (*notes, *own, *unfinished))


def sequence_of(
    one: ScoredRun,
    other: ScoredRun,
    rule: ScoreRule,
    wanted: Measure | None = None,
    seed: int | None = None,
) -> LeadSequence:
    """Return the differences of two runs by problem, in random order.

    If one run has the first problems of the other one in the order of its seed, as a run that stopped early has, the
    problems to compare are those of the longer run that the shorter run selects. Otherwise they are those that both
    have.

    Args:
        one: A run.
        other: Another run of the same benchmark.
        rule: The rule for ties and failures.
        wanted: The number to compare; the headline if None.
        seed: Seed of the order; that of the shorter run if None.

    Raises:
        NothingSharedError: If they have no item or no such number in common.
    """
    swap = len(one.run.items.table) <= len(other.run.items.table)
    longer, shorter = (other, one) if swap else (one, other)
    evidence, shared, notes = shared_evidence([longer.run, shorter.run], [longer.evidence, shorter.evidence], rule)
    stored, benchmark = longer.run.items, longer.run.benchmark
    seed = _seed(longer, shorter) if seed is None else seed
    whole = _selected(stored.table, shorter.run) | shared
    if not _is_beginning(shared[whole], stored.take(whole), seed):
        whole = shared
    ordered = OrderedProblems.of(benchmark, stored.take(whole), rule, wanted, seed)
    problem = ordered.problem[shared[whole]]
    added = [ordered.every.added(benchmark.outcomes(own.table, own, rule), problem) for own in evidence]
    first, second = reversed(added) if swap else added
    sequence = ordered.sequence(first, second, problem)
    return replace(sequence, notes=tuple(notes))


def _selected(table: ItemTable, run: StoredRun) -> Mask:
    """bool[n], whether a run's selection of subsets includes each item."""
    card, there = run.benchmark.card, table.counts
    named = [name for name in run.manifest["selection"].get("subsets", ()) if name in there or name in card.sections]
    wanted = subsets_named(card, there, named) or set(there)
    left_out = () if run.protocol.gives_scores else card.needs_scores
    kept = [name in wanted and name not in left_out for name in table.subsets]
    mask: Mask = np.array(kept, bool)[table.subset]
    return mask


def _seed(longer: ScoredRun, shorter: ScoredRun) -> int:
    """Return the seed of the shorter run; of two equally long runs, the larger seed, as 0 is the default."""
    seeds = [int(one.run.manifest["selection"].get("seed", 0)) for one in (longer, shorter)]
    return max(seeds) if len(longer.run.items.table) == len(shorter.run.items.table) else seeds[1]


def _is_beginning(shared: Mask, items: StoredItems, seed: int) -> bool:
    """Return whether the shared items are those of the first problems in random order."""
    place = np.argsort(problem_order(items, seed))[items.table.cluster]
    return not shared.all() and bool(place[shared].max() < place[~shared].min())
