"""`rmeval show`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo, echo_json

__all__ = ["show_command"]


def show_command(
    run: Annotated[
        Path, typer.Argument(help="Run folder, a folder with runs in it, or with --from-subsets a file of accuracies.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the records as one JSON list.")] = False,
    rule: o.PolicyName = None,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the style-substance matrix into a .png, .svg or .pdf file.")
    ] = None,
    dark: o.Dark = False,
    from_subsets: Annotated[
        bool,
        typer.Option(
            "--from-subsets",
            help="Compute sections and averages from a published JSON file with an accuracy for each subset.",
        ),
    ] = False,
) -> None:
    """Show the numbers of a run, or a line for each of several. Needs no model and no torch."""
    from rmeval.cli.logs import show_warnings
    from rmeval.errors import RunError
    from rmeval.results.result import open_run
    from rmeval.store.manifest import find_runs, finite

    show_warnings()
    if from_subsets:
        if rule is not None or plot is not None or benchmark is not None:
            raise RunError("--from-subsets takes neither --rule nor --plot nor --benchmark: leave them out")
        _show_subsets(run, as_json)
        return
    folders = find_runs(run)
    if plot is not None and len(folders) > 1:
        raise RunError(f"there are {len(folders)} runs in {run}: give one of them to --plot")
    if len(folders) > 1 and not as_json:
        _show_lines(run, folders, rule, benchmark, protocol)
        return
    result = open_run(run, rule, benchmark, protocol)
    if plot is not None:
        from rmeval.report.plots import draw_matrix

        draw_matrix(result, plot, "dark" if dark else "light")
        echo(f"drawn: {plot}", err=True)
    if as_json:
        echo_json(finite([record.to_dict() for record in result.records]), indent=1)
        return
    from rmeval.report.tables import print_report

    print_report(result)


def _show_lines(
    run: Path, folders: Sequence[Path], rule: str | None, benchmark: str | None, protocol: str | None
) -> None:
    from rmeval.errors import RunError
    from rmeval.report.tables import print_priors, print_run_line
    from rmeval.results.result import open_run

    shown = []
    for folder in folders:
        try:
            shown.append(open_run(folder, rule, benchmark, protocol))
            print_run_line(shown[-1])
        except RunError as error:
            echo(f"note: {error}", err=True)
    print_priors(shown)
    if not shown:
        raise RunError(f"none of the {len(folders)} runs in {run} can be shown: see the notes")


def _show_subsets(file: Path, as_json: bool) -> None:
    from rmeval.importers.subset_files import read_subset_file
    from rmeval.report.subsets import print_subset_numbers

    found = read_subset_file(file)
    if not as_json:
        print_subset_numbers(found)
        return
    echo_json([number.to_dict() for number in found.numbers], indent=1)
    for note in found.notes:
        echo(f"note: {note}", err=True)
