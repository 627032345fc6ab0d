"""`rmeval jury`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli.run_options import RunOutput, takes_number_options, takes_output_options

__all__ = ["jury_command"]


@takes_number_options
@takes_output_options
def jury_command(
    runs: Annotated[list[Path], typer.Argument(help="Runs of different judges on the same items, two or more.")],
    *,
    number: dict[str, Any],
    output: RunOutput,
) -> None:
    """Combine runs of several judges: more than half of all judges decide each comparison.

    Shows the jury's number beside those of its judges, and their agreement (Krippendorff's alpha, Fleiss' and Cohen's
    kappa).

    rmeval jury runs/rm-bench/one runs/rm-bench/two runs/rm-bench/three
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.jury import jury_runs

    show_warnings()
    found = jury_runs(runs, **number)
    from rmeval.report.jury import jury_view

    output.write(found.to_dict, lambda: [jury_view(found)])
