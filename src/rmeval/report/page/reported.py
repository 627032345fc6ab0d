"""The runs of a report with everything that is computed of them, by benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from rmeval.errors import RmevalError, RunError
from rmeval.metrics.composition import Measure
from rmeval.predict.curves import BestOfNCurves
from rmeval.results.align import find_by_benchmark, run_names
from rmeval.results.analyze import Analysis, Analyzer
from rmeval.results.compare import ModelComparison, compare_runs
from rmeval.results.examples import WrongExamples
from rmeval.results.places import Place, places_of
from rmeval.results.result import Result, open_run
from rmeval.results.wrong import wrong_examples_of
from rmeval.types import Record

__all__ = ["Reading", "ReportedBenchmark", "ReportedRun", "read_reported"]

_PICKED: Measure = ("best_picked", "all")
"""A number of benchmarks whose items have no comparisons, and whose results are curves over n."""


class Reading(TypedDict, total=False):
    """How runs are read: parameters of `Analyzer`, `compare_runs` and others."""

    rule: str | None
    variant: str | None
    benchmark: str | None
    protocol: str | None


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """A run of a report.

    Attributes:
        name: The model's name, with the beginning of the run's identity if several runs have it.
        result: The run's numbers.
        analysis: Its analysis; None if it has no numbers.
        wrong: Misjudged comparisons with their texts; None if they are not wanted or not available.
        notes: What is missing, one sentence each.
    """

    name: str
    result: Result
    analysis: Analysis | None
    wrong: WrongExamples | None
    notes: tuple[str, ...] = ()

    @property
    def records(self) -> dict[Measure, Record]:
        """The numbers of the benchmark and of the analysis, of the score that the report uses."""
        if self.analysis is None:
            return {}
        return {(one.metric, one.scope): one for one in (*self.analysis.official, *self.analysis.records)}


@dataclass(frozen=True, slots=True)
class ReportedBenchmark:
    """The runs of one benchmark on the same data.

    Attributes:
        name: The benchmark's id; with a number if the report has several groups of runs of it.
        runs: The runs, the best first.
        comparisons: Comparisons of the runs; none if there is one run, or if they cannot be compared.
        curves: Quality against n, for candidates of best-of-N.
        notes: What is missing, one sentence each.
    """

    name: str
    runs: tuple[ReportedRun, ...]
    comparisons: tuple[ModelComparison, ...]
    curves: BestOfNCurves | None
    notes: tuple[str, ...]

    @property
    def models(self) -> Mapping[str, Mapping[Measure, Record]]:
        """The numbers of each model that has any, by name."""
        return {one.name: records for one in self.runs if (records := one.records)}


def read_reported(
    runs: Place | Iterable[Place], reading: Reading, examples: int
) -> tuple[list[ReportedBenchmark], list[str]]:
    """Read runs and compute everything that a report shows of them, without a model.

    Args:
        runs: Run folders, folders with runs in them, or results.
        reading: How they are read.
        examples: Number of misjudged comparisons of each run; 0 for none.

    Returns:
        The benchmarks, and a note on each run that is left out.

    Raises:
        RunError: If there is no run, or one that is given by its own path cannot be read.
    """
    found = find_by_benchmark(places_of(runs), least=1)
    notes = list(found.notes)
    benchmarks: list[ReportedBenchmark] = []
    for name, folders in found.folders.items():
        results = []
        for folder in folders:
            try:
                results.append(open_run(folder, reading.get("rule"), reading.get("benchmark"), reading.get("protocol")))
            except RmevalError as error:
                if folder in found.named:
                    raise
                notes.append(f"a run is excluded: {error}")
        if results:
            benchmarks.append(_reported(name, results, reading, examples))
    if not benchmarks:
        raise RunError(notes[0].removeprefix("a run is excluded: "))
    every = [run for one in benchmarks for run in one.runs]
    if reading.get("variant") and not any(run.analysis for run in every):
        raise RunError(every[0].notes[0])
    return benchmarks, notes


def _reported(name: str, results: Sequence[Result], reading: Reading, examples: int) -> ReportedBenchmark:
    names = run_names([(str(one.manifest["model"]["name"]), one.path) for one in results])
    analyzer = Analyzer(**reading)
    runs = [_run(own, result, analyzer, reading, examples) for own, result in zip(names, results, strict=True)]
    scored = [one.result.path for one in runs if one.analysis is not None]
    notes: list[str] = []
    comparisons = _compared(scored, reading, notes) if len(scored) > 1 else ()
    curves = None
    if any(_PICKED in one.records for one in runs):
        # Reads many formats of files, which take long to import.
        from rmeval.importers.best_of_n import bon

        try:
            curves = bon(scored, **reading)
        except RmevalError as error:
            notes.append(f"no curve of best-of-N: {error}")
    place = {entry.path: rank for one in comparisons for rank, entry in enumerate(one.entries)}
    runs.sort(key=lambda one: place.get(one.result.path, len(place)))
    return ReportedBenchmark(name, tuple(runs), comparisons, curves, tuple(notes))


def _compared(folders: Sequence[Path], reading: Reading, notes: list[str]) -> tuple[ModelComparison, ...]:
    try:
        return tuple(compare_runs(folders, details=False, **reading))
    except RmevalError as error:
        notes.append(f"the models are not compared: {error}")
        return ()


def _run(name: str, result: Result, analyzer: Analyzer, reading: Reading, examples: int) -> ReportedRun:
    if not result.records:
        return ReportedRun(name, result, None, None, (f"{name} has no numbers",))
    try:
        run = analyzer.read(result)
        analysis = analyzer.analyze(run)
    except RmevalError as error:
        return ReportedRun(name, result, None, None, (f"no analysis of {name}: {error}",))
    notes = list(_own_notes(name, result))
    wrong = None
    if examples:
        try:
            wrong = wrong_examples_of(run, n=examples, variant=reading.get("variant"))
        except RmevalError as error:
            notes.append(f"no wrong examples of {name}: {error}")
    return ReportedRun(name, result, analysis, wrong, tuple(notes))


def _own_notes(name: str, result: Result) -> Iterator[str]:
    if result.manifest["status"] != "complete":
        yield f"{name} is unfinished: its numbers are of the items that it has scored"
    if not result.publishable:
        yield f"{name}: not publishable, because too many outputs have no verdict"
