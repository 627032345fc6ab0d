"""`rmeval compare`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo, echo_json
from rmeval.cli.views import check_output, write_views
from rmeval.errors import RmevalError

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


def compare_command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that contain runs.")],
    metric: Annotated[
        str | None, typer.Option(help="Metric to rank by, such as hard. Default: the benchmark's headline metric.")
    ] = None,
    scope: Annotated[str, typer.Option(help="Part of the benchmark to rank on, such as chat.")] = "all",
    ensemble: Annotated[
        list[str] | None,
        typer.Option(
            help="Also evaluate an ensemble of the models: mean, z-mean, worst, uncertainty or majority. Repeatable."
        ),
    ] = None,
    correction: CorrectionOption = None,
    variant: o.Variant = None,
    rule: o.PolicyName = None,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
    plots: o.Plots = None,
    dark: o.Dark = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all fields as JSON.")] = False,
    form: o.ReportFormat = None,
    out: o.ReportFile = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Compare models on the items that all of their runs contain. Does not load a model or torch.

    rmeval compare runs/rm-bench
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.compare import compare_runs

    show_warnings()
    form, out = check_output(form, out, as_json, overwrite)
    found = compare_runs(
        runs,
        rule=rule,
        variant=variant,
        metric=metric,
        scope=scope,
        ensembles=ensemble or (),
        benchmark=benchmark,
        protocol=protocol,
    )
    across = _across(found, correction)
    if plots is not None:
        from rmeval.report.figures.comparison import draw_compared

        for path in draw_compared(found, plots, "dark" if dark else "light"):
            echo(f"drawn: {path}", err=True)
    if as_json:
        echo_json([*(one.to_dict() for one in found), *([across.to_dict()] if across else [])], indent=1)
        return
    from rmeval.report.comparison import comparison_views

    write_views(comparison_views(found, across), form, out)


def _across(found: Sequence[ModelComparison], correction: Correction | None) -> AcrossBenchmarks | None:
    """Return the models on all benchmarks; None if there is one benchmark.

    Raises:
        RmevalError: If there is one benchmark, and a correction over several.
    """
    if len(found) > 1:
        from rmeval.results.across import compare_across

        return compare_across(found, correction or "holm")
    if correction is not None:
        raise RmevalError(
            "--correction is for models on several benchmarks, and these runs are of one: leave it out, or also give "
            "runs of another benchmark"
        )
    return None
