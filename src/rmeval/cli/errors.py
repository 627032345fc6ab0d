"""`rmeval errors`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.views import check_output, write_views

__all__ = ["errors_command"]


def errors_command(
    run: Annotated[Path, typer.Argument(help="Run folder, or a folder that contains one run.")],
    subset: Annotated[list[str] | None, typer.Option(help="Subset or section. Repeatable.")] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            help="Kind of comparison, as concise/detailed_markdown, 1:3 (row and column of the matrix), or hard. "
            "Repeatable."
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", "--n", min=1, help="Number of comparisons; with --other, of each run.")] = 20,
    other: Annotated[
        Path | None,
        typer.Option(help="Another run on the same items: show what one model judges right and the other one wrong."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show whole prompts and responses.")] = False,
    data: Annotated[
        str | None,
        typer.Option(help="File, folder or hub id to read the texts from, if the data of the run have moved."),
    ] = None,
    variant: o.Variant = None,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
    form: o.ReportFormat = None,
    out: o.ReportFile = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Show the comparisons that a model misjudges, worst margin first. Does not load a model or torch.

    rmeval errors runs/rm-bench/my-model --cell hard --n 5
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.report.wrong import wrong_view
    from rmeval.results.wrong import wrong_examples

    show_warnings()
    chosen, file = check_output(form, out, as_json=False, overwrite=overwrite)
    found = wrong_examples(
        run,
        subset=subset or (),
        cell=cell or (),
        n=n,
        other=other,
        data=data,
        variant=variant,
        benchmark=benchmark,
        protocol=protocol,
    )
    write_views([wrong_view(found, full)], chosen, file)
