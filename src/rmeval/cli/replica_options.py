"""Options of the engine `ray`, as options of every command that takes a model: annotation and default."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["REPLICA_OPTIONS"]


def _replicas(text: str, minimum: int | None = None) -> Any:
    return typer.Option(help=text, min=minimum, rich_help_panel="Several GPUs or machines: --engine ray")


REPLICA_OPTIONS: dict[str, tuple[Any, Any]] = {
    "replicas": (
        Annotated[
            int | None, _replicas("Number of replicas. Default: as many as the cluster has GPUs for, or 1.", minimum=1)
        ],
        None,
    ),
    "gpus_per_replica": (
        Annotated[
            float | None, _replicas("GPUs of each replica, such as 2 or 0.5. Default: 1 if the cluster has any.")
        ],
        None,
    ),
    "ray_address": (
        Annotated[
            str | None,
            _replicas("Running Ray cluster: auto, or host:port. Default: start Ray on this machine, and end it."),
        ],
        None,
    ),
    "replica_engine": (Annotated[str, _replicas("Engine of each replica: hf, vllm or file.py:Class.")], "hf"),
}
