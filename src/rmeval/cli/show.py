"""`rmeval show`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.flags import with_options
from rmeval.cli.output import echo, echo_json
from rmeval.cli.views import check_output, write_views

if TYPE_CHECKING:
    from rmeval.results.result import Result

__all__ = ["show_command"]


def show_command(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders, folders that contain runs, or with --from-subsets a file of accuracies."),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a run's records with all fields as a JSON list.")
    ] = False,
    rule: o.PolicyName = None,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write the style-substance matrix to a .png, .svg or .pdf file.")
    ] = None,
    dark: o.Dark = False,
    from_subsets: Annotated[
        bool,
        typer.Option(
            "--from-subsets",
            help="Compute sections and averages from a published JSON file with an accuracy for each subset.",
        ),
    ] = False,
    published: Annotated[
        bool, typer.Option("--published", help="Rank the runs among published results, where these are comparable.")
    ] = False,
    form: o.ReportFormat = None,
    out: o.ReportFile = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Show the metrics of a run, or a ranking of several runs. Does not load a model or torch.

    rmeval show runs/ --format csv -o runs.csv
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.errors import RunError

    show_warnings()
    form, out = check_output(form, out, as_json, overwrite, plot)
    if published and (as_json or plot is not None or from_subsets):
        raise RunError("--published does not accept --json, --plot or --from-subsets: leave them out")
    if from_subsets:
        if rule is not None or plot is not None or benchmark is not None:
            raise RunError("--from-subsets does not accept --rule, --plot or --benchmark: leave them out")
        _show_subsets(runs, as_json, form, out)
        return
    folders = _folders(runs)
    if len(folders) < 2 and not published:
        _show_run(folders[0] if folders else runs[0], rule, benchmark, protocol, plot, dark, as_json, form, out)
        return
    where = ", ".join(map(str, runs))
    folders = folders or list(runs)
    if plot is not None:
        raise RunError(f"there are {len(folders)} runs in {where}: name one of them for --plot")
    if as_json:
        some = ", ".join(map(str, folders[:10])) + (", ..." if len(folders) > 10 else "")
        raise RunError(f"{where} holds {len(folders)} runs: name one of them, or use --format json: {some}")
    _show_runs(where, folders, rule, benchmark, protocol, published, form, out)


def _folders(runs: Sequence[Path]) -> list[Path]:
    """The run folders at some paths or below them, each once."""
    from rmeval.store.manifest import find_runs

    return list({folder.resolve(): folder for run in runs for folder in find_runs(run)}.values())


def _show_run(
    folder: Path,
    rule: str | None,
    benchmark: str | None,
    protocol: str | None,
    plot: Path | None,
    dark: bool,
    as_json: bool,
    form: o.Format,
    out: Path | None,
) -> None:
    from rmeval.results.result import open_run

    result = open_run(folder, rule, benchmark, protocol)
    if plot is not None:
        from rmeval.report.figures.matrix import draw_matrix

        draw_matrix(result, plot, "dark" if dark else "light")
        echo(f"drawn: {plot}", err=True)
    if as_json:
        from rmeval.store.manifest import finite

        echo_json(finite([record.to_dict() for record in result.records]), indent=1)
        return
    from rmeval.report.run import run_view

    write_views([run_view(result)], form, out)


def _show_runs(
    where: str,
    folders: Sequence[Path],
    rule: str | None,
    benchmark: str | None,
    protocol: str | None,
    published: bool,
    form: o.Format,
    out: Path | None,
) -> None:
    from rmeval.errors import RunError
    from rmeval.report.ranking import combined_views, runs_views
    from rmeval.results.result import open_run

    shown: list[Result] = []
    errors: dict[str, RunError] = {}
    for folder in folders:
        try:
            shown.append(open_run(folder, rule, benchmark, protocol))
        except RunError as error:
            errors.setdefault(str(error), error)
    if not shown and len(errors) == 1:
        raise next(iter(errors.values()))
    for message in errors:
        echo(f"note: {with_options(message)}", err=True)
    if not shown:
        raise RunError(f"none of the {len(folders)} runs in {where} can be shown: see the notes")
    write_views([*runs_views(shown, published), *combined_views(shown)], form, out)


def _show_subsets(files: Sequence[Path], as_json: bool, form: o.Format, out: Path | None) -> None:
    from rmeval.errors import RunError
    from rmeval.importers.subset_files import read_subset_file
    from rmeval.report.subsets import subsets_view

    if len(files) > 1:
        raise RunError(f"--from-subsets takes one file, not {len(files)}: name one of them")
    found = read_subset_file(files[0])
    if not as_json:
        write_views([subsets_view(found)], form, out)
        return
    echo_json([number.to_dict() for number in found.numbers], indent=1)
    for note in found.notes:
        echo(f"note: {with_options(note)}", err=True)
