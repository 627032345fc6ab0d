"""`rmeval bon`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.printed import check_files, refuse_shared_files
from rmeval.cli.run_options import RunOutput, takes_output_options, takes_reading_options
from rmeval.cli.values import numbers_of
from rmeval.errors import RmevalError

__all__ = ["bon_command"]

_PICKS = "Picks"
Runs = Annotated[
    list[Path],
    typer.Argument(help="Runs on the same candidates, folders with runs in them, or files of candidates with scores."),
]
Gold = Annotated[
    Path | None, typer.Option(help="Run whose scores are the quality, such as a gold reward model's or a judge's.")
]
MaxN = Annotated[
    int | None,
    typer.Option(
        "--max-n", min=2, help="Largest n; prompts with fewer responses are left out. Default: the smallest number."
    ),
]
At = Annotated[str | None, typer.Option(help="Numbers n, such as 1,4,16. Default: powers of two.")]
Steps = Annotated[
    str | None, typer.Option(help="Score of a response from those of its steps in files: min, prod, last or mean.")
]
Picks = Annotated[
    Path | None,
    typer.Option(help="File for the picked responses: .jsonl, .json, .csv or .parquet.", rich_help_panel=_PICKS),
]
PickLayout = Annotated[
    Literal["rows", "alpaca-eval"],
    typer.Option(help="Layout of that file: rows, or alpaca-eval for one model.", rich_help_panel=_PICKS),
]


@takes_reading_options
@takes_output_options
def bon_command(
    runs: Runs,
    gold: Gold = None,
    max_n: MaxN = None,
    at: At = None,
    steps: Steps = None,
    picks: Picks = None,
    picks_layout: PickLayout = "rows",
    plots: o.Plots = None,
    dark: o.Dark = False,
    *,
    reading: dict[str, Any],
    output: RunOutput,
) -> None:
    """Show the quality of the response that reward models pick among n, against n (best-of-N).

    Compares with a random pick, majority vote and the best response, and tests for over-optimisation.

    rmeval bon runs/best-of-n --plots plots --picks picks.jsonl
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.importers.best_of_n import bon

    show_warnings()
    if picks is None and picks_layout != "rows":
        raise RmevalError("--picks-layout is for the file of --picks: give that, or leave it out")
    check_files(picks, overwrite=output.overwrite)
    refuse_shared_files({"--picks": picks, "-o": output.file}, runs)
    found = bon(runs, gold=gold, at=numbers_of(at, "--at"), max_n=max_n, steps=steps, **reading)
    if plots is not None:
        from rmeval.report.figures.best_of_n import draw_best_of_n

        path = plots / "best-of-n.png"
        draw_best_of_n(found, path, "dark" if dark else "light")
        echo(f"drawn: {path}", err=True)
    if picks is not None:
        from rmeval.predict.picks import write_picks

        for note in write_picks(found, picks, picks_layout):
            echo(f"note: {note}", err=True)
        echo(f"written: {picks}", err=True)
    from rmeval.report.best_of_n import best_of_n_view

    output.write(found.to_dict, lambda: [best_of_n_view(found)])
