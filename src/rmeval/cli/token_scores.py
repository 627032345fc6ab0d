"""`rmeval token-scores`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.printed import check_files, named, printed
from rmeval.cli.progress import progress_bar
from rmeval.cli.values import reader as reader_of
from rmeval.files import STANDARD
from rmeval.messages import count_of

__all__ = ["token_scores_command"]


@o.takes_model_options
def token_scores_command(
    model: o.Model,
    conversations: o.Conversations,
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            help="Output file, tokens and their scores: .jsonl, .json, .csv or .parquet; - is standard output.",
        ),
    ],
    options: dict[str, Any],
    roles: o.Roles = None,
    ignore_keys: o.IgnoreKeys = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write a figure of the first few to a .png, .svg or .pdf file.")
    ] = None,
    dark: o.Dark = False,
    overwrite: o.Overwrite = False,
) -> None:
    """Score conversations at each token, to see which tokens change the score.

    rmeval token-scores ./my-checkpoint conversations.jsonl -o token-scores.jsonl --plot token-scores.png
    """
    from rmeval.api import load_model
    from rmeval.cli.logs import show_warnings
    from rmeval.runs.token_scores import token_scores_of_file

    show_warnings()
    check_files(plot, overwrite=overwrite)
    reader = reader_of(roles, ignore_keys)
    loaded = load_model(model, **options)
    with printed(out) as target, progress_bar(loaded.name) as progress:
        found = token_scores_of_file(loaded, conversations, target, progress, reader, overwrite)
    echo(f"{count_of(len(found), 'conversation')} in {named(out)}", err=out == STANDARD)
    if plot is not None:
        from rmeval.report.figures.token_scores import draw_token_scores

        draw_token_scores(found, loaded.name, plot, "dark" if dark else "light")
        echo(f"drawn: {plot}", err=True)
