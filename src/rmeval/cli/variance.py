"""`rmeval variance`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo_json
from rmeval.cli.views import check_output, write_views

__all__ = ["variance_command"]


def variance_command(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders, or folders that contain runs: of one benchmark; one run or several."),
    ],
    facet: Annotated[
        list[str] | None,
        typer.Option(
            help="What the runs differ in: an entry of run.json's identity, or a name of your own. Default: found. "
            "Repeatable once."
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Number to study, such as hard. Default: the benchmark's headline metric.")
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
    """Show where a number's uncertainty comes from, and what more problems or more repeats would add.

    Several runs on the same items: problems, what differs between the runs, and both together. One run: problems, and
    the items of one problem. Does not load a model or torch.

    rmeval variance runs/rm-bench/my-model
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.report.variance import variance_view
    from rmeval.results.variance import study_variance

    show_warnings()
    form, out = check_output(form, out, as_json, overwrite)
    found = study_variance(
        runs,
        facet=facet or (),
        metric=metric,
        scope=scope,
        rule=rule,
        variant=variant,
        benchmark=benchmark,
        protocol=protocol,
    )
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    write_views([variance_view(found)], form, out)
