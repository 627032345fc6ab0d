"""Views of an estimate and of chosen items, for `rmeval estimate`."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rmeval.messages import count_of
from rmeval.metrics.stats.prediction_powered import equivalent
from rmeval.report.cells import DECIMALS, PRICE, Cell, Number, Unit, clean
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View
from rmeval.results.choose import ChosenItems
from rmeval.results.estimate import Estimate

__all__ = ["chosen_view", "estimate_view"]


def _more(items: float) -> str:
    return "-" if math.isnan(items) else f"{round(items) + 0.0:+.0f}"


_MORE = Unit(_more, _more)
_TARGETS = {
    "benchmark": "intervals: 95%, of the number that a run on all items would have",
    "population": "intervals: 95%, of the number on all problems of this kind",
}


def estimate_view(found: Estimate) -> View:
    """Return the view of an estimate: first what the cheap model is worth, then both estimates."""
    name = _named(found.metric, found.scope)
    sample = f"{found.n_sample} of {count_of(found.n_items, 'item')}"
    return View(
        found.benchmark,
        (_worth(found, name), _estimates(found, name), *_money(found)),
        data=found.data,
        about=(
            f"{found.expensive} on {sample}, {found.how}; {found.cheap} on all",
            f"{_TARGETS[found.target]}; ties and failures: {found.rule}",
        ),
        notes=found.notes,
    )


def _named(metric: str, scope: str) -> str:
    return "accuracy" if (metric, scope) == ("accuracy", "all") else measure_name((metric, scope))


def _worth(found: Estimate, name: str) -> Table:
    cells: tuple[Cell, ...] = (
        Number(found.cheap_value),
        Number(found.cheap_on_sample),
        Number(found.correlation, unit=DECIMALS),
        Number(found.saved),
        Number(found.worth, unit=_MORE),
    )
    note = (
        f"correlation: of the credits of the two models on the sampled items; variance saved: in % of the variance of "
        f"{found.expensive} alone, as expected from the correlation; worth: the number of further items of "
        f"{found.expensive} that would save as much"
    )
    return Table(
        "worth",
        ("", f"{name}", "on the sample", "correlation", "variance saved", "worth"),
        (Row(clean(found.cheap), cells),),
        "what the cheap run is worth",
        (note,),
        keys=("model", "value", "on_the_sample", "correlation", "saved", "worth"),
    )


def _estimates(found: Estimate, name: str) -> Table:
    both = Row("both runs", tuple(_row(found.value, found.ci)), strong=found.helps)
    alone = Row("sample alone", tuple(_row(found.value_alone, found.ci_alone)), strong=not found.helps)
    return Table(
        "estimate",
        ("", name, "width"),
        (both, alone),
        f"{name} of {found.expensive}",
        keys=("from", "value", "width"),
    )


def _money(found: Estimate) -> Iterator[Table]:
    if math.isnan(found.price):
        return
    rows = [
        Row(f"{found.expensive} on the sample", (Number(found.price * found.n_sample, unit=PRICE),)),
        Row(f"{found.expensive} on all items", (Number(found.price * found.n_items, unit=PRICE),)),
        Row(f"{found.cheap} on all items", (Number(found.cheap_price * found.n_items, unit=PRICE),)),
        Row("saved by the cheap run", (Number(found.money_saved, unit=PRICE),), strong=found.money_saved > 0),
    ]
    note = f"saved: the price of the further items of {found.expensive} that the cheap run is worth, minus its own"
    yield Table("money", ("", "dollars"), tuple(rows), "dollars", (note,), keys=("name", "dollars"))


def _row(value: float, ci: tuple[float, float]) -> Iterator[Cell]:
    yield Number(value, ci)
    yield Number(ci[1] - ci[0])


def chosen_view(found: ChosenItems) -> View:
    """Return the view of chosen items: what the cheap run saves at several correlations."""
    n, total = len(found.rows), found.n_items
    rows = []
    for correlation in (0.2, 0.4, 0.6, 0.8):
        worth = equivalent(n, total, correlation**2)
        cells = (Number((1 - n / total) * correlation**2), Number(worth - n, unit=_MORE))
        rows.append(Row(f"{correlation}", cells))
    table = Table(
        "expected",
        ("correlation", "variance saved", "worth"),
        tuple(rows),
        "what the cheap run will be worth",
        (
            "correlation: of the credits of the two models, item by item; variance saved: in % of the variance of the "
            "sample alone, for all problems of this kind; worth: the number of further items that would save as much",
        ),
    )
    name = _named(found.metric, found.scope)
    return View(
        found.benchmark,
        (table,),
        data=found.data,
        about=(
            f"{n} of {count_of(total, 'item')} for the {name}, drawn by weight and by the margins of {found.cheap}: as "
            f"precise as about {found.as_random:.0f} random ones, or more if it is wrong where its margins are small",
        ),
        notes=found.notes,
    )
