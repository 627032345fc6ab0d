"""Leads decided by anytime-valid sequences: after how many problems the better of two models was known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from rmeval.benchmarks import Benchmark
from rmeval.benchmarks.card import subsets_named
from rmeval.data.tables import Codes, ItemTable, Mask
from rmeval.errors import RunError
from rmeval.messages import count_of, percent, quoted
from rmeval.metrics.composition import Measure, composition_of, headline, parts
from rmeval.metrics.records import checked_records, null_evidence
from rmeval.metrics.stats.contributions import Contributions
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.metrics.stats.sequences import difference_bounds, lead_p_values, looks
from rmeval.metrics.stats.significance import LEVEL
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
from rmeval.results.notebook import html_of
from rmeval.results.places import Place, places_of
from rmeval.results.result import check_rule, rule_of
from rmeval.store.items import StoredItems
from rmeval.store.manifest import finite
from rmeval.store.problems import problem_order
from rmeval.store.run import StoredRun
from rmeval.types import FloatArray, IntArray, ScoreRule

__all__ = ["Course", "Lead", "LeadSequence", "Leads", "contributions_of", "decide_runs", "sequence_of"]


@dataclass(frozen=True)
class Lead:
    """Difference of two models in one number, by an anytime-valid sequence over problems in random order.

    Attributes:
        first: Name of the model whose number is larger so far.
        second: Name of the other model.
        value: The difference, estimated from the problems compared.
        ci: Its interval, which holds for all pairs together and at every look; 0 is outside if the pair is decided.
        p: Two-sided p-value that holds at every look, multiplied by the number of pairs.
        decided: Number of problems after which the first model was known to be better; None if it is not decided.
        decided_items: Number of the items of these problems.
        n_clusters: Number of problems compared.
        n_items: Number of items compared.
        of_clusters: Number of problems that there are to compare.
        of_items: Number of their items.
        seed: Seed of the random order.
    """

    first: str
    second: str
    value: float
    ci: tuple[float, float]
    p: float
    decided: int | None
    decided_items: int | None
    n_clusters: int
    n_items: int
    of_clusters: int
    of_items: int
    seed: int

    @property
    def saved(self) -> float | None:
        """The share of items that the decision did not need; None if the pair is not decided."""
        return None if self.decided_items is None else 1 - self.decided_items / self.of_items


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


@dataclass(frozen=True)
class LeadSequence:
    """Differences of two models by problem, in the seeded random order of problems.

    Attributes:
        difference: float64[n], what each problem adds to the difference, times the number of problems.
        most: The largest absolute value that a difference can have.
        total: The largest difference that two models can have in the number.
        problems: Number of problems that there are to compare.
        items: int64[problems], the number of items of the problems so far.
        measure: The number in which the models are compared.
        seed: Seed of the random order.
        notes: Notes for the reader, one sentence each.
    """

    difference: FloatArray
    most: float
    total: float
    problems: int
    items: IntArray
    measure: Measure
    seed: int
    notes: tuple[str, ...] = ()

    @cached_property
    def ends(self) -> IntArray:
        """Numbers of problems at the looks, int64[looks]."""
        done = len(self.difference)
        return np.array([end for end in looks(self.problems) if end < done] + [done], np.int64)

    @cached_property
    def p_values(self) -> tuple[FloatArray, FloatArray]:
        """P-values at the looks; small ones of the first show that the first model is better."""
        return lead_p_values(self.difference, self.most, self.problems, self.ends)

    def decided(self, pairs: int) -> int | None:
        """Return the number of problems after which one of the models was known to be better; None if neither was.

        Args:
            pairs: Number of pairs, among which the level is divided (Bonferroni 1936; Dunn 1961, JASA 56:52).
        """
        found = np.flatnonzero(np.minimum(*self.p_values) * pairs < LEVEL)
        return int(self.ends[found[0]]) if found.size else None

    def lead(self, first: str, second: str, pairs: int) -> Lead:
        """Return the lead of one of two models."""
        value, done = float(self.difference.mean()), len(self.difference)
        low, high = difference_bounds(self.difference, self.most, self.problems, self.ends, LEVEL / pairs)
        low, high = max(low, -self.total), min(high, self.total)
        ahead, behind = (p[-1] for p in self.p_values)
        at = self.decided(pairs)
        found = Lead(
            first,
            second,
            value,
            (low, high),
            min(1.0, float(min(ahead, behind)) * pairs),
            at,
            None if at is None else int(self.items[at - 1]),
            done,
            int(self.items[done - 1]),
            self.problems,
            int(self.items[-1]),
            self.seed,
        )
        second_leads = ahead > behind if at is not None else value < 0
        return replace(found, first=second, second=first, value=-value, ci=(-high, -low)) if second_leads else found


def lead_text(lead: Lead) -> str:
    """Return a lead in a sentence, without a final full stop."""
    low, high = (percent(end) for end in lead.ci)
    size = f"{percent(lead.value)} points ({100 * (1 - LEVEL):g}% sequence: {low} to {high})"
    if lead.decided is None:
        return (
            f"not decided after {lead.n_clusters} of {count_of(lead.of_clusters, 'problem')}: {lead.first} is ahead of "
            f"{lead.second} by {size}"
        )
    return f"{lead.first} leads {lead.second} by {size}, decided after {lead.decided} of {lead.of_clusters} problems"


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
    score_rule = rule_of(taking[0].run.benchmark, rule)
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
    course = Course.of(benchmark, stored.take(whole), rule, wanted, seed)
    problem = course.problem[shared[whole]]
    added = [course.every.added(benchmark.outcomes(own.table, own, rule), problem) for own in evidence]
    first, second = reversed(added) if swap else added
    sequence = course.sequence(first, second, problem)
    return replace(sequence, notes=tuple(notes))


@dataclass(frozen=True)
class Course:
    """Problems to compare, in random order.

    Attributes:
        every: What each problem can add to the number.
        problem: int32[n], the problem of each item.
        order: The problems that can add anything, in order.
        seed: Seed of the order.
    """

    every: Contributions
    problem: Codes
    order: IntArray
    seed: int

    @classmethod
    def of(cls, benchmark: Benchmark, items: StoredItems, rule: ScoreRule, wanted: Measure | None, seed: int) -> Course:
        """Return the course over all problems of some items; the other arguments are those of `sequence_of`."""
        every = contributions_of(benchmark, items, rule, wanted, "choose another `metric` and `scope`")
        order = problem_order(items, seed)
        return cls(every, items.table.cluster, order[(every.high > every.low)[order]], seed)

    def sequence(self, first: FloatArray, second: FloatArray, seen: Codes) -> LeadSequence:
        """Return the sequence of two models.

        Args:
            first: float64[problems], what each problem adds to the number of the first model.
            second: The same for the second model.
            seen: The problems that both models have, which are the first ones in the order; possibly repeated.
        """
        every, order = self.every, self.order
        done = np.zeros(every.problems, bool)
        done[seen] = True
        drawn = order[: np.count_nonzero(done[order])]
        return LeadSequence(
            len(order) * (first - second)[drawn],
            len(order) * float((every.high - every.low).max()),
            float((every.high - every.low).sum()),
            len(order),
            np.cumsum(np.bincount(self.problem, minlength=every.problems)[order]),
            every.measure,
            self.seed,
        )


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


def contributions_of(
    benchmark: Benchmark, items: StoredItems, rule: ScoreRule, wanted: Measure | None, advice: str
) -> Contributions:
    """Return what each problem can add to a number of a benchmark, by default its headline.

    Without a headline, this is the main number of the only part that the items have.

    Args:
        benchmark: The benchmark.
        items: The items.
        rule: The rule for ties and failures.
        wanted: The number; the headline if None.
        advice: What to do if there is no such number, for the message.

    Raises:
        NothingSharedError: If there is no such number, or it is not a weighted sum of credits.
    """
    table = items.table
    null = null_evidence("longest", table, items.counts)
    found = benchmark.outcomes(table, null, rule)
    paired = PairedOutcomes.of([found])
    composition = composition_of(benchmark, paired.counts)
    values = {
        (one.metric, one.scope): one.value
        for one in checked_records(benchmark.aggregate(table, null, rule, intervals=False))
    }
    known = [
        measure
        for measure, shares in composition.items()
        if measure in values and abs(float(paired.means[0] @ paired.shares(shares)) - values[measure]) < 1e-9
    ]
    main = parts(known)
    measure = wanted or headline(known) or (main[0] if len(main) == 1 else None)
    if measure not in known:
        there = ", ".join(f"{metric} {quoted(scope) if ' ' in scope else scope}" for metric, scope in main)
        which = "headline" if wanted is None else " ".join(wanted)
        raise NothingSharedError(
            f"{benchmark.card.id} has no {which} on these items that is a weighted mean over problems (there are "
            f"{there or 'none'}): {advice}"
        )
    return Contributions.of(measure, composition[measure], paired.counts, found, table)
