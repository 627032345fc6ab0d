"""View of an audit: effects with a test, rates without one, and what was left out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rmeval.messages import count_of, percent
from rmeval.report.cells import COUNT, GAP, LOG_ODDS, P_VALUE, PERCENT, THOUSANDS, Cell, Number, Unit
from rmeval.report.views import Row, Table, View
from rmeval.robustness.audit import Audit, AuditedEffect

__all__ = ["audit_view"]

_CONCLUSIONS = {"found": "found", "none": "none of that size", "unknown": "could not be found"}


def audit_view(found: Audit) -> View:
    """Return the view of an audit."""
    tested = [one for one in found.effects if one.conclusion]
    rates = [one for one in found.effects if not one.conclusion]
    tables = [*([_tested(found, tested)] if tested else []), *([_rates(rates)] if rates else [])]
    rows = tuple(Row(name, (str(path),)) for name, path in found.runs.items())
    tables.append(Table("runs", ("", "folder"), rows, "runs", layout="bare"))
    return View(
        found.benchmark,
        tuple(tables),
        model=found.model,
        headline=("accuracy on the pairs (chance 50)", Number(found.accuracy)),
        about=("in %, with 95% intervals by problem",),
        notes=(*found.notes, *(f"{probe} is left out: {reason}" for probe, reason in found.left_out.items())),
    )


def _tested(found: Audit, effects: Sequence[AuditedEffect]) -> Table:
    rows = []
    for one in effects:
        unit = LOG_ODDS if one.unit != "share" else GAP if not one.null else PERCENT
        none = f"{100 * one.null:g}" if one.unit == "share" else "0"
        cells: tuple[Cell, ...] = (
            Number(one.value, one.ci, unit),
            none,
            Number(one.p, unit=P_VALUE),
            Number(one.q, unit=P_VALUE),
            Number(one.mde, unit=PERCENT if one.unit == "share" else _SIZE),
            Number(one.problems, unit=COUNT),
            _CONCLUSIONS[one.conclusion],
            Number(one.problems_needed, unit=THOUSANDS) if one.conclusion == "unknown" else None,
        )
        rows.append(Row(f"{one.probe}: {one.name}", cells, strong=one.conclusion == "found"))
    least = percent(found.smallest)
    notes = (
        "no effect: the value if the change does not matter; q: p, corrected for the false discovery rate of all "
        f"{count_of(len(effects), 'test')} (Benjamini and Hochberg); found: q below .05",
        "MDE: the smallest effect that is found with a power of 80%, whatever the other tests show",
        f"none of that size: not found, and the MDE is at most {least} points (for scores {2 * found.smallest:g} "
        "standard deviations); could not be found: an effect of that size needs about as many problems as the last "
        "column says",
    )
    columns = ("", "value", "no effect", "p", "q", "MDE", "problems", "conclusion", "needed")
    keys = ("name", "value", "null", "p", "q", "mde", "problems", "conclusion", "problems_needed")
    return Table("effects", columns, tuple(rows), "effects that should not be there", notes, keys=keys)


def _size(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


_SIZE = Unit(_size, _size)


def _rates(effects: Sequence[AuditedEffect]) -> Table:
    rows = tuple(
        Row(
            f"{one.probe}: {one.name}",
            (Number(one.value, one.ci), Number(one.count, unit=COUNT), Number(one.problems, unit=COUNT)),
        )
        for one in effects
    )
    return Table("rates", ("", "value", "of", "problems"), rows, "rates", keys=("name", "value", "count", "problems"))
