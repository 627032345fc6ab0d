"""Options of models behind a server, as options of every command that takes a model: annotation and default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["SERVER_OPTIONS", "PriceFile"]

PriceFile = Annotated[
    Path | None,
    typer.Option(
        "--prices", help="TOML file of dollars per million tokens. Default: the costs that the runs have recorded."
    ),
]
"""The price file of commands that read runs."""


def _server(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="Server")


SERVER_OPTIONS: dict[str, tuple[Any, Any]] = {
    "served_model": (
        Annotated[str | None, _server("Name under which the server serves the model, if it serves several.")],
        None,
    ),
    "dialect": (
        Annotated[
            str, _server("Form of requests and answers, such as vllm-classify@1, or a TOML file. Default: found out.")
        ],
        "auto",
    ),
    "bounded_ok": (
        Annotated[bool, _server("Accept a model whose raw scores are between 0 and 1.", "--bounded-ok")],
        False,
    ),
    "api_key_env": (Annotated[str, _server("Environment variable with the API key.")], "RMEVAL_API_KEY"),
    "concurrency": (Annotated[int, _server("Maximum number of calls in flight; it adapts to the server.")], 64),
    "retries": (Annotated[int, _server("How often a call is sent again after a failure that can heal.")], 5),
    "connect_timeout": (Annotated[float, _server("Seconds until a connection is open.")], 10.0),
    "read_timeout": (Annotated[float, _server("Seconds without a byte from the server.")], 120.0),
    "timeout": (Annotated[float, _server("Seconds for one call with its retries.")], 600.0),
    "max_requests": (Annotated[int | None, _server("Maximum number of calls of this process.")], None),
    "max_tokens": (Annotated[int | None, _server("Maximum number of tokens of this process.")], None),
    "max_cost": (Annotated[float | None, _server("Maximum cost of this process, in dollars; needs --prices.")], None),
    "prices": (
        Annotated[str | None, _server("TOML file with dollars per million tokens for each model.")],
        None,
    ),
}
