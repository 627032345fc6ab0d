"""`rmeval build report FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.build.extra import need_build
from rmeval.cli.output import echo
from rmeval.cli.run_options import RunOutput, takes_output_options

__all__ = ["report_command"]


@takes_output_options
def report_command(
    folder: Annotated[Path, typer.Argument(help="Folder of a build.")],
    run: Annotated[
        list[Path] | None, typer.Option(help="Run of a model on the finished benchmark; repeatable.")
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Number of items that every model gets wrong to show.")] = 20,
    save_items: Annotated[
        Path | None, typer.Option(help="File for the ids of all items that every model gets wrong (.jsonl).")
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(help="TOML file of dollars per million tokens. Default: the costs at the prices of the config."),
    ] = None,
    plots: o.Plots = None,
    dark: o.Dark = False,
    *,
    output: RunOutput,
) -> None:
    """Report what a build kept and what it cost, and what its benchmark is worth.

    Shows null baselines, what form alone gives away, the embedded model and your runs, and the items that every model
    gets wrong.

    rmeval build report my-bench --run runs/my-bench/my-model
    """
    from rmeval.cli.logs import show_warnings

    show_warnings()
    need_build()
    from rmeval.build.report.report import report_build

    found = report_build(folder, run or (), prices)
    if save_items is not None:
        from rmeval.build.report.wrong import write_items

        write_items(found.wrong, save_items)
        echo(f"written: {save_items}", err=True)
    if plots is not None:
        from rmeval.report.figures.funnel import draw_funnel

        path = plots / "funnel.png"
        draw_funnel(found, path, "dark" if dark else "light")
        echo(f"drawn: {path}", err=True)
    from rmeval.report.build_report import build_report_view

    output.write(found.to_dict, lambda: [build_report_view(found, n)])
