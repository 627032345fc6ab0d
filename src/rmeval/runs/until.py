"""Rules that stop a run early: problems are scored in a seeded random order, in growing portions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmeval.data.tables import Codes, Mask
from rmeval.errors import RunError
from rmeval.messages import count_of, percent
from rmeval.metrics.stats.sequences import look_after, looks, problems_needed, sum_bounds
from rmeval.metrics.stats.significance import LEVEL
from rmeval.models import RewardModel
from rmeval.plugins import is_file_spec
from rmeval.protocols import ProtocolLike, load_protocol
from rmeval.results.align import ScoredRun, find_by_benchmark, places_in, run_names
from rmeval.results.lead_sequence import Lead, OrderedProblems, contributions_of, lead_text
from rmeval.results.places import Place, places_of
from rmeval.results.result import common_rule
from rmeval.runs.plan import Plan, notes
from rmeval.store.manifest import StoppedEntry, read_manifest
from rmeval.store.problems import problem_order
from rmeval.store.run import NothingScoredError, StoredRun, read_scored
from rmeval.types import FloatArray, IntArray, ScoreRule

__all__ = ["DECIDED", "Portion", "StoppingRule", "stopping_rule"]

DECIDED = "decided"


class Portion(NamedTuple):
    """The first problems of a plan in random order.

    Attributes:
        plan: The plan of their items.
        items: bool[n], whether each item of the whole plan is among them.
        last: Whether the run can score no further problem.
    """

    plan: Plan
    items: Mask
    last: bool


class StoppingRule(ABC):
    """A rule that decides after each portion of a plan whether the run stops.

    Attributes:
        plan: The whole plan.
    """

    def __init__(self, plan: Plan, rule: ScoreRule) -> None:
        """Find what each problem can add to the headline.

        Args:
            plan: The whole plan.
            rule: The rule for ties and failures.

        Raises:
            RunError: If there is no headline, or it is not a weighted mean over problems.
        """
        self.plan, self._rule = plan, rule
        advice = "select all sections, or a single one with `subset`, or leave out `until`"
        self._every = contributions_of(plan.benchmark, plan.stored, rule, None, advice)
        if rule.failure == "exclude":
            raise RunError(
                f"the score rule {rule.name} excludes comparisons without a score, so that the weights of the others "
                "are not known before the end: leave out `until`"
            )
        self._order = problem_order(plan.stored, plan.selection.seed)
        known = set(notes(plan.benchmark, plan.stored))
        self._further_notes = [note for note in plan.notes if note not in known]

    @abstractmethod
    def reached(self, run: StoredRun, portion: Portion) -> bool:
        """Return whether a portion is enough, given the run of it."""

    @abstractmethod
    def note(self) -> str:
        """Return what the last portion that was examined shows, for readers of the numbers."""

    def portions(self, folder: Path, held: Sequence[str]) -> Iterator[Portion]:
        """Yield growing portions; if the run folder holds the items of one of them already, from that one on.

        Args:
            folder: The run folder.
            held: Ids of the items that it holds.

        Raises:
            RunError: If no problem can be scored.
        """
        table, allowed = self.plan.stored.table, self._allowed(folder)
        order = self._order[np.isin(self._order, table.cluster[allowed])]
        place = np.full(self._every.problems, len(order))
        place[order] = np.arange(len(order))
        own = np.where(allowed, place[table.cluster], len(order))
        # Problems that add nothing to the number keep their places, but do not count.
        counting = np.flatnonzero(self._counting[order])
        done = _beginning(own, counting, _among(table.ids, held)) or self._next(0, len(counting))
        while True:
            last = done >= len(counting)
            items = own < (len(order) if last else counting[done - 1] + 1)
            yield Portion(self._part(items), items, last)
            done = self._next(done, len(counting))

    def _next(self, done: int, problems: int) -> int:
        """The number of problems of the next portion."""
        return next((look for look in looks(problems) if look > done), problems)

    def stopped(self, portion: Portion) -> StoppedEntry:
        """Return what `run.json` states about a run that stops after a portion: problems that add to the headline."""
        counting = self._counting
        seen = np.unique(self.plan.stored.table.cluster[portion.items])
        return {"problems": int(counting[seen].sum()), "of": int(counting.sum())}

    @property
    def _counting(self) -> Mask:
        """Whether each problem can add something to the number."""
        counting: Mask = self._every.high > self._every.low
        return counting

    def _part(self, items: Mask) -> Plan:
        """The plan of some items, with the notes of a selection of them."""
        whole, part = self.plan, self.plan.take(items)
        if part is whole:
            return whole
        return replace(part, notes=(*notes(part.benchmark, part.stored), *self._further_notes))

    def _allowed(self, folder: Path) -> Mask:
        """bool[n], whether each item of the plan can be scored."""
        return np.ones(len(self.plan.stored.table), bool)

    def _number(self) -> str:
        metric, scope = self._every.measure
        return metric if scope == "all" else f"{scope} {metric}"


class _Narrow(StoppingRule):
    """Stops when the headline of all items of the plan is known to within an interval of some width."""

    def __init__(self, plan: Plan, rule: ScoreRule, width: float) -> None:
        super().__init__(plan, rule)
        self._width = width
        self._drawn = self._needed = 0
        self._bounds = 0.0, 1.0

    def reached(self, run: StoredRun, portion: Portion) -> bool:
        benchmark, table, every = self.plan.benchmark, self.plan.stored.table, self._every
        problem = table.cluster[portion.items]
        found = benchmark.outcomes(run.items.table, run.evidence(run.variants[0]), self._rule)
        order = self._order[self._counting[self._order]]
        done = np.zeros(every.problems, bool)
        done[problem] = True
        self._drawn = int(done[order].sum())
        drawn = order[: self._drawn]
        weights: FloatArray = every.high - every.low
        credit = (every.added(found, problem) - every.low)[drawn] / weights[drawn]
        least = float(every.low.sum())
        # Rounding must not move a credit out of the range on which the bets rely.
        credit = np.clip(credit, 0, 1)
        low, high = sum_bounds(credit, weights[order], self._width)
        self._needed = problems_needed(credit, weights[order], self._width)
        self._bounds = least + low, least + high
        return high - low <= self._width

    def _next(self, done: int, problems: int) -> int:
        return look_after(done, self._needed, problems)

    def note(self) -> str:
        problems, items = int(self._counting.sum()), count_of(len(self.plan.stored.table), "item")
        if self._drawn == problems:
            return f"all {problems} problems are scored, so {self._number()} is that of all {items}"
        low, high = self._bounds
        return (
            f"stopped after {self._drawn} of {problems} problems: {self._number()} of all {items} is between "
            f"{percent(low)} and {percent(high)} (anytime-valid {100 * (1 - LEVEL):g}% interval)"
        )


class _Decided(StoppingRule):
    """Stops when the headline is known to be larger or smaller than that of each of some other runs."""

    def __init__(self, plan: Plan, protocol: ProtocolLike, versus: Sequence[Path]) -> None:
        self._others = list(_runs_with_items(plan, versus))
        protocols = [protocol, *(one.run.protocol for one, _ in self._others)]
        super().__init__(plan, common_rule(plan.benchmark, protocols))
        self._ordered: list[tuple[OrderedProblems, FloatArray, Codes]] = []
        self._leads: list[Lead] = []
        self._where = ", ".join(map(str, versus))
        self._refuse_none()

    def _refuse_none(self) -> None:
        if not self._others:
            raise RunError(
                f"there is no other run of {self.plan.benchmark.card.id} with any of these items in {self._where}: run "
                "the other model first, and give its run folder with `versus`"
            )

    def _allowed(self, folder: Path) -> Mask:
        self._others = [(one, places) for one, places in self._others if one.run.folder.resolve() != folder.resolve()]
        self._refuse_none()
        allowed: Mask = np.all([places >= 0 for _, places in self._others], axis=0)
        if not allowed.any():
            raise RunError(
                f"the runs in {self._where} have none of these items in common: give one of them with `versus`"
            )
        self._ordered = [self._order_of(one, places, allowed) for one, places in self._others]
        return allowed

    def _order_of(self, other: ScoredRun, places: IntArray, allowed: Mask) -> tuple[OrderedProblems, FloatArray, Codes]:
        """The problems to compare with a run, what they add to its number, and the problem of each item of the plan."""
        benchmark, rule = self.plan.benchmark, self._rule
        stored = other.run.items
        whole = np.isin(np.arange(len(stored.table)), places[allowed])
        advice = f"run the model of {other.run.folder} on all of them"
        measure, seed = self._every.measure, self.plan.selection.seed
        ordered = OrderedProblems.of(benchmark, stored.take(whole), rule, measure, seed, advice)
        own = other.evidence.take(whole)
        added = ordered.every.added(benchmark.outcomes(own.table, own, rule), ordered.problem)
        problem = np.full(len(places), -1, np.int32)
        problem[allowed] = ordered.problem[(np.cumsum(whole) - 1)[places[allowed]]]
        return ordered, added, problem

    def reached(self, run: StoredRun, portion: Portion) -> bool:
        benchmark, rule = self.plan.benchmark, self._rule
        found = benchmark.outcomes(run.items.table, run.evidence(run.variants[0]), rule)
        sequences = []
        for ordered, theirs, problem in self._ordered:
            seen = problem[portion.items]
            sequences.append(ordered.sequence(ordered.every.added(found, seen), theirs, seen))
        decided = all(one.decided(len(sequences)) for one in sequences)
        if decided or portion.last:
            runs = [run, *(one.run for one, _ in self._others)]
            own, *names = run_names([(str(one.manifest["model"]["name"]), one.folder) for one in runs])
            self._leads = [one.lead(own, name, len(names)) for one, name in zip(sequences, names, strict=True)]
        return decided

    def note(self) -> str:
        return "; ".join(map(lead_text, self._leads))


def _runs_with_items(plan: Plan, versus: Sequence[Path]) -> Iterator[tuple[ScoredRun, IntArray]]:
    """Yield each other run with items of a plan, and their places in it."""
    card, spec = plan.benchmark.card, plan.benchmark.spec
    found = find_by_benchmark(versus)
    for folder in (one for own in found.folders.values() for one in own if _is_of(one, card.id)):
        with suppress(NothingScoredError):
            run = read_scored(folder, spec if is_file_spec(spec) else None)
            if (places := places_in(plan.stored, run.items)).max() >= 0:
                yield ScoredRun(run, run.variants[0], run.evidence(run.variants[0])), places


def _among(ids: Iterable[str], names: Sequence[str]) -> Mask:
    """bool[n], whether each id is among some names; all false if one of the names is not among the ids."""
    wanted = set(names)
    found = np.array([name in wanted for name in ids], bool)
    return found if found.sum() == len(wanted) else np.zeros(len(found), bool)


def _beginning(place: IntArray, counting: IntArray, held: Mask) -> int:
    """The number of problems that count, if the items held are those of the first problems in the order; else 0.

    Args:
        place: int64[n], the place of each item's problem in the order.
        counting: The places of the problems that count.
        held: bool[n].
    """
    if not held.any() or not np.array_equal(place <= place[held].max(), held):
        return 0
    return int(np.count_nonzero(counting <= place[held].max()))


def _is_of(folder: Path, benchmark: str) -> bool:
    return bool(read_manifest(folder)["benchmark"]["id"] == benchmark)


def stopping_rule(
    until: float | str | None, versus: Place | Iterable[Place], plan: Plan, model: RewardModel
) -> StoppingRule | None:
    """Return the rule that stops a run early; None if nothing does.

    Args:
        until: The width of the headline's interval at which to stop, as a share; or `decided`.
        versus: The runs to compare with, for `decided`.
        plan: The items.
        model: The model to run.

    Raises:
        RunError: If the options are wrong or contradict each other, or the headline has no sequence.
    """
    others = [] if isinstance(versus, Sequence) and not versus and versus != "" else places_of(versus)
    if until is None:
        if others:
            raise RunError(f"`versus` needs `until` {DECIDED}: give both, or neither")
        return None
    protocol = load_protocol(model.protocol).protocol
    if not protocol.gives_scores:
        plan = plan.for_comparing()
    if until == DECIDED:
        if not others:
            raise RunError(f"`until` {DECIDED} needs `versus`: give the run folder of the other model")
        return _Decided(plan, protocol, others)
    if isinstance(until, bool) or not isinstance(until, int | float) or not 0 < until < 1:
        raise RunError(f"`until` must be {DECIDED}, or the width of an interval between 0 and 1, not {until!r}")
    if others:
        raise RunError(f"`versus` is for `until` {DECIDED}: leave it out, or give `until` {DECIDED}")
    return _Narrow(plan, common_rule(plan.benchmark, [protocol]), float(until))
