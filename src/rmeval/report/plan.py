"""View of a plan, for `rmeval plan`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rmeval.messages import count_of
from rmeval.report.cells import FIGURES, PERCENT, POINTS, PRICE, THOUSANDS, Cell, Number
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View
from rmeval.results.goals import Goal, Plan

__all__ = ["plan_view"]

_NAMES = {
    "difference": "to detect this difference",
    "width": "for an interval of this width",
    "detectable": "smallest detectable difference",
    "power": "power for this difference",
}


def plan_view(found: Plan) -> View:
    """Return the view of a plan: what it assumes, what its goals need, and what other numbers of problems show."""
    tables = [_assumptions(found), _goals(found), _curve(found)]
    return View(
        found.benchmark or "plan",
        tuple(table for table in tables if table.rows),
        data=f"pilot of {count_of(found.pilot_problems, 'problem')}" if found.pilot else "",
        about=tuple(_about(found)),
        notes=found.notes,
    )


def _about(found: Plan) -> Iterator[str]:
    if found.pilot:
        yield f"pilot: {' and '.join(found.pilot)}"
        yield "the mix of subsets is that of the pilot; the difference of its models is not used"
    if found.tests > 1:
        level = f"each at a level of {100 * found.level:.2g}%"
        yield f"{found.models} models: {found.tests} tests, corrected (Holm), {level}"


def _assumptions(found: Plan) -> Table:
    named = "accuracy" if found.measure in (None, ("accuracy", "all")) else measure_name(found.measure or ("", ""))
    apart = found.pilot and not math.isnan(found.design_effect + found.difference_design_effect)
    numbers = {
        f"{named} in %": Number(found.accuracy),
        "discordance in %": Number(found.discordance),
        "design effect": Number(found.design_effect, unit=FIGURES),
        "design effect of the difference": Number(found.difference_design_effect if apart else math.nan, unit=FIGURES),
        "comparisons per problem": Number(found.comparisons_per_problem, unit=FIGURES),
        "items per problem": Number(found.items_per_problem, unit=FIGURES),
    }
    if found.price_per_1000 is not None:
        numbers["requests per item"] = Number(found.requests_per_item, unit=FIGURES)
        numbers["price of 1,000 requests"] = Number(found.price_per_1000, unit=PRICE)
    rows = (Row(name, (number,)) for name, number in numbers.items() if not math.isnan(number.value))
    title = "estimated from the pilot" if found.pilot else "assumed"
    return Table("assumptions", ("", "value"), tuple(rows), title, layout="bare")


def _goals(found: Plan) -> Table:
    columns = ("", "problems", "difference", "power", "simulated", "width", "items", "requests", "price")
    rows = [Row(_NAMES[goal.kind], tuple(_goal(goal)), goal.kind) for goal in found.goals]
    return _without_empty(
        Table("goals", columns, tuple(rows), _title(found), tuple(_explained(found)), keys=("goal", *columns[1:]))
    )


def _title(found: Plan) -> str:
    ranges = any(not math.isnan(goal.low) for goal in found.goals)
    return "plan" + (", with ranges from 999 resamples of the pilot's problems (95%)" if ranges else "")


def _goal(goal: Goal) -> Iterator[Cell]:
    ends = None if math.isnan(goal.low) or math.isnan(goal.high) else (goal.low, goal.high)
    of = {"detectable": "difference", "power": "power"}.get(goal.kind, "problems")
    yield Number(_or_nan(goal.problems), ends if of == "problems" else None, THOUSANDS, strong=of == "problems")
    yield Number(goal.value, ends if of == "difference" else None, POINTS)
    yield Number(goal.power, ends if of == "power" else None, PERCENT)
    yield Number(goal.simulated)
    yield Number(goal.width, unit=POINTS)
    yield Number(_or_nan(goal.items), unit=THOUSANDS)
    yield Number(math.nan if math.isnan(goal.price) else _or_nan(goal.requests), unit=THOUSANDS)
    yield Number(goal.price, unit=PRICE)


def _or_nan(number: int | None) -> float:
    return math.nan if number is None else number


def _explained(found: Plan) -> Iterator[str]:
    parts = []
    if any(not math.isnan(goal.value) for goal in found.goals):
        parts.append("difference: true difference of two models, in points")
        parts.append("power: probability in % that the test of `rmeval compare` finds the better model, by the formula")
    if errors := [goal.simulated_error for goal in found.goals if not math.isnan(goal.simulated)]:
        parts.append(f"simulated: that test on simulated data sets (standard error {100 * max(errors):.1f})")
    if any(not math.isnan(goal.width) for goal in found.goals):
        parts.append("width: of the 95% interval of an accuracy, in points")
    if found.price_per_1000 is not None:
        parts.append(f"requests and price of one of the {found.models} models")
    if parts:
        yield "; ".join(parts)


def _curve(found: Plan) -> Table:
    answers = {goal.problems for goal in found.goals}
    power = "power" if found.difference is None else f"power for {100 * found.difference:.3g} points"
    smallest = f"smallest difference ({100 * found.power:g}% power)"
    columns = ("", "items", power, smallest, "width", "price")
    rows = [
        Row(
            f"{point.problems:,} problems" + (" (all)" if point.problems == found.available else ""),
            (
                Number(point.items, unit=THOUSANDS),
                Number(point.power),
                Number(point.detectable, unit=POINTS),
                Number(point.width, unit=POINTS),
                Number(point.price, unit=PRICE),
            ),
            str(point.problems),
            strong=point.problems in answers,
        )
        for point in found.curve
    ]
    keys = ("problems", "items", "power", "detectable", "width", "price")
    return _without_empty(Table("curve", columns, tuple(rows), "other numbers of problems", keys=keys))


def _without_empty(table: Table) -> Table:
    """Return the table without columns that have no number."""
    kept = [
        place for place in range(len(table.columns) - 1) if any(not _is_empty(row.cells[place]) for row in table.rows)
    ]
    rows = (Row(row.label, tuple(row.cells[k] for k in kept), row.name, strong=row.strong) for row in table.rows)

    def named(names: Sequence[str]) -> tuple[str, ...]:
        return (names[0], *(names[k + 1] for k in kept))

    return Table(table.name, named(table.columns), tuple(rows), table.title, table.notes, keys=named(table.keys))


def _is_empty(cell: Cell) -> bool:
    return isinstance(cell, Number) and math.isnan(cell.value)
