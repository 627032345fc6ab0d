"""`rmeval variance`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli.run_options import RunOutput, takes_number_options, takes_output_options

__all__ = ["variance_command"]


@takes_number_options
@takes_output_options
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
    *,
    number: dict[str, Any],
    output: RunOutput,
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
    found = study_variance(
        runs,
        facet=facet or (),
        **number,
    )
    output.write(found.to_dict, lambda: [variance_view(found)])
