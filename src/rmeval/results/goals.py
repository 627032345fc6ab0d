"""Goals of a plan: how many problems each needs, and what other numbers of problems show."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rmeval.messages import count_of, percent
from rmeval.metrics.composition import Measure
from rmeval.metrics.stats.plan import Population, Precision, detectable_of, simulated_power
from rmeval.metrics.stats.power import ContributionSizes, detectable, power_of, problems_needed
from rmeval.metrics.stats.significance import LEVEL, least
from rmeval.results.notebook import html_of
from rmeval.store.manifest import finite

__all__ = ["Basis", "Goal", "Plan", "PlanPoint", "Targets", "with_goals"]

_STEPS = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
"""Numbers of problems of the curve, relative to the largest answer."""


@dataclass(frozen=True)
class Goal:
    """What to reach, and what it takes.

    Attributes:
        kind: `difference` (problems to detect it), `width` (problems for an interval), `detectable` (the smallest
            difference that given problems detect), or `power` (with which given problems detect a difference).
        problems: Number of problems; None if no number is enough.
        value: The difference, as a share; NaN for a width, or if no difference is detectable.
        low: Lower end of the range of the answer, from resamples of a pilot; NaN without one. The answer of
            `detectable` is `value`, that of `power` is `power`, that of the others is `problems`.
        high: Upper end of that range.
        power: Power by the formula; NaN for a width.
        simulated: Simulated power; NaN for a width, or with too many problems to simulate.
        simulated_error: Standard error of the simulated power.
        width: Width of the interval of an accuracy; NaN if no accuracy is known.
        items: Number of items.
        requests: Number of requests of one model.
        price: Price of these requests; NaN without a price.
    """

    kind: str
    problems: int | None
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    power: float = math.nan
    simulated: float = math.nan
    simulated_error: float = math.nan
    width: float = math.nan
    items: int | None = None
    requests: int | None = None
    price: float = math.nan


@dataclass(frozen=True)
class PlanPoint:
    """What a number of problems shows.

    Attributes:
        problems: Number of problems.
        items: Number of items.
        power: Power for the difference to detect; NaN without one.
        detectable: The smallest difference that is detected with the power of the plan; NaN if there is none.
        width: Width of the interval of an accuracy; NaN if no accuracy is known.
        price: Price of the requests of one model; NaN without a price.
    """

    problems: int
    items: int
    power: float
    detectable: float
    width: float
    price: float


@dataclass(frozen=True)
class Plan:
    """How many problems an evaluation needs, or what a number of problems shows.

    Attributes:
        difference: The difference to detect, as a share; None if none is given.
        power: The power to reach.
        models: Number of models that are compared.
        accuracy: Accuracy of a model; NaN if unknown.
        discordance: Share of the comparisons on which two models differ; NaN if unknown.
        design_effect: The variance of an accuracy relative to its variance with independent comparisons; NaN if no
            accuracy is known.
        difference_design_effect: The same for a difference; NaN if no discordance is known.
        comparisons_per_problem: Mean number of comparisons of a problem.
        items_per_problem: Mean number of items of a problem.
        requests_per_item: Mean number of requests of one model for an item.
        price_per_1000: Price of 1,000 requests; None without a price.
        benchmark: The pilot's benchmark; empty without a pilot.
        pilot: Names of the pilot's models.
        pilot_problems: Number of the pilot's problems; 0 without a pilot.
        pilot_discordant: Number of the pilot's problems that contribute to the difference of its two models.
        measure: Metric and scope of the pilot's number; None without a pilot.
        available: Number of problems that the benchmark has; 0 if unknown.
        notes: Notes for the reader, one sentence each.
        goals: What to reach, and what it takes.
        curve: What other numbers of problems show.
    """

    difference: float | None
    power: float
    models: int
    accuracy: float
    discordance: float
    design_effect: float
    difference_design_effect: float
    comparisons_per_problem: float
    items_per_problem: float
    requests_per_item: float
    price_per_1000: float | None
    benchmark: str = ""
    pilot: tuple[str, ...] = ()
    pilot_problems: int = 0
    pilot_discordant: int = 0
    measure: Measure | None = None
    available: int = 0
    notes: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()
    curve: tuple[PlanPoint, ...] = ()

    @property
    def tests(self) -> int:
        """Number of tests that are corrected together: the pairs of models."""
        return math.comb(self.models, 2)

    @property
    def level(self) -> float:
        """The level that Holm's correction requires of the smallest p-value."""
        return LEVEL / self.tests

    def items(self, problems: int) -> int:
        """Return the number of items of a number of problems."""
        return math.ceil(problems * self.items_per_problem - 1e-9)

    def requests(self, problems: int) -> int:
        """Return the number of requests of one model."""
        return math.ceil(self.items(problems) * self.requests_per_item - 1e-9)

    def price(self, problems: int) -> float:
        """Return the price of the requests of one model; NaN without a price."""
        return math.nan if self.price_per_1000 is None else self.requests(problems) * self.price_per_1000 / 1000

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON types; differences, widths and powers are shares."""
        found: dict[str, Any] = finite({**asdict(self), "tests": self.tests, "level": self.level})
        return found

    def __repr__(self) -> str:
        about = f"pilot of {count_of(self.pilot_problems, 'problem')}" if self.pilot else "assumptions"
        return "\n".join([f"plan from {about}", *(f"  {_sentence(goal)}" for goal in self.goals)])

    def _repr_html_(self) -> str | None:
        return html_of(self)


def _sentence(goal: Goal) -> str:
    problems = "no number of problems" if goal.problems is None else count_of(goal.problems, "problem")
    if goal.kind == "width":
        return f"interval of {percent(goal.width)} points: {problems}"
    if goal.kind == "difference":
        return f"difference of {percent(goal.value)} points with a power of {percent(goal.power)}%: {problems}"
    return f"{problems}: difference of {percent(goal.value)} points with a power of {percent(goal.power)}%"


@dataclass(frozen=True)
class Targets:
    """The difference, the width and the number of problems that a plan is made for; None where there is none."""

    difference: float | None
    width: float | None
    problems: int | None


@dataclass(frozen=True)
class Basis:
    """What a plan is computed from.

    Attributes:
        population: The problems that a difference is computed from; None if no discordance is known.
        precision: The precision of an accuracy; None if no accuracy is known.
        contributions: ContributionSizes in two resamples of a pilot, with small and with large ones.
        precisions: Likewise the precision in two resamples.
    """

    population: Population | None
    precision: Precision | None
    contributions: tuple[ContributionSizes, ...] = ()
    precisions: tuple[Precision, ...] = ()


def with_goals(plan: Plan, basis: Basis, targets: Targets) -> Plan:
    """Return the plan with its goals, its curve, and notes on goals that the benchmark cannot reach."""
    goals = tuple(replace(goal, **_cost(plan, goal.problems)) for goal in _goals(plan, basis, targets))
    plan = replace(plan, goals=goals)
    plan = replace(plan, curve=tuple(_point(plan, basis, problems) for problems in _numbers(plan)))
    return replace(plan, notes=tuple(dict.fromkeys([*plan.notes, *_unreachable(plan), *_out_of_reach(plan, basis)])))


def _cost(plan: Plan, problems: int | None) -> dict[str, Any]:
    if problems is None:
        return {}
    return {"items": plan.items(problems), "requests": plan.requests(problems), "price": plan.price(problems)}


def _goals(plan: Plan, basis: Basis, targets: Targets) -> Iterator[Goal]:
    if targets.difference is not None and basis.population is not None:
        yield _for_difference(plan, basis, basis.population, targets.difference)
    if targets.width is not None and basis.precision is not None:
        ends = sorted(own.problems(targets.width) for own in basis.precisions)
        low, high = ends or (math.nan, math.nan)
        yield Goal("width", basis.precision.problems(targets.width), low=low, high=high, width=targets.width)
    if targets.problems is None:
        return
    if basis.population is not None and targets.difference is not None:
        yield _of_problems(plan, basis, basis.population, targets.problems, targets.difference)
    if basis.population is not None:
        yield _of_problems(plan, basis, basis.population, targets.problems)
    else:
        yield Goal("detectable", targets.problems, width=_width(basis, targets.problems))


def _for_difference(plan: Plan, basis: Basis, population: Population, difference: float) -> Goal:
    made = population.contributions(difference)
    problems = problems_needed(made, difference, plan.level, plan.power)
    fewest = least(plan.tests)
    ends = [problems_needed(own, difference, plan.level, plan.power) or fewest for own in basis.contributions]
    low, high = ends or (math.nan, math.nan)
    if problems is None:
        return Goal("difference", None, difference, low, high, plan.power)
    return Goal(
        "difference",
        problems,
        difference,
        low,
        high,
        power_of(made, problems, difference, plan.level),
        *simulated_power(population, problems, difference, plan.level),
        _width(basis, problems),
    )


def _of_problems(
    plan: Plan, basis: Basis, population: Population, problems: int, difference: float | None = None
) -> Goal:
    """Return the smallest difference that some problems detect, or the power with which they detect a difference."""
    if difference is None:
        kind, power, value = "detectable", plan.power, detectable_of(population, problems, plan.level, plan.power)
        ends = [detectable(own, problems, plan.level, plan.power) for own in basis.contributions]
    else:
        kind, power, value = "power", _power(plan, population, problems, difference), difference
        ends = [power_of(own, problems, difference, plan.level) for own in basis.contributions]
    low, high = sorted(ends) or (math.nan, math.nan)
    if math.isnan(value):
        return Goal(kind, problems, width=_width(basis, problems))
    simulated = simulated_power(population, problems, value, plan.level)
    return Goal(kind, problems, value, low, high, power, *simulated, _width(basis, problems))


def _power(plan: Plan, population: Population, problems: int, difference: float) -> float:
    return power_of(population.contributions(difference), problems, difference, plan.level)


def _width(basis: Basis, problems: int) -> float:
    return math.nan if basis.precision is None else basis.precision.width(problems)


def _numbers(plan: Plan) -> Sequence[int]:
    """Return the numbers of problems of the curve: round ones around the largest answer, and that answer."""
    answers = [goal.problems for goal in plan.goals if goal.problems is not None]
    largest = max(answers, default=plan.available)
    around = {_rounded(step * largest) for step in _STEPS if step != 1}
    extra = {plan.available} if 0 < plan.available < 10 * largest else set()
    fewest = least(plan.tests)
    return sorted({number for number in around | set(answers) | extra if number >= fewest})


def _rounded(number: float) -> int:
    """Round a number to two digits."""
    unit = int(10 ** max(0, math.floor(math.log10(max(number, 1))) - 1))
    return max(1, round(number / unit) * unit)


def _point(plan: Plan, basis: Basis, problems: int) -> PlanPoint:
    power = smallest = math.nan
    if basis.population is not None:
        smallest = detectable_of(basis.population, problems, plan.level, plan.power)
        if plan.difference is not None:
            power = _power(plan, basis.population, problems, plan.difference)
    return PlanPoint(problems, plan.items(problems), power, smallest, _width(basis, problems), plan.price(problems))


def _unreachable(plan: Plan) -> Iterator[str]:
    """Yield a note on each goal that no number of problems reaches, or not the given one."""
    fewest = least(plan.tests)
    for goal in plan.goals:
        if goal.problems is None:
            yield f"a billion problems are too few for a difference of {100 * goal.value:.3g} points"
        elif goal.kind in ("detectable", "power") and goal.problems < fewest:
            problems = count_of(goal.problems, "problem")
            yield f"{problems}: too few for a significant difference, which needs at least {fewest}"


def _out_of_reach(plan: Plan, basis: Basis) -> Iterator[str]:
    """Yield a note on each goal for which the benchmark has too few problems."""
    if not plan.available:
        return
    whole = f"{plan.benchmark} has {count_of(plan.available, 'problem')} in the subsets of the pilot"
    for goal in plan.goals:
        if goal.problems is not None and goal.problems <= plan.available:
            continue
        if goal.kind == "difference" and basis.population is not None:
            smallest = detectable_of(basis.population, plan.available, plan.level, plan.power)
            yield (
                f"{whole}: too few for a difference of {percent(goal.value)} points; the smallest that they detect "
                f"with a power of {100 * plan.power:g}% is {percent(smallest)} points"
            )
        elif goal.kind == "width":
            yield (
                f"{whole}: too few for an interval of {percent(goal.width)} points; with all of them it has "
                f"{percent(_width(basis, plan.available))} points"
            )
        else:
            yield f"{whole}: fewer than {goal.problems}"
