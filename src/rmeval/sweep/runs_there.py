"""The runs of a sweep's models that a folder of runs has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rmeval.errors import RunError
from rmeval.messages import count_of
from rmeval.results.result import Result, open_run
from rmeval.runs.requests import model_folder
from rmeval.store.manifest import find_runs, read_manifest
from rmeval.store.run import UNFINISHED
from rmeval.sweep.models_file import SweepModel

__all__ = ["SweepRun", "find_run", "state_of"]


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
    state = next((note for note in result.notes if note.startswith(UNFINISHED)), "")
    others = f"the last of {count_of(len(folders), 'run')}" if len(folders) > 1 else ""
    return SweepRun(model, result, "; ".join(filter(None, (state, others))))


def state_of(out: Path, benchmarks: Sequence[str], model: SweepModel) -> str:
    """Return what a folder has of a model's runs, such as `rm-bench complete`, without opening them."""
    found = []
    for benchmark in benchmarks:
        if folders := _folders(out, benchmark, model):
            done = read_manifest(max(folders, key=_begun))["status"] == "complete"
            found.append(f"{benchmark} {'complete' if done else 'begun'}")
    return ", ".join(found) or "none"


def _folders(out: Path, benchmark: str, model: SweepModel) -> list[Path]:
    place = model_folder(out, benchmark, model.folder_name)
    return find_runs(place) if place.is_dir() else []


def _begun(folder: Path) -> str:
    """When the last process of a run began."""
    return max((one.get("begun", "") for one in read_manifest(folder)["sessions"]), default="")
