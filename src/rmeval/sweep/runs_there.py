"""The runs of a sweep's models that a folder of runs has."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.errors import RunError
from rmeval.messages import count_of
from rmeval.results.result import Result, open_run
from rmeval.runs.requests import model_folder
from rmeval.store.lock import holder
from rmeval.store.manifest import find_runs, read_manifest
from rmeval.store.run import UNFINISHED
from rmeval.sweep.models_file import SweepModel

__all__ = ["SweepRun", "find_run", "is_complete", "state_of", "wait_for_locks"]


@dataclass(frozen=True, slots=True)
class SweepRun:
    """A model of a sweep on one benchmark.

    Attributes:
        model: The model.
        result: Its run; None if it has none.
        state: What a reader must know of it in a few words, such as `failed`.
        reason: Why it has none, in one sentence; empty if it has one, or nothing went wrong.
    """

    model: SweepModel
    result: Result | None = None
    state: str = ""
    reason: str = ""


def find_run(out: Path, benchmark: str, model: SweepModel) -> SweepRun:
    """Return the run of a model on a benchmark; of several, such as with other options, the last one that scored."""
    folders = _folders(out, benchmark, model)
    if not folders:
        return SweepRun(model, state="no run")
    try:
        result = open_run(max(folders, key=_begun))
    except RunError as error:
        return SweepRun(model, state="unreadable", reason=str(error))
    note = next((note for note in result.notes if note.startswith(UNFINISHED)), "")
    state = note.partition(" are scored")[0]
    others = f"the last of {count_of(len(folders), 'run')}" if len(folders) > 1 else ""
    return SweepRun(model, result, "; ".join(filter(None, (state, others))))


def state_of(out: Path, benchmarks: Sequence[str], model: SweepModel) -> str:
    """Return what a folder has of a model's runs, such as `rm-bench complete`, without opening them."""
    states = {benchmark: _status(out, benchmark, model) for benchmark in benchmarks}
    words = {"complete": "complete", "running": "begun"}
    return ", ".join(f"{benchmark} {words[state]}" for benchmark, state in states.items() if state) or "none"


def is_complete(out: Path, benchmarks: Sequence[str], model: SweepModel) -> bool:
    """Return whether a folder has a complete run of a model on each benchmark, as far as names tell."""
    return all(_status(out, benchmark, model) == "complete" for benchmark in benchmarks)


def wait_for_locks(out: Path, benchmarks: Sequence[str], model: SweepModel, seconds: float = 15.0) -> None:
    """Wait until no process holds the runs of a model, or the time is over.

    The process of a sweep that was killed ends by itself, after a moment.
    """
    places = [lock for one in benchmarks for lock in model_folder(out, one, model.folder_name).glob("*/lock")]
    end = time.monotonic() + seconds
    while any(holder(lock) for lock in places) and time.monotonic() < end:
        time.sleep(0.1)


def _status(out: Path, benchmark: str, model: SweepModel) -> str:
    """The status of a model's last run on a benchmark; empty if there is none that can be read."""
    try:
        folders = _folders(out, benchmark, model)
        return str(read_manifest(max(folders, key=_begun))["status"]) if folders else ""
    except RunError:
        return ""


def _folders(out: Path, benchmark: str, model: SweepModel) -> list[Path]:
    place = model_folder(out, benchmark, model.folder_name)
    return find_runs(place) if place.is_dir() else []


def _begun(folder: Path) -> str:
    """When the last process of a run began."""
    return max((one.get("begun", "") for one in read_manifest(folder)["sessions"]), default="")
