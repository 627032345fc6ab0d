"""`rmeval export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rmeval.cli import options as o
from rmeval.cli.output import complain, echo
from rmeval.cli.progress import progress_bar
from rmeval.messages import count_of

__all__ = ["export_command"]


@o.takes_some_model_options(
    "dtype", "device", "revision", "tokenizer", "chat_template", "trust_remote_code", "model_kwargs", "head", "card"
)
def export_command(
    model: Annotated[str, typer.Argument(help="Hub id or folder of a checkpoint with a linear value head.")],
    options: dict[str, Any],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write.")],
    form: Annotated[
        str, typer.Option("--as", help="seqcls: the architecture's own *ForSequenceClassification.")
    ] = "seqcls",
    drop_bias: Annotated[
        bool, typer.Option("--drop-bias", help="Leave out the head's bias, a constant in all scores.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a checkpoint that exists.")] = False,
) -> None:
    """Write a checkpoint with a value head as a sequence classifier, for servers such as vLLM.

    Compares the scores of the written checkpoint, run by transformers alone, with those of the original on generated
    conversations. The exit code is 1, and nothing is written, if they differ.

        rmeval export ./my-value-head-model -o ./my-classifier --as seqcls
    """
    from rmeval.cli.flags import with_options
    from rmeval.cli.logs import show_warnings
    from rmeval.doctor.export import export_model

    show_warnings()
    with progress_bar(f"export {model}") as progress:
        found = export_model(model, out, form, overwrite=overwrite, drop_bias=drop_bias, progress=progress, **options)
    conversations = count_of(found.compared, "conversation")
    measured = f"largest difference {found.difference:.2g}, of scores with a standard deviation of {found.spread:.3g}"
    if not found.agrees:
        complain(
            f"{found.architecture} of transformers returns other scores than {model} for {conversations} "
            f"({measured}; rounding explains {found.noise:.2g}): nothing was written"
        )
        raise typer.Exit(1)
    echo(f"{out}: {found.architecture}, its score is {found.head} of {model}")
    echo(f"{conversations} have equal scores: {measured}")
    for note in found.notes:
        echo(f"note: {with_options(note)}")
