"""`rmeval score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o

__all__ = ["score_command"]


def score_command(
    model: o.Model,
    conversations: Annotated[
        Path, typer.Argument(help="JSONL with messages, or prompt and response or responses (also JSON, CSV, parquet).")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="JSONL to write: the same rows with their scores.")],
    break_lock: o.BreakLock = False,
    dtype: o.DType = "auto",
    device: o.Device = "auto",
    revision: o.Revision = None,
    tokenizer: o.Tokenizer = None,
    chat_template: o.ChatTemplate = None,
    trust_remote_code: o.TrustRemoteCode = False,
    model_kwargs: o.ModelKwargs = None,
    batch_size: o.BatchSize = None,
    max_length: o.MaxLength = None,
    on_overlength: o.OnOverlength = "error",
) -> None:
    """Score conversations, for rejection sampling or a closer look.

    rmeval score ./my-checkpoint conversations.jsonl -o scored.jsonl
    """
    from rmeval.api import load_model
    from rmeval.cli.logs import show_warnings
    from rmeval.runs.scoring import score_file

    show_warnings()
    loaded = load_model(
        model,
        dtype=dtype,
        device=device,
        revision=revision,
        tokenizer=tokenizer,
        chat_template=chat_template,
        trust_remote_code=trust_remote_code,
        model_kwargs=o.model_kwargs(model_kwargs),
        batch_size=batch_size,
        max_length=max_length,
        on_overlength=on_overlength,
    )
    with o.progress_bar(loaded.name) as progress:
        rows, failed = score_file(loaded, conversations, out, progress, break_lock)
    typer.echo(f"{rows} rows in {out}" + (f"; {failed} answers have no score: see their 'error'" if failed else ""))
