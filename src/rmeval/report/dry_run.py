"""View of what a run would send, for `rmeval run --dry-run`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rmeval.messages import count_of
from rmeval.report.cells import COUNT, FIGURES, Number, Unit
from rmeval.report.views import Row, Table, View
from rmeval.runs.dry_run import DryRun

__all__ = ["dry_run_view"]

TOKENS = Unit(lambda number: "-" if math.isnan(number) else f"{number:,.0f}", str)
_NUMBERS = {
    "items": COUNT,
    "requests": COUNT,
    "done": COUNT,
    "calls": COUNT,
    "input_tokens": TOKENS,
    "output_tokens": TOKENS,
    "most_output_tokens": TOKENS,
    "cost": FIGURES,
    "most_cost": FIGURES,
}
_HEADS = {
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "most_output_tokens": "output at most",
    "cost": "cost in $",
    "most_cost": "at most in $",
}


def dry_run_view(found: Sequence[DryRun]) -> View:
    """Return the view of what runs on one or more benchmarks would send."""
    names = [name for name in _NUMBERS if not all(math.isnan(getattr(one, name)) for one in found)]
    names = [name for name in names if name != "done" or any(one.done for one in found)]
    rows = [
        Row(one.benchmark, tuple(Number(getattr(one, name), unit=_NUMBERS[name]) for name in names)) for one in found
    ]
    if len(found) > 1:
        rows.append(Row("all", tuple(_total(found, name, _NUMBERS[name]) for name in names)))
    table = Table("calls", ("", *(_HEADS.get(name, name) for name in names)), tuple(rows), keys=("benchmark", *names))
    return View("dry run", (table,), model=found[0].model, about=tuple(_about(found)), notes=tuple(_notes(found)))


def _total(found: Sequence[DryRun], name: str, unit: Unit) -> Number:
    return Number(sum(getattr(one, name) for one in found), unit=unit)


def _about(found: Sequence[DryRun]) -> Iterator[str]:
    yield f"protocol: {', '.join(dict.fromkeys(one.protocol for one in found))}; nothing was sent"
    yield f"input tokens: {'; '.join(dict.fromkeys(one.counted_by for one in found))}"
    if recorded := sum(one.recorded for one in found):
        yield f"output tokens: the mean of {count_of(recorded, 'earlier result')}"


def _notes(found: Sequence[DryRun]) -> Iterator[str]:
    if not found[0].model:
        yield "results of earlier runs are not found, since only the server knows the name: give `served_model`"
    if any(math.isnan(one.output_tokens) for one in found):
        yield "the length of outputs is not known before the first results: run some items first, then count again"
    if any(one.most_input_tokens > one.input_tokens for one in found):
        yield "a call whose output is cut off is sent once more with twice the limit (at most: all of them)"
    if probes := sum(one.probes for one in found):
        yield (
            f"besides these calls, at most {probes} with a short question find the form of the server's decision API, "
            "and check at the end that the same model answers; fewer with `dialect`"
        )
    yield "a call that fails is sent up to `retries` times more"
