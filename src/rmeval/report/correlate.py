"""View of correlations with results of policies, for `rmeval correlate`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from rmeval.messages import count_of
from rmeval.metrics.stats.bootstrap import REPLICATES
from rmeval.metrics.stats.significance import LEVEL
from rmeval.predict.correlation_notes import FEW
from rmeval.predict.policy_correlation import Correlation, Correlations
from rmeval.report.cells import COUNT, P_VALUE, Cell, Number, Unit, clean
from rmeval.report.views import Row, Table, View

__all__ = ["correlations_view"]

_MOST_LEFT_OUT = 12
"""Models up to which the correlation without each of them is shown; of more, the most influential ones."""
_INFLUENTIAL = 5
_NAMES: Mapping[str, str] = {"pearson": "Pearson", "spearman": "Spearman", "kendall": "Kendall"}
_HOW: Mapping[str, str] = {
    "given": "given",
    "exact": "equal",
    "spelling": "spelled differently",
    "organisation": "without organisation",
}


def _correlation(value: float) -> str:
    return "-" if math.isnan(value) else f"{value + 0.0:.2f}"


CORRELATION = Unit(_correlation, _correlation, " to ")


def correlations_view(found: Correlations) -> View:
    """Return the view of correlations: coefficients, models left out, differences, and matched names."""
    few = len(found.correlations) <= FEW
    tables = [_coefficients(found) if few else _grid(found)]
    if few:
        tables += [_pairs(one) for one in found.correlations if len(one.scores) > 1]
        tables += [_left_out(one, found.method) for one in found.correlations if one.left_out]
    if found.differences:
        tables.append(_differences(found))
    tables += [table for table in (_matches(found), _ambiguous(found)) if table.rows]
    return View(
        f"correlations with {clean(found.against)}",
        tuple(tables),
        about=tuple(_about(found)),
        notes=(*found.notes, *_unmatched(found)),
    )


def _about(found: Correlations) -> Iterator[str]:
    yield f"unit: models; 95% intervals by resampling models ({REPLICATES} resamples, expanded percentile)"
    ways = {(one.permutations, one.exact) for one in found.correlations if one.permutations}
    stated = " or ".join(
        f"all {count:,} permutations" if exact else f"{count:,} random permutations (seed 0)"
        for count, exact in sorted(ways)
    )
    yield f"p: two-sided, by {stated or 'permutations'} of the models"
    if found.base:
        way = "minus" if found.relative == "difference" else "as a relative change from"
        others = ", ".join(", ".join(one.policies) for one in found.correlations if not one.base)
        yield f"results: {way} those of {clean(found.base)}{f', but not {clean(others)}' if others else ''}"
    if any(len(one.scores) > 1 for one in found.correlations):
        what = "scores and results are" if found.standardize == "both" else "scores are"
        yield f"several pairs: {what} standardised within each pair, and the points of all pairs form one correlation"


def _labels(found: Correlations) -> list[str]:
    """Return the label of each correlation: without the table's name if there is only one."""
    prefix = f"{found.matches[0].table}:" if len(found.matches) == 1 else ""
    return [clean(one.name.removeprefix(prefix)) for one in found.correlations]


def _coefficients(found: Correlations) -> Table:
    several = len(found.correlations) > 1
    rows = []
    for label, one in zip(_labels(found), found.correlations, strict=True):
        for own in one.coefficients:
            first = own is one.chosen
            cells: list[Cell] = [
                clean(", ".join(one.policies)),
                _NAMES[own.method],
                Number(len(one.models), unit=COUNT),
                Number(own.value, own.ci, CORRELATION, strong=first),
                Number(own.p, unit=P_VALUE),
            ]
            cells += [Number(one.p_corrected, unit=P_VALUE) if first else None] if several else []
            rows.append(Row(label if first else "", tuple(cells), clean(one.name), strong=first))
    note = f"corrected: for {count_of(len(found.correlations), 'correlation')} (Holm)"
    return Table(
        "correlations",
        ("", "result", "coefficient", "models", "correlation", "p", *(("corrected",) if several else ())),
        tuple(rows),
        notes=(note,) if several else (),
        keys=("name", "result", "method", "models", "value", "p", *(("p corrected",) if several else ())),
        left=("result", "coefficient"),
    )


