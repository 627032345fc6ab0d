"""`rmeval bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.errors import RmevalError

__all__ = ["bundle_command"]


def bundle_command(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that contain runs.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="The bundle, ending in .zip, of one run; otherwise a folder of bundles.")
    ] = Path("bundles"),
    overwrite: o.Overwrite = False,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
) -> None:
    """Write the bundle of each run: one file from which anyone can compute its numbers again, without texts.

    rmeval bundle runs/rm-bench -o bundles
    """
    from rmeval.cli.logs import show_warnings
    from rmeval.results.bundle import bundle_name, bundle_run
    from rmeval.store import find_runs, read_manifest

    show_warnings()
    folders = list(dict.fromkeys(folder for run in runs for folder in find_runs(run)))
    if not folders:
        raise RmevalError(f"there are no runs in {', '.join(map(str, runs))}: give folders that rmeval run wrote")
    one_file = out.suffix == ".zip"
    if one_file and len(folders) > 1:
        raise RmevalError(f"{out} is one file, but there are {len(folders)} runs: give a folder with -o, or one run")
    for folder in folders:
        file = out if one_file else out / bundle_name(read_manifest(folder))
        if file.exists() and not overwrite:
            raise RmevalError(f"{file} exists: give another -o, or replace it with --overwrite")
        bundle_run(folder, file, benchmark, protocol)
        echo(f"written: {file} ({file.stat().st_size:,} bytes)")
