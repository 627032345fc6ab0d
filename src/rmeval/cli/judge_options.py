"""Options of generative judges, as options of every command that takes a model: annotation and default."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["JUDGE_OPTIONS"]


def _judge(text: str, *names: str, minimum: int | None = None) -> Any:
    return typer.Option(*names, help=text, min=minimum, rich_help_panel="Judge")


JUDGE_OPTIONS: dict[str, tuple[Any, Any]] = {
    "protocol": (
        Annotated[
            str | None,
            _judge("Run the model as a generative judge by this protocol, such as five-way, or a TOML file."),
        ],
        None,
    ),
    "base_url": (
        Annotated[str | None, _judge("Address of an OpenAI-compatible server; MODEL is then the model's name there.")],
        None,
    ),
    "votes": (Annotated[int, _judge("How often each question is asked.", minimum=1)], 1),
    "order": (
        Annotated[
            str | None,
            _judge("Order of responses: both (each pair twice), or seeded (one, drawn). Default: the protocol's."),
        ],
        None,
    ),
    "order_seed": (Annotated[int, _judge("Seed of the order seeded and of sampling.", minimum=0)], 0),
    "wording": (
        Annotated[int, _judge("Another wording of the prompt, 1 to 3; 0 is the protocol's own.", minimum=0)],
        0,
    ),
    "temperature": (Annotated[float | None, _judge("Temperature. Default: the protocol's.")], None),
    "top_p": (Annotated[float | None, _judge("Top-p. Default: the protocol's.")], None),
    "max_new_tokens": (
        Annotated[int | None, _judge("Limit of an output in tokens. Default: the protocol's.", minimum=1)],
        None,
    ),
    "judge_kwargs": (
        Annotated[
            list[str] | None, _judge("KEY=VALUE for the body of each call, as reasoning_effort=low. Repeatable.")
        ],
        None,
    ),
}
