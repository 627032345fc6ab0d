"""View of the item response of several models, for `rmeval items --informative`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rmeval.messages import count_of, percent
from rmeval.report.cells import DECIMALS, POINTS, Cell, Number, Unit
from rmeval.report.labels import short_labels
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View
from rmeval.results.item_analysis import AnalyzedItem, ItemAnalysis, ShortEstimate, ShortForm

__all__ = ["item_analysis_view"]

_PLACES = Unit("{:.2f}".format, "{:.2f}".format, " to ")
_SIGNED = Unit("{:+.2f}".format, "{:.2f}".format, " to ")
_Z = 1.96
_GOOD = 0.05
"""Share of random samples that may be better than a short form that is better than a random sample."""


def item_analysis_view(found: ItemAnalysis, n: int = 20) -> View:
    """Return the view of an item analysis: models, suspect items, informative items, and the short form.

    Args:
        found: The analysis.
        n: Maximum number of items in a list.
    """
    count = f"{count_of(len(found.models), 'model')} on {count_of(len(found.items), 'item')}"
    about = (
        f"{count}; ties and failures: {found.rule}",
        f"two-parameter logistic model of {_named(found)}; {_fit(found)}",
    )
    tables = [_models(found), *([_suspect(found, n)] if found.suspect else []), _informative(found, n)]
    tables += [_short(found, found.short)] if found.short else []
    tables += [_estimate(found, found.estimate)] if found.estimate else []
    return View(found.benchmark, tuple(tables), about=about, notes=found.notes)


def _named(found: ItemAnalysis) -> str:
    return "accuracy" if found.measure in (None, ("accuracy", "all")) else measure_name(found.measure)


def _fit(found: ItemAnalysis) -> str:
    text = f"largest residual correlation: {found.residual:+.2f} above the mean ({' and '.join(found.residual_pair)})"
    return f"{text}; correlation of an item's comparisons: {found.alike:.2f}" if found.alike else text


def _models(found: ItemAnalysis) -> Table:
    labels = short_labels([one.name for one in found.models])
    rows = (
        Row(label, (Number(one.value), _bounded(one.ability, one.error)), one.name)
        for label, one in zip(labels, found.models, strict=True)
    )
    note = "ability: 0 is the mean of these models and 1 their standard deviation; its interval is over problems"
    return Table("abilities", ("", _named(found), "ability"), tuple(rows), notes=(note,))


def _bounded(value: float, error: float) -> Number:
    return Number(value, (value - _Z * error, value + _Z * error), _SIGNED)


_COLUMNS = ("", "subset", "right", "difficulty", "discrimination", "P(negative)", "information", "erratum")
_KEYS = ("item", "subset", "right", "difficulty", "discrimination", "negative", "information", "erratum")


def _list(name: str, items: Sequence[AnalyzedItem], title: str, note: str) -> Table:
    known = any(one.erratum for one in items)
    columns, keys = (_COLUMNS, _KEYS) if known else (_COLUMNS[:-1], _KEYS[:-1])
    rows = (Row(one.item, (*_cells(one), *([one.erratum] if known else []))) for one in items)
    return Table(name, columns, tuple(rows), title, (note,), keys=keys)


def _cells(one: AnalyzedItem) -> Iterator[Cell]:
    yield one.subset
    yield Number(one.right)
    yield Number(one.difficulty, unit=_SIGNED)
    yield Number(one.discrimination, unit=_SIGNED)
    yield Number(one.negative, unit=DECIMALS)
    yield Number(one.information, unit=_PLACES)


def _suspect(found: ItemAnalysis, n: int) -> Table:
    suspect = found.suspect
    title = f"items that abler models get wrong more often: {len(suspect)} of {len(found.items)}"
    title += f", {n} shown" if n < len(suspect) else ""
    note = (
        "P(negative): the probability that the discrimination is negative; in a search for wrong labels, read these "
        "items first"
    )
    return _list("suspect", suspect[:n], title, note)


def _informative(found: ItemAnalysis, n: int) -> Table:
    note = (
        "right: share of right decisions over models; difficulty: log-odds that a model of average ability is wrong; "
        "discrimination: what one standard deviation of ability adds to the log-odds of a right decision; information: "
        "on a model's ability"
    )
    return _list("informative", found.items[:n], "most informative items", note)


def _short(found: ItemAnalysis, short: ShortForm) -> Table:
    rows = [Row(f"clusters of items by {way}", (Number(error, unit=POINTS),), way) for way, error in short.errors]
    rows.append(Row("short form: the better way", (Number(short.error, unit=POINTS),), "short form", strong=True))
    rows.append(Row("random sample", (Number(short.random, unit=POINTS),), "random"))
    title = f"short form of {count_of(len(short.items), 'item')}: error of the estimated {_named(found)}, in points"
    better = f"{percent(short.random_better)}% of random samples of this size have a smaller error than the short form"
    if short.random_better > _GOOD:
        better = f"a random sample is about as good: {better}"
    note = (
        "error: root mean square error for models that were left out when items and the way were chosen; "
        f"clusters by {short.way} are used; {better}; the estimate is the weighted mean of the items, with a share of "
        f"{short.prediction:.2f} for the prediction by item response"
    )
    return Table("short form", ("", "error"), tuple(rows), title, (note,))


def _estimate(found: ItemAnalysis, own: ShortEstimate) -> Table:
    row = Row(own.name, (Number(own.value), Number(own.error, unit=POINTS)))
    title = f"{_named(found)} on all items, estimated from a run on {count_of(own.n_items, 'item')}"
    note = "error: root mean square error of such estimates for the models above, when they are left out, in points"
    return Table("estimate", ("", "estimate", "error"), (row,), title, (note,))
