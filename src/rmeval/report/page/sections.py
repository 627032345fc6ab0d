"""The sections of a report, from the views of its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rmeval.messages import count_of
from rmeval.report.across import across_view
from rmeval.report.analysis import analysis_view
from rmeval.report.best_of_n import best_of_n_view
from rmeval.report.comparison import comparison_view
from rmeval.report.page.contents import Figure, Section, Shown, slug
from rmeval.report.page.method import made_view, method_section, run_command
from rmeval.report.page.reported import ReportedBenchmark, ReportedRun
from rmeval.report.ranking import combined_views, runs_views
from rmeval.report.run import run_view
from rmeval.report.views import View
from rmeval.report.wrong import wrong_view
from rmeval.results.across import compare_across, have_models_in_common

__all__ = ["about_runs", "benchmark_keys", "report_sections"]


def benchmark_keys(benchmarks: Sequence[ReportedBenchmark]) -> list[str]:
    """Return a distinct name of letters, digits and hyphens for each benchmark."""
    found: list[str] = []
    for one in benchmarks:
        own = slug(one.name)
        number = sum(other == own or other.startswith(f"{own}-of-") for other in found)
        found.append(f"{own}-of-{number + 1}" if number else own)
    return found


def report_sections(
    benchmarks: Sequence[ReportedBenchmark], figures: Sequence[Sequence[Figure]], commands: Sequence[str]
) -> list[Section]:
    """Return the sections of a report.

    Args:
        benchmarks: The benchmarks with their runs.
        figures: The figures of each benchmark.
        commands: The command of the report itself.
    """
    keys = benchmark_keys(benchmarks)
    found = [_benchmark(one, key, own) for one, key, own in zip(benchmarks, keys, figures, strict=True)]
    return [*found, *_together(benchmarks), method_section(benchmarks, commands)]


def _together(benchmarks: Sequence[ReportedBenchmark]) -> Iterator[Section]:
    """Yield the section on several benchmarks, if there is something to state."""
    comparisons = [found for one in benchmarks for found in one.comparisons]
    views = [Shown("combined", view) for view in combined_views([run.result for one in benchmarks for run in one.runs])]
    if len(comparisons) > 1 and have_models_in_common(comparisons):
        views.insert(0, Shown("across", across_view(compare_across(comparisons))))
    if views:
        yield Section("All benchmarks", "all-benchmarks", views=tuple(views), folder="report")


def _benchmark(one: ReportedBenchmark, key: str, figures: Sequence[Figure]) -> Section:
    views = [Shown("runs", view) for view in runs_views([run.result for run in one.runs])]
    if one.curves is not None:
        views.append(Shown("curves", best_of_n_view(one.curves)))
    notes = tuple(f"{note}." for note in one.notes)
    parts = []
    if one.comparisons:
        shown = tuple(Shown("comparison", comparison_view(found)) for found in one.comparisons)
        parts.append(Section("Comparison of models", f"{key}-comparison", views=shown, folder=key))
    parts += [_run(run, f"{key}-run-{place}", key) for place, run in enumerate(one.runs, 1)]
    return Section(
        one.name, key, text=notes, figures=tuple(figures), views=tuple(views), parts=tuple(parts), folder=key
    )


def _run(run: ReportedRun, key: str, folder: str) -> Section:
    views = [Shown("run", run_view(run.result))]
    if run.analysis is not None:
        analysis = analysis_view(run.analysis)
        # The view of the run has these notes.
        views.append(Shown("analysis", replace(analysis, notes=_other(analysis, views[0].view), source=None)))
    if run.wrong is not None:
        views.append(Shown("wrong", replace(wrong_view(run.wrong), source=None)))
    views.append(Shown("made", made_view(run)))
    command = run_command(run.result)
    return Section(
        run.name,
        key,
        text=tuple(f"{note}." for note in run.notes),
        commands=(command,) if command else (),
        views=tuple(Shown(kind, _named(view, run.name)) for kind, view in views),
        folded=True,
        folder=folder,
    )


def _other(view: View, first: View) -> tuple[str, ...]:
    return tuple(note for note in view.notes if note not in first.notes)


def _named(view: View, name: str) -> View:
    """Return a view with the name that its model has in this report, where several runs are of one model."""
    return replace(view, model=name) if view.model else view


def about_runs(benchmarks: Sequence[ReportedBenchmark], version: str) -> str:
    """Return a sentence on what the report is made of."""
    runs: Mapping[str, int] = {one.name: len(one.runs) for one in benchmarks}
    parts = ", ".join(f"{count_of(count, 'run')} of {name}" for name, count in runs.items())
    return f"{parts}; made with rmeval {version}"
