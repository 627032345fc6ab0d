"""View of methods of training: numbers of each method, their differences, and what the study could have found."""

from __future__ import annotations

from rmeval.messages import count_of
from rmeval.metrics.composition import GAP as STYLE_GAP
from rmeval.predict.trainings import MethodDifference, MethodNumber, TrainingsComparison
from rmeval.report.cells import DIFFERENCE, GAP, P_VALUE, PERCENT, POINTS, Number
from rmeval.report.run import measure_name
from rmeval.report.views import Row, Table, View

__all__ = ["trainings_view"]


def trainings_view(found: TrainingsComparison) -> View:
    """Return the view of a comparison of methods of training."""
    several = max(found.n_trainings)
    return View(
        found.benchmark,
        (_numbers(found), *([_differences(found)] if found.differences else [])),
        data=found.data,
        about=(
            f"{count_of(found.n_items, 'item')} of {count_of(found.n_problems, 'problem')}, up to "
            f"{count_of(several, 'training')} of each method; in %, with 95% intervals that cover trainings and "
            f"problems; ties and failures: {found.rule}",
        ),
        notes=found.notes,
    )


def _numbers(found: TrainingsComparison) -> Table:
    scopes = dict.fromkeys(scope for _, scope in found.measures)
    metrics = tuple(dict.fromkeys(metric for metric, _ in found.measures))
    there = {(one.method, one.metric, one.scope): one for one in found.numbers}
    rows = []
    for scope in scopes:
        rows.append(Row(scope, ("", *("" for _ in metrics)), strong=True))
        for name, trainings in zip(found.methods, found.n_trainings, strict=True):
            cells = tuple(_number(there.get((name, metric, scope))) for metric in metrics)
            rows.append(Row(name, (str(trainings), *cells), f"{scope} {name}", level=1))
    return Table(
        "numbers",
        ("", "trainings", *(metric.replace("_", " ") for metric in metrics)),
        tuple(rows),
        "each method, mean over trainings and problems",
        ("a method with one training has intervals that cover problems only",) if 1 in found.n_trainings else (),
        layout="stacked",
        keys=("name", "trainings", *metrics),
    )


def _number(one: MethodNumber | None) -> Number | str:
    if one is None:
        return "-"
    return Number(one.mean.value, one.mean.ci, GAP if one.metric == STYLE_GAP else PERCENT)


def _differences(found: TrainingsComparison) -> Table:
    rows = tuple(
        Row(
            f"{one.first} - {one.second}, {measure_name((one.metric, one.scope))}",
            (
                Number(one.mean.value, one.mean.ci, DIFFERENCE),
                Number(one.mean.p, unit=P_VALUE),
                Number(one.p_holm, unit=P_VALUE),
                Number(one.mean.mde, unit=POINTS),
                _each(one),
            ),
            strong=bool(one.leads),
        )
        for one in found.differences
    )
    return Table(
        "differences",
        ("", "difference", "p", "p (Holm)", "MDE (80% power)", "trainings"),
        rows,
        "differences of methods, in points, training by training on the same problems",
        (
            "p: Student's t of the error over trainings and problems; Holm: corrected for all rows",
            "MDE: the smallest true difference that as many trainings and problems find with a power of 80%, without "
            "the correction",
            "trainings: the difference of each pair of trainings",
        ),
        keys=("name", "difference", "p", "p_holm", "mde", "trainings"),
    )


def _each(one: MethodDifference) -> str:
    return " ".join(f"{round(100 * value, 1) + 0.0:+.1f}" for value in one.each)
