"""`rmeval analyze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo, echo_json
from rmeval.cli.values import shares_of
from rmeval.cli.views import check_output, write_views

__all__ = ["analyze_command"]


def analyze_command(
    run: Annotated[Path, typer.Argument(help="Run folder, or a folder that contains one run.")],
    label_agreement: Annotated[
        list[str] | None,
        typer.Option(
            help="How often two annotators agree on a label, to correct numbers for label errors: 0.85, or counts as "
            "170/200, or SUBSET=0.85. Repeatable. Default: as published with the benchmark."
        ),
    ] = None,
    label_errors: Annotated[
        list[str] | None,
        typer.Option(help="Instead: the share of wrong labels, in the same forms, or errata for the known errata."),
    ] = None,
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
    """Measure a model's biases: length, formatting, refusals; and its calibration. Does not load a model or torch.

    rmeval analyze runs/rm-bench/my-model
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.analyze import analyze_run

    show_warnings()
    form, out = check_output(form, out, as_json, overwrite)
    found = analyze_run(
        run,
        rule=rule,
        variant=variant,
        benchmark=benchmark,
        protocol=protocol,
        label_agreement=shares_of(label_agreement, "--label-agreement"),
        label_errors=shares_of(label_errors, "--label-errors"),
    )
    if plots is not None:
        from rmeval.report.figures.analysis import draw_analysis

        for path in draw_analysis(found, plots, "dark" if dark else "light"):
            echo(f"drawn: {path}", err=True)
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    from rmeval.report.analysis import analysis_view

    write_views([analysis_view(found)], form, out)
