"""Problems to compare in random order, and what a sequence over them shows of two models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rmeval.benchmarks import Benchmark
from rmeval.data.tables import Codes
from rmeval.messages import count_of, percent, quoted
from rmeval.metrics.composition import Measure, composition_of, headline, parts
from rmeval.metrics.records import checked_records, null_evidence
from rmeval.metrics.stats.contributions import ContributionBounds
from rmeval.metrics.stats.paired import PairedOutcomes
from rmeval.metrics.stats.sequences import difference_bounds, lead_p_values, looks
from rmeval.metrics.stats.significance import LEVEL
from rmeval.results.align import NothingSharedError
from rmeval.store.items import StoredItems
from rmeval.store.problems import problem_order
from rmeval.types import FloatArray, IntArray, ScoreRule

__all__ = ["Lead", "LeadSequence", "OrderedProblems", "contributions_of", "lead_text"]


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


@dataclass(frozen=True)
class OrderedProblems:
    """Problems to compare, in random order.

    Attributes:
        every: What each problem can add to the number.
        problem: int32[n], the problem of each item.
        order: The problems that can add anything, in order.
        seed: Seed of the order.
    """

    every: ContributionBounds
    problem: Codes
    order: IntArray
    seed: int

    @classmethod
    def of(
        cls,
        benchmark: Benchmark,
        items: StoredItems,
        rule: ScoreRule,
        wanted: Measure | None,
        seed: int,
        advice: str = "choose another `metric` and `scope`",
    ) -> OrderedProblems:
        """Return all problems of some items in random order; the arguments are those of `contributions_of`."""
        every = contributions_of(benchmark, items, rule, wanted, advice)
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


def contributions_of(
    benchmark: Benchmark, items: StoredItems, rule: ScoreRule, wanted: Measure | None, advice: str
) -> ContributionBounds:
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
        which = "headline" if wanted is None else " ".join(map(str, wanted))
        raise NothingSharedError(
            f"{benchmark.card.id} has no {which} on these items that is a weighted mean over problems (there are "
            f"{there or 'none'}): {advice}"
        )
    return ContributionBounds.of(measure, composition[measure], paired.counts, found, table)


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
