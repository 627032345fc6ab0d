"""View of a cascade: both judges alone, what thresholds yield, and the chosen one."""

from __future__ import annotations

import math

from rmeval.messages import count_of
from rmeval.report.analysis import CONFIDENCE
from rmeval.report.cells import DECIMALS, DIFFERENCE, Cell, Number, Unit, clean
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View
from rmeval.results.cascade import Cascade, CascadePoint

__all__ = ["DOLLARS", "cascade_view"]


def _dollars(amount: float) -> str:
    """Format dollars for 1,000 items with three significant digits, and at least two decimals."""
    if math.isnan(amount):
        return "-"
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.3g}"


DOLLARS = Unit(_dollars, _dollars)


def cascade_view(found: Cascade) -> View:
    """Return the view of a cascade."""
    named = "accuracy" if found.measure == ("accuracy", "all") else measure_name(found.measure)
    priced = not math.isnan(found.cheap.cost + found.expensive.cost)
    money = f"; dollars for 1,000 items, by {found.prices}" if priced else ""
    return View(
        found.benchmark,
        (_alone(found, named, priced), _chosen(found, named, priced), _curve(found, named, priced)),
        data=found.data,
        about=(
            f"{count_of(found.n_comparisons, 'comparison')} of {count_of(found.n_items, 'item')}; ties and failures: "
            f"{found.rule}; in %, with 95% intervals{money}",
            f"confidence of {found.cheap.name}: {CONFIDENCE[found.confidence]}",
        ),
        notes=found.notes,
    )


def _alone(found: Cascade, named: str, priced: bool) -> Table:
    rows = tuple(
        Row(
            clean(f"{role}: {side.name}"), (Number(side.accuracy, side.ci), *_price(side.cost, None, priced)), side.name
        )
        for role, side in (("cheap", found.cheap), ("expensive", found.expensive))
    )
    return Table(
        "alone", ("", named, *_money(priced)), rows, "each judge alone", keys=("name", "value", *_cost(priced))
    )


def _chosen(found: Cascade, named: str, priced: bool) -> Table:
    rows = (
        Row("cross-validated", _cells(found.cross_validated, priced), strong=True),
        Row("on the same data", _cells(found.chosen, priced), faint=True),
    )
    notes = (
        f"chosen: {found.goal}",
        "cross-validated: the threshold of each fifth of the problems is chosen on the other four, and tau is their "
        "median; on the same data: the threshold to use, with optimistic numbers because it was chosen by them",
    )
    return Table("chosen", _columns(named, priced), rows, "the chosen threshold", notes, keys=_keys(priced))


def _curve(found: Cascade, named: str, priced: bool) -> Table:
    rows = tuple(Row(_tau(point.tau), _cells(point, priced)[1:]) for point in found.points)
    columns, keys = _columns(named, priced), _keys(priced)
    note = (
        "the expensive judge decides where the confidence is below tau; random: as many comparisons, drawn at random; "
        "gain: in points"
    )
    return Table("curve", ("tau", *columns[2:]), rows, "all thresholds", (note,), keys=("tau", *keys[2:]))


def _columns(named: str, priced: bool) -> tuple[str, ...]:
    return ("", "tau", "escalated", named, "random", "gain", *_money(priced))


def _keys(priced: bool) -> tuple[str, ...]:
    return ("name", "tau", "escalated", "value", "random", "gain", *_cost(priced))


def _money(priced: bool) -> tuple[str, ...]:
    return ("dollars",) if priced else ()


def _cost(priced: bool) -> tuple[str, ...]:
    return ("dollars_per_1000_items",) if priced else ()


def _tau(tau: float) -> str:
    return "above all" if math.isinf(tau) else f"{tau:.3f}"


def _cells(point: CascadePoint, priced: bool) -> tuple[Cell, ...]:
    return (
        "above all" if math.isinf(point.tau) else Number(point.tau, unit=DECIMALS),
        Number(point.escalated, point.escalated_ci),
        Number(point.accuracy, point.ci),
        Number(point.random),
        Number(point.gain, point.gain_ci, DIFFERENCE),
        *_price(point.cost, point.cost_ci, priced),
    )


def _price(cost: float, ci: tuple[float, float] | None, priced: bool) -> tuple[Cell, ...]:
    if not priced:
        return ()
    return (Number(1000 * cost, None if ci is None else (1000 * ci[0], 1000 * ci[1]), DOLLARS),)
