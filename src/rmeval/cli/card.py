"""`rmeval card`."""

from __future__ import annotations

from typing import Annotated

import typer

from rmeval.cli.output import echo_json

__all__ = ["card_command"]


def card_command(
    model: Annotated[
        str,
        typer.Argument(
            help="Hub id, name on a board, name of a card, TOML file with a card, or folder of a checkpoint."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print how a model is loaded and read, why, and what is published of it. Does not load it and needs no network.

    rmeval card Skywork/Skywork-Reward-V2-Llama-3.1-8B
    """
    from rmeval.cli.flags import with_options
    from rmeval.cli.logs import show_warnings
    from rmeval.models.about import about_model

    show_warnings()
    found = about_model(model)
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    from rmeval.report.model_card import model_card_view
    from rmeval.report.terminal import print_views
    from rmeval.report.views import worded

    print_views([worded(model_card_view(found), with_options)])
