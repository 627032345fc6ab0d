"""The folders of runs that are given by path or as results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rmeval.errors import RunError
from rmeval.results.result import Result
from rmeval.store.manifest import only_run

__all__ = ["Place", "only_folder", "places_of"]

Place = str | Path | Result
"""A run folder, a folder with runs in it, or the result of a run."""


def only_folder(run: Place) -> Path:
    """Return the folder of one run.

    Raises:
        RunError: If this is neither a path nor a result, or several runs are in the folder.
    """
    return run.path if isinstance(run, Result) else only_run(_path(run))


def places_of(runs: Place | Iterable[Place]) -> list[Path]:
    """Return the paths of one or several places.

    Raises:
        RunError: If there is none, or one is neither a path nor a result.
    """
    if isinstance(runs, str | Path | Result) or not isinstance(runs, Iterable):
        return [_path(runs)]
    if not (found := [_path(run) for run in runs]):
        raise RunError("no runs are given: give folders that `rmeval run` wrote, or results")
    return found


def _path(run: object) -> Path:
    if isinstance(run, Result):
        return run.path
    if not isinstance(run, str | Path):
        raise RunError(f"a run is a {type(run).__name__}: give the path of its folder, or the result of `evaluate`")
    if not str(run):
        raise RunError("a run's path is empty: give a run folder, or . for the current folder")
    return Path(run)
