"""`rmeval compare`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.run_options import RunOutput, takes_number_options, takes_output_options
from rmeval.errors import RmevalError, RunError

if TYPE_CHECKING:
    from rmeval.results.across import AcrossBenchmarks
    from rmeval.results.compare import ModelComparison

__all__ = ["compare_command"]


class Correction(StrEnum):
    """How p-values over several benchmarks are corrected; see `rmeval.results.across.CORRECTIONS`."""

    holm = "holm"
    by = "by"


CorrectionOption = Annotated[
    Correction | None,
    typer.Option(
        help="Correction of p over several benchmarks: holm (default; no false difference) or by (few false ones)."
    ),
]
Until = Annotated[
    str | None,
    typer.Option(help="decided: only show after how many problems, in random order, the better model was known."),
]


class Shown(StrEnum):
    """Intervals of differences."""

    simultaneous = "simultaneous"
    single = "single"


_Intervals = Annotated[
    Shown | None,
    typer.Option(help="Intervals of differences: simultaneous for all pairs of models (default), or single ones."),
]
_Margin = Annotated[
    float | None,
    typer.Option(help="Points. Also test which models are equivalent within the margin, or no worse than another one."),
]


@takes_number_options
@takes_output_options
def compare_command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that contain runs.")],
    ensemble: Annotated[
        list[str] | None,
        typer.Option(
            help="Also evaluate an ensemble of the models: mean, z-mean, worst, uncertainty or majority. Repeatable."
        ),
    ] = None,
    correction: CorrectionOption = None,
    until: Until = None,
    intervals: _Intervals = None,
    margin: _Margin = None,
    plots: o.Plots = None,
    dark: o.Dark = False,
    *,
    number: dict[str, Any],
    output: RunOutput,
) -> None:
    """Compare models on the items that all of their runs contain. Does not load a model or torch.

    rmeval compare runs/rm-bench
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.compare import compare_runs

    show_warnings()
    if until is not None:
        _refuse(until, ensemble=ensemble, plots=plots, margin=margin, correction=correction, intervals=intervals)
        _write_leads(runs, number, output)
        return
    shown = intervals or Shown.simultaneous
    found = compare_runs(runs, **number, ensembles=ensemble or (), intervals=shown.value, margin=_share(margin))
    across = _across(found, correction)
    if plots is not None:
        _draw(found, plots, dark)
    from rmeval.report.comparison import comparison_views

    output.write(
        lambda: [*(one.to_dict() for one in found), *([across.to_dict()] if across else [])],
        lambda: comparison_views(found, across),
    )


def _draw(found: Sequence[ModelComparison], folder: Path, dark: bool) -> None:
    from rmeval.report.figures.comparison import draw_compared

    for path in draw_compared(found, folder, "dark" if dark else "light"):
        echo(f"drawn: {path}", err=True)


def _across(found: Sequence[ModelComparison], correction: Correction | None) -> AcrossBenchmarks | None:
    """Return the models on all benchmarks; None if no two models were run on the same two benchmarks.

    Raises:
        RmevalError: If this is so, and a correction over several benchmarks is given.
    """
    if len(found) > 1:
        from rmeval.results.across import compare_across, have_models_in_common

        if have_models_in_common(found):
            return compare_across(found, correction or "holm")
    if correction is not None:
        raise RmevalError(
            "--correction is for models that were run on several benchmarks, and no two of these were run on the same "
            "two: leave it out, or also give runs of these models on another benchmark"
        )
    return None


def _refuse(until: str, **given: Any) -> None:
    """Refuse options that do not apply to sequences."""
    if until != "decided":
        raise RmevalError(f"--until must be decided, not {until!r}: widths are for rmeval run")
    for name, value in given.items():
        if value is not None and value != []:
            raise RmevalError(f"--{name} does not apply to --until: leave one of them out")


def _write_leads(runs: list[Path], number: dict[str, Any], output: RunOutput) -> None:
    """Write after how many problems the better of two models was known."""
    from rmeval.report.leads import leads_view
    from rmeval.results.leads import decide_runs

    leads = decide_runs(runs, **number)
    output.write(lambda: [one.to_dict() for one in leads], lambda: [leads_view(one) for one in leads])


def _share(points: float | None) -> float | None:
    """Return a margin in points as a share.

    Raises:
        RunError: If it is no positive number below 100.
    """
    if points is not None and not 0 < points < 100:
        raise RunError(f"`margin` must be a number of points above 0 and below 100, such as 2, not {points:g}")
    return None if points is None else points / 100
