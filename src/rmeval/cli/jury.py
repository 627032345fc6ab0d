"""`rmeval jury`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo_json
from rmeval.cli.views import check_output, write_views

__all__ = ["jury_command"]


def jury_command(
    runs: Annotated[list[Path], typer.Argument(help="Runs of different judges on the same items, two or more.")],
    metric: Annotated[
        str | None, typer.Option(help="Number of the jury, such as hard. Default: the benchmark's headline metric.")
    ] = None,
    scope: Annotated[str, typer.Option(help="Part of the benchmark, such as chat.")] = "all",
    variant: o.Variant = None,
    rule: o.PolicyName = None,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all fields as JSON.")] = False,
    form: o.ReportFormat = None,
    out: o.ReportFile = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Combine runs of several judges: more than half of all judges decide each comparison.

    Shows the jury's number beside those of its judges, and their agreement (Krippendorff's alpha, Fleiss' and Cohen's
    kappa).

    rmeval jury runs/rm-bench/one runs/rm-bench/two runs/rm-bench/three
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.jury import jury_runs

    show_warnings()
    form, out = check_output(form, out, as_json, overwrite)
    found = jury_runs(
        runs, metric=metric, scope=scope, rule=rule, variant=variant, benchmark=benchmark, protocol=protocol
    )
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    from rmeval.report.jury import jury_view

    write_views([jury_view(found)], form, out)
