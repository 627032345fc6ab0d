"""`rmeval cite`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo

__all__ = ["cite_command"]


def cite_command(
    run: Annotated[Path, typer.Argument(help="Run folder, or a folder that contains runs.")],
    benchmark: o.OwnBenchmark = None,
) -> None:
    """Print BibTeX entries for a run's benchmark and for the works that it asks users to cite.

    rmeval cite runs/ > references.bib
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.cite import cite_runs

    show_warnings()
    for entry in cite_runs(run, benchmark):
        echo(*entry.strip().split("\n"), "")
