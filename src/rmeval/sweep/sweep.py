"""The loop of a sweep: one process for each model, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rmeval.errors import RmevalError
from rmeval.sweep.models_file import SweepModel
from rmeval.sweep.processes import ending_of, run_process
from rmeval.sweep.runs_there import is_complete, wait_for_locks

__all__ = ["MODEL_COMMAND", "Outcome", "Room", "sweep"]

MODEL_COMMAND = "sweep-model"
"""The command that runs one model of a sweep."""


class Room(Protocol):
    """What keeps the models' files within a limit."""

    def make(self, model: SweepModel, later: Sequence[SweepModel], weights: bool) -> None:
        """Make room for a model's files.

        Args:
            model: The model.
            later: The models that follow.
            weights: Whether its weights are needed, which they are not if its runs are complete.

        Raises:
            RmevalError: If they do not fit.
        """
        ...

    def used(self, model: SweepModel, later: Sequence[SweepModel]) -> None:
        """Remove files that are not needed any more, if the limit demands it."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one model.

    Attributes:
        model: The model.
        runs: The run folder of each benchmark that is done.
        failures: Why a benchmark has no run, in one sentence.
        new: Number of requests that this sweep has scored.
        seconds: How long it took.
    """

    model: SweepModel
    runs: Mapping[str, Path] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    new: int = 0
    seconds: float = 0.0

    @property
    def reason(self) -> str:
        """Why the model failed, in one sentence; empty if it did not."""
        different = dict.fromkeys(self.failures.values())
        if len(different) == 1 and not self.runs:
            return next(iter(different))
        return "; ".join(f"{benchmark}: {reason}" for benchmark, reason in self.failures.items())


def sweep(
    models: Sequence[SweepModel],
    benchmarks: Sequence[str],
    job: Mapping[str, Any],
    room: Room,
    begin: Callable[[int, SweepModel], None],
    end: Callable[[Outcome], None],
) -> list[Outcome]:
    """Run each model in a process of its own, and go on if one fails.

    Runs that are complete are not run again, and others continue: the run folders know what is done.

    Args:
        models: The models.
        benchmarks: Ids of the benchmarks, in their order.
        job: What each process gets besides its model.
        room: What keeps the models' files within a limit.
        begin: Called with the number and the model before each one.
        end: Called with what became of it.
    """
    outcomes = []
    for number, model in enumerate(models, 1):
        begin(number, model)
        outcome = _one(model, models[number:], benchmarks, job, room)
        outcomes.append(outcome)
        end(outcome)
    return outcomes


def _one(
    model: SweepModel,
    later: Sequence[SweepModel],
    benchmarks: Sequence[str],
    job: Mapping[str, Any],
    room: Room,
) -> Outcome:
    start, out = time.monotonic(), Path(str(job["out"]))
    try:
        room.make(model, later, weights=not is_complete(out, benchmarks, model))
    except RmevalError as error:
        return Outcome(model, {}, dict.fromkeys(benchmarks, str(error)))
    wait_for_locks(out, benchmarks, model)
    reports: list[Mapping[str, Any]] = []
    own = {"model": model.spec, "name": model.name, "options": dict(model.options)}
    code = run_process(MODEL_COMMAND, {**job, **own}, reports.append)
    room.used(model, later)
    return _outcome(model, benchmarks, reports, code, time.monotonic() - start)


def _outcome(
    model: SweepModel, benchmarks: Sequence[str], reports: Sequence[Mapping[str, Any]], code: int, seconds: float
) -> Outcome:
    """What the reports of a process and its exit code mean."""
    runs = {one["benchmark"]: Path(one["run"]) for one in reports if "run" in one}
    failed = {one["benchmark"]: str(one["failed"]) for one in reports if "failed" in one}
    of_model = failed.pop("", None) or ending_of(code)
    failures = {one: failed.get(one, of_model) for one in benchmarks if one not in runs}
    return Outcome(model, runs, failures, sum(one.get("new", 0) for one in reports), seconds)
