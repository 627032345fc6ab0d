"""View of the curves of best-of-N: quality by n, the gain at the largest n, differences, and over-optimisation."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rmeval.messages import count_of
from rmeval.predict.curves import BestOfNCurves, Overoptimisation, Picker
from rmeval.report.cells import (
    COUNT,
    COUNT_OR_DASH,
    DECIMALS,
    DIFFERENCE,
    FIGURES,
    LOG_ODDS,
    P_VALUE,
    PERCENT,
    POINTS,
    Cell,
    Number,
    Unit,
    clean,
)
from rmeval.report.labels import short_labels
from rmeval.report.views import Row, Table, View

__all__ = ["best_of_n_view", "picker_name"]


def picker_name(picker: Picker) -> str:
    """Return the name of a picker in tables and figures."""
    return f"{picker.name}, weighted vote" if picker.kind == "weighted" else picker.name


def best_of_n_view(found: BestOfNCurves) -> View:
    """Return the view of the curves."""
    tables = [_curves(found), _end(found)]
    if found.differences:
        tables.append(_differences(found))
    if any(one.overoptimisation for one in found.pickers):
        tables += [_overoptimisation(found), _proxies(found)]
    if found.subsets:
        tables.append(_subsets(found))
    low, high = found.sizes
    unit = "in %" if found.proportion else "in the units of the quality"
    return View(
        "best of N",
        tuple(tables),
        data=f"on {found.source}",
        about=(
            f"{count_of(found.n_prompts, 'prompt')} of {count_of(found.n_clusters, 'problem')} with "
            f"{low if low == high else f'{low} to {high}'} responses; quality: {found.quality}, {unit}, with 95% "
            "intervals",
        ),
        notes=found.notes,
    )


def _decimals(value: float) -> str:
    """Format a quality in its own unit, with as many decimals in a table of qualities of one size."""
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 100 else f"{value:,.1f}"


_QUALITY = Unit(_decimals, _decimals)


def _unit(found: BestOfNCurves) -> Unit:
    return PERCENT if found.proportion else _QUALITY


def _curves(found: BestOfNCurves) -> Table:
    rows = tuple(
        Row(
            clean(picker_name(one)),
            tuple(Number(point.quality, point.ci, _unit(found)) for point in one.points),
            faint=one.kind not in ("model", "weighted"),
        )
        for one in found.pickers
    )
    note = "expected quality of the pick among n responses, over all subsets of n; every number is of the same prompts"
    columns = ("", *(f"n = {number}" for number in found.numbers))
    keys = ("name", *(f"n{number}" for number in found.numbers))
    return Table("curves", columns, rows, "quality by number of responses", (note,), "stacked", keys=keys)


def _end(found: BestOfNCurves) -> Table:
    rows = tuple(
        Row(
            clean(picker_name(one)),
            (
                Number(one.end.quality, one.end.ci, _unit(found)),
                Number(one.share, one.share_ci),
                Number(one.best_picked),
                Number(one.tied, unit=COUNT_OR_DASH),
                Number(one.missing, unit=COUNT_OR_DASH),
            ),
        )
        for one in found.pickers
    )
    most = found.numbers[-1]
    note = (
        "of the gain: (this - random) / (oracle - random); best picked: share of prompts whose pick among all "
        "responses is the best of them; tied: prompts in which responses of different quality share the highest score; "
        "missing: scores"
    )
    columns = ("", "quality", "% of the gain", "% best picked", "tied", "missing")
    keys = ("name", "value", "share", "best_picked", "tied", "missing")
    return Table("end", columns, rows, f"n = {most}", (note,), keys=keys)


def _differences(found: BestOfNCurves) -> Table:
    unit = DIFFERENCE if found.proportion else LOG_ODDS
    rows = tuple(
        Row(
            clean(f"{one.first} - {one.second}"),
            (
                Number(one.value, one.ci_simultaneous, unit),
                Number(one.p_holm, unit=P_VALUE),
                Number(one.mde, unit=POINTS if found.proportion else FIGURES),
            ),
            strong=bool(one.leads),
        )
        for one in found.differences
    )
    note = (
        "paired by problem, with intervals that hold jointly; p: cluster sign-flip test, corrected for "
        f"{count_of(len(rows), 'difference')}; MDE: the smallest true difference that this test detects with a power "
        "of 80%"
    )
    title = f"differences at n = {found.numbers[-1]}{', in points' if found.proportion else ''}"
    columns = ("", "difference", "p", "MDE (80% power)")
    return Table("differences", columns, rows, title, (note,), keys=("name", "difference", "p", "mde"))


def _fits(found: BestOfNCurves) -> Iterator[tuple[Picker, Overoptimisation]]:
    for one in found.pickers:
        if one.overoptimisation is not None:
            yield one, one.overoptimisation


def _overoptimisation(found: BestOfNCurves) -> Table:
    drop = DIFFERENCE if found.proportion else LOG_ODDS
    rows = tuple(
        Row(
            clean(one.name),
            (
                Number(own.alpha, own.alpha_ci, DECIMALS),
                Number(own.beta, own.beta_ci, DECIMALS),
                "-" if own.fitted_peak is None else Number(own.fitted_peak, unit=FIGURES),
                str(own.peak),
                Number(0.0 - own.drop, unit=drop),
                Number(own.p, unit=P_VALUE),
            ),
        )
        for one, own in _fits(found)
    )
    notes = (
        *(clean(f"{one.name}: {own.says}") for one, own in _fits(found)),
        "gain over a random pick = d (alpha - beta d), d = sqrt(log n - (n-1)/n), an upper bound of the square root of "
        "the KL divergence from the writer; fitted peak: the n with the highest fitted quality, if it is in the range",
        f"change: quality at n = {found.numbers[-1]} minus the highest; p: one-sided, corrected for the choice of n",
    )
    columns = ("", "alpha", "beta", "fitted peak", "highest at n", "change", "p")
    keys = ("name", "alpha", "beta", "fitted_peak", "peak", "change", "p")
    return Table("over-optimisation", columns, rows, "over-optimisation", notes, "stacked", keys=keys)


def _proxies(found: BestOfNCurves) -> Table:
    numbers = found.numbers
    distance = tuple(Number(math.sqrt(point.kl), unit=DECIMALS) for point in found.pickers[0].points)
    rows = [Row("sqrt(KL)", distance, faint=True)]
    for one in found.pickers:
        if one.kind == "model":
            scores: tuple[Cell, ...] = tuple(Number(point.proxy, unit=DECIMALS) for point in one.points)
            rows.append(Row(clean(one.name), scores))
    note = "expected score of the pick, in standard deviations of the scores within prompts; a random pick has 0"
    columns = ("", *(f"n = {number}" for number in numbers))
    keys = ("name", *(f"n{number}" for number in numbers))
    return Table("proxy", columns, tuple(rows), "scores by number of responses (the proxy)", (note,), keys=keys)


def _subsets(found: BestOfNCurves) -> Table:
    shown = [one for one in found.pickers if one.kind != "weighted"]
    names = [one.name for one in shown]
    rows = tuple(
        Row(
            clean(name),
            (
                Number(count, unit=COUNT),
                *(Number(one.by_subset[place], unit=_unit(found)) for one in shown),
            ),
        )
        for place, (name, count) in enumerate(found.subsets)
    )
    columns, keys = ("", "prompts", *short_labels(names)), ("name", "prompts", *names)
    return Table("subsets", columns, rows, f"quality at n = {found.numbers[-1]} by subset", keys=keys)
