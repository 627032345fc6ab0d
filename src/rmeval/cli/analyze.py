"""`rmeval analyze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.run_options import RunOutput, takes_output_options, takes_reading_options
from rmeval.cli.values import shares_of

__all__ = ["analyze_command"]


@takes_reading_options
@takes_output_options
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
    plots: o.Plots = None,
    dark: o.Dark = False,
    *,
    reading: dict[str, Any],
    output: RunOutput,
) -> None:
    """Measure a model's biases: length, formatting, refusals; and its calibration. Does not load a model or torch.

    rmeval analyze runs/rm-bench/my-model
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.analyze import analyze_run

    show_warnings()
    found = analyze_run(
        run,
        **reading,
        label_agreement=shares_of(label_agreement, "--label-agreement"),
        label_errors=shares_of(label_errors, "--label-errors"),
    )
    if plots is not None:
        from rmeval.report.figures.analysis import draw_analysis

        for path in draw_analysis(found, plots, "dark" if dark else "light"):
            echo(f"drawn: {path}", err=True)
    from rmeval.report.analysis import analysis_view

    output.write(found.to_dict, lambda: [analysis_view(found)])
