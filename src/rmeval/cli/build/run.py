"""`rmeval build CONFIG`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli.output import echo

__all__ = ["build_command"]


def build_command(
    config: Annotated[Path, typer.Argument(help="Config in YAML, see `rmeval build init`.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder of the build. Default: named after the benchmark.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Last stage to run: problems, responses, styles, review or assemble.")
    ] = None,
    accept_failures: Annotated[
        bool, typer.Option("--accept-failures", help="Go on without the answers of calls that failed.")
    ] = False,
    break_lock: Annotated[
        bool, typer.Option("--break-lock", help="Take a lock that another process seems to hold.")
    ] = False,
) -> None:
    """Run all stages that have no result yet; killed at any moment, it continues where it stopped.

    rmeval build my-bench.yaml -o my-bench
    """
    from rmeval.build.config import load_config
    from rmeval.build.pipeline import build
    from rmeval.cli.build.progress import build_progress
    from rmeval.cli.logs import show_warnings

    show_warnings()
    loaded = load_config(config)
    with build_progress(loaded.name) as progress:
        found = build(
            loaded,
            out or Path(loaded.name),
            until=until,  # type: ignore[arg-type]
            accept_failures=accept_failures,
            break_lock=break_lock,
            progress=progress,
        )
    for name, stage in found.stages.items():
        echo(f"{name}: {len(stage.records)} kept, {len(stage.dropped)} left out")
