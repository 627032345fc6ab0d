"""The process of one model of a sweep: a job comes in on standard input, reports go out on standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from rmeval.cli import options as o
from rmeval.cli.failures import sentence_of

if TYPE_CHECKING:
    from rmeval.models import RewardModel
    from rmeval.runs.plan import Plan

__all__ = ["sweep_model_command"]


def sweep_model_command() -> None:
    """Run the model that `rmeval sweep` names on standard input."""
    from rmeval.cli.logs import show_warnings
    from rmeval.sweep.processes import end_with_parent

    job = json.loads(sys.stdin.buffer.readline())
    end_with_parent()
    reports = _own_output()
    show_warnings()
    with _Reporting(reports, ""):
        _run(job, reports)


def _own_output() -> TextIO:
    """Standard output for the reports alone: whatever else is printed goes to standard error."""
    reports = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return reports


def _report(reports: TextIO, **fields: Any) -> None:
    reports.write(json.dumps(fields) + "\n")
    reports.flush()


class _Reporting:
    """Reports an error of a benchmark, or of the model as a whole.

    An error that a user can resolve ends here; any other one goes on, so that its traceback is printed.
    """

    def __init__(self, reports: TextIO, benchmark: str) -> None:
        self._reports, self._benchmark = reports, benchmark

    def __enter__(self) -> _Reporting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Report the error, if there is one; return whether it is dealt with."""
        from rmeval.plugins import one_line

        if not isinstance(error, Exception):
            return False
        sentence = sentence_of(error)
        _report(self._reports, benchmark=self._benchmark, failed=sentence or one_line(error))
        return sentence is not None


def _run(job: Mapping[str, Any], reports: TextIO) -> None:
    """Load the model, and run it on each benchmark."""
    import gc

    from rmeval.models import load_model
    from rmeval.runs.plan import plan

    wanted = o.Wanted(dict(job["wanted"]))
    planned = [plan(one, wanted.selection()) for one in wanted.load(job["benchmarks"], job["data"])]
    options: dict[str, Any] = {
        name: tuple(own) if isinstance(own, list) else own for name, own in job["options"].items()
    }
    loaded = load_model(job["model"], name=job["name"], **options)
    gc.freeze()
    for one in planned:
        with _Reporting(reports, one.benchmark.card.id):
            _run_one(loaded, one, job, reports)


class _Counted:
    """A progress that also counts the requests of this process."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._first: int | None = None
        self._last = 0
        self.failed, self.spent = progress.failed, progress.spent

    def __call__(self, done: int, total: int) -> None:
        self._first = done if self._first is None else self._first
        self._last = done
        self._progress(done, total)

    @property
    def new(self) -> int:
        """Number of requests since the beginning."""
        return self._last - (self._first or 0)


def _run_one(loaded: RewardModel, planned: Plan, job: Mapping[str, Any], reports: TextIO) -> None:
    from rmeval.cli.progress import progress_bar
    from rmeval.runs.runner import run

    benchmark = planned.benchmark.card.id
    with progress_bar(f"{benchmark}  {loaded.name}") as progress:
        counted = _Counted(progress)
        result = run(
            loaded,
            planned,
            Path(job["out"]),
            store_text=job["store_text"],
            break_lock=job["break_lock"],
            progress=counted,
        )
    _report(reports, benchmark=benchmark, run=str(result.path), new=counted.new)
