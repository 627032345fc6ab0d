"""`rmeval score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.printed import named, printed
from rmeval.cli.progress import progress_bar
from rmeval.cli.values import reader as reader_of
from rmeval.files import STANDARD
from rmeval.messages import count_of

__all__ = ["score_command"]


@o.takes_model_options
def score_command(
    model: o.Model,
    conversations: o.Conversations,
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            help="Output file, the same rows with their scores: .jsonl, .json, .csv or .parquet; - is standard output.",
        ),
    ],
    options: dict[str, Any],
    roles: o.Roles = None,
    ignore_keys: o.IgnoreKeys = None,
    break_lock: o.BreakLock = False,
    overwrite: o.Overwrite = False,
) -> None:
    """Score conversations, for example for rejection sampling.

    Give the same command again to continue after an interruption.

        rmeval score ./my-checkpoint conversations.jsonl -o scored.jsonl

        cat conversations.jsonl | rmeval score ./my-checkpoint - -o - > scored.jsonl
    """
    from rmeval.api import load_model
    from rmeval.cli.logs import show_warnings
    from rmeval.runs.score_file import score_file

    show_warnings()
    reader = reader_of(roles, ignore_keys)
    loaded = load_model(model, **options)
    with printed(out) as target, progress_bar(loaded.name) as progress:
        rows, failed = score_file(loaded, conversations, target, progress, break_lock, reader, overwrite)
    missing = f"; {count_of(failed, 'response')} without a score: see 'score_error'" if failed else ""
    echo(f"{count_of(rows, 'row')} in {named(out)}{missing}", err=out == STANDARD)