def _grid(found: Correlations) -> Table:
    rows = []
    for label, one in zip(_labels(found), found.correlations, strict=True):
        others = {own.method: own.value for own in one.coefficients[1:]}
        without = [left.value for left in one.left_out if not math.isnan(left.value)]
        span = (min(without), max(without)) if without else None
        cells: list[Cell] = [
            clean(", ".join(one.policies)),
            Number(len(one.models), unit=COUNT),
            Number(one.chosen.value, one.chosen.ci, CORRELATION, strong=one.p_corrected < LEVEL),
            Number(one.chosen.p, unit=P_VALUE),
            Number(one.p_corrected, unit=P_VALUE),
            *(Number(value, unit=CORRELATION) for value in others.values()),
            f"{span[0]:.2f} to {span[1]:.2f}" if span else None,
        ]
        rows.append(Row(label, tuple(cells), clean(one.name), strong=one.p_corrected < LEVEL))
    names = [_NAMES[own.method] for own in found.correlations[0].coefficients]
    return Table(
        "correlations",
        ("", "result", "models", names[0], "p", "corrected", *names[1:], "one left out"),
        tuple(rows),
        notes=(
            f"corrected: for {count_of(len(rows), 'correlation')} (Holm); one left out: the smallest and the largest "
            f"{names[0]} correlation without one of the models",
        ),
        keys=("name", "result", "models", "value", "p", "p corrected", *(n.lower() for n in names[1:]), "one left out"),
        left=("result",),
    )


def _pairs(one: Correlation) -> Table:
    rows = tuple(Row(clean(score), (clean(policy),)) for score, policy in zip(one.scores, one.policies, strict=True))
    return Table(
        "correlated",
        ("score", "result"),
        rows,
        f"pairs of {clean(one.name)}",
        keys=("name", "result"),
        left=("result",),
    )


def _left_out(one: Correlation, method: str) -> Table:
    shown = sorted(one.left_out, key=lambda left: -abs(left.value - one.chosen.value))
    some = shown if len(shown) <= _MOST_LEFT_OUT else shown[:_INFLUENTIAL]
    rows = tuple(
        Row(
            clean(left.model),
            (
                Number(left.value, unit=CORRELATION),
                Number(left.value - one.chosen.value, unit=_CHANGE),
                Number(left.p, unit=P_VALUE),
                clean(f"{one.name} with {', '.join(one.policies)}"),
            ),
        )
        for left in some
    )
    cut = len(some) < len(shown)
    more = f"; the {_INFLUENTIAL} most influential of {len(shown)}, `as_json` has all" if cut else ""
    return Table(
        f"{_INFLUENTIAL} most influential left out" if cut else "left out",
        ("without", _NAMES[method], "change", "p", "correlation"),
        rows,
        f"{clean(one.name)}: without one model{more}",
        extra=("correlation",),
        keys=("name", "value", "change", "p", "correlation"),
    )


def _change(value: float) -> str:
    return "-" if math.isnan(value) else f"{value + 0.0:+.2f}"


_CHANGE = Unit(_change, _change, " to ")


def _differences(found: Correlations) -> Table:
    rows = []
    prefix = f"{found.matches[0].table}:" if len(found.matches) == 1 else ""
    for one in found.differences:
        first, second = (clean(name.removeprefix(prefix)) for name in (one.first, one.second))
        cells = (
            clean(", ".join(one.policies)),
            Number(one.models, unit=COUNT),
            Number(one.value, one.ci, _CHANGE, strong=one.p_corrected < LEVEL),
            Number(one.p, unit=P_VALUE),
            Number(one.p_corrected, unit=P_VALUE),
        )
        rows.append(Row(f"{first} - {second}", cells, f"{clean(one.first)} - {clean(one.second)}"))
    return Table(
        "differences",
        ("", "result", "models", "difference", "p", "corrected"),
        tuple(rows),
        f"differences of {_NAMES[found.method]} correlations with the same results",
        (
            "p: the standardised scores of a model are exchanged between the two correlations, in any of the models; "
            f"corrected: for {count_of(len(rows), 'difference')} (Holm)",
        ),
        keys=("name", "result", "models", "value", "p", "p corrected"),
        left=("result",),
    )


def _matches(found: Correlations) -> Table:
    several = len(found.matches) > 1
    rows = tuple(
        Row(
            clean(match.score),
            (clean(match.policy), _HOW[match.how], *((clean(own.table),) if several else ())),
        )
        for own in found.matches
        for match in own.found
    )
    return Table(
        "matches",
        ("reward model", "policy", "names", *(("table",) if several else ())),
        rows,
        f"{count_of(len(rows), 'reward model')} with a policy",
        keys=("name", "policy", "names", *(("scores",) if several else ())),
        left=("policy", "names", *(("table",) if several else ())),
    )


def _ambiguous(found: Correlations) -> Table:
    rows = tuple(
        Row(clean(name), (clean(", ".join(candidates)),)) for own in found.matches for name, candidates in own.ambiguous
    )
    return Table(
        "ambiguous",
        ("name", "could be"),
        rows,
        "not matched, because several names fit: give `match`",
        left=("could be",),
    )


def _unmatched(found: Correlations) -> Iterator[str]:
    for own in found.matches:
        for names, where in ((own.scores_only, own.table), (own.policies_only, found.against)):
            if names:
                yield f"{count_of(len(names), 'model')} of {clean(where)} without a match: {_listed(names)}"
        for one, other in own.similar:
            yield f"{clean(one)} and {clean(other)} are not matched: if they are one model, give them with `match`"


def _listed(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(map(clean, names[:most]))
    return f"{shown} and {len(names) - most} more (`as_json` has all)" if len(names) > most else shown
