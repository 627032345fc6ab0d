"""`rmeval report`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.flags import with_options
from rmeval.cli.output import echo
from rmeval.cli.run_options import takes_reading_options

__all__ = ["report_command"]

Out = Annotated[
    Path, typer.Option("-o", "--out", help="Folder to write; it must be new or empty.", rich_help_panel=o.OUT)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a report in that folder.", rich_help_panel=o.OUT)]
Title = Annotated[str, typer.Option(help="Title of the report. Default: the benchmarks.")]
Examples = Annotated[
    int, typer.Option("-n", "--examples", min=0, help="Number of misjudged comparisons of each run; 0 for none.")
]
Figures = Annotated[bool, typer.Option("--figures/--no-figures", help="Whether to draw figures (extra plots).")]


@takes_reading_options
def report_command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that contain runs.")],
    out: Out,
    title: Title = "",
    examples: Examples = 5,
    figures: Figures = True,
    overwrite: Overwrite = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Write a report of runs: a page that opens from disk, figures, Markdown, LaTeX and CSV. Does not load a model.

    rmeval report runs/ -o report
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.report.page.write import write_report

    show_warnings()
    command = shlex.join(["rmeval", *sys.argv[1:]])
    paths = write_report(
        runs,
        out,
        title=title,
        examples=examples,
        figures=figures,
        overwrite=overwrite,
        command=command,
        wording=with_options,
        **reading,
    )
    echo(f"written: {paths[0]} and {len(paths) - 1} other files", err=True)
    echo(str(paths[0]))
