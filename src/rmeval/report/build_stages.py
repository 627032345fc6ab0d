"""Views of a build: what each stage kept, and what further stages would send."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rmeval.messages import count_of
from rmeval.report.cells import COUNT, FIGURES, Number
from rmeval.report.dry_run import TOKENS
from rmeval.report.views import Row, Table, View

if TYPE_CHECKING:
    from rmeval.build.dry_run import PlannedBuild
    from rmeval.build.pipeline import BuildResult

__all__ = ["build_view", "gates_table", "planned_build_view"]

_REASONS = 3


def build_view(name: str, found: BuildResult) -> View:
    """Return the view of what the stages of a build kept and left out."""
    rows = []
    for stage, result in found.stages.items():
        reasons = Counter(one.reason for one in result.dropped)
        counts = (len(result.records), len(result.dropped), result.facts.get("calls", 0))
        rows.append(Row(stage, (*(Number(one, unit=COUNT) for one in counts), _reasons(reasons))))
    columns = ("stage", "kept", "left out", "calls", "reasons")
    spent = f"{count_of(found.calls, 'call')} of this command"
    if found.cost is not None:
        spent += f", which cost ${found.cost:.4g}"
    tables = [Table("stages", columns, tuple(rows), left=("reasons",))]
    if "assemble" in found.stages:
        tables.append(gates_table(found.stages["assemble"].facts.get("gates", ())))
    return View(name, tuple(tables), about=(f"folder: {found.folder.path}", spent))


def gates_table(gates: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of the gates of a finished benchmark, from the facts of the last stage."""
    rows = [Row(one["name"], (one["result"], one["found"]), strong=not one["passed"]) for one in gates]
    return Table("gates", ("gate", "result", "found"), tuple(rows), "gates", layout="lines")


def _reasons(counts: Mapping[str, int]) -> str:
    """The most frequent reasons."""
    most = Counter(counts).most_common()
    more = [f"{sum(count for _, count in most[_REASONS:])} for other reasons"] if len(most) > _REASONS else []
    return ", ".join([*(f"{count} {reason}" for reason, count in most[:_REASONS]), *more])


_COLUMNS = {
    "problems": ("problems", COUNT),
    "done": ("done", COUNT),
    "calls": ("calls", COUNT),
    "most_calls": ("at most", COUNT),
    "input_tokens": ("input tokens", TOKENS),
    "output_tokens": ("output tokens", TOKENS),
    "cost": ("cost in $", FIGURES),
    "most_cost": ("at most in $", FIGURES),
}
_SUMS = tuple(name for name in _COLUMNS if name != "problems")


def planned_build_view(found: PlannedBuild) -> View:
    """Return the view of what a build would send."""
    names = [one for one in _COLUMNS if not all(math.isnan(getattr(each, one)) for each in found.stages)]
    rows = [
        Row(one.stage, (one.role, one.model or "-", *(_number(name, getattr(one, name)) for name in names)))
        for one in found.stages
    ]
    if len(rows) > 1:
        sums = {name: sum(getattr(one, name) for one in found.stages) for name in _SUMS}
        rows.append(Row("all", ("", "", *(_number(name, sums[name]) if name in sums else "" for name in names))))
    columns = ("stage", "role", "model", *(_COLUMNS[name][0] for name in names))
    calls = Table("calls", columns, tuple(rows), keys=("stage", "role", "model", *names), left=("role", "model"))
    notes = tuple(_notes(found)) if rows else ()
    return View(found.name, (_kept(found), *([calls] if rows else [])), about=("nothing was sent",), notes=notes)


def _number(name: str, value: float) -> Number:
    return Number(value, unit=_COLUMNS[name][1])


def _kept(found: PlannedBuild) -> Table:
    rows = [
        Row(stage, (Number(count, unit=COUNT), Number(sum(reasons.values()), unit=COUNT), _reasons(reasons)))
        for stage, count in found.kept.items()
        for reasons in [found.dropped[stage]]
    ]
    return Table("problems", ("stage", "kept", "left out", "reasons"), tuple(rows), left=("reasons",))


def _notes(found: PlannedBuild) -> Iterator[str]:
    rates = [f"{rate:.0%} of the problems of {stage}" for stage, rate in found.rates.items() if rate < 1]
    if found.rates:
        kept = f"{' and '.join(rates)} as in an earlier result" if rates else "every problem"
        yield f"the calls after {next(iter(found.rates))} assume that it keeps {kept}"
    yield "input tokens: a token for 4 bytes, at the tokens per prompt that the servers counted where the log has some"
    yield "a call that is cut off is sent once more with twice the limit (at most in $: all of them)"
    if any(not one.model and not math.isnan(one.cost) for one in found.stages):
        yield 'a model that only its server names has the price of "*" in the price file'
