"""The figures of a benchmark's runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from rmeval.metrics.composition import Measure, headline, parts
from rmeval.metrics.scoring.style_substance import LEVELS, PARTS
from rmeval.metrics.targets import best
from rmeval.report.figures.best_of_n import draw_best_of_n
from rmeval.report.figures.forest import MOST_NUMBERS, draw_forest
from rmeval.report.figures.heat import draw_heat
from rmeval.report.figures.matrix import matrix_scopes
from rmeval.report.figures.panels import draw_distributions, draw_reliability
from rmeval.report.figures.planes import draw_planes
from rmeval.report.figures.style import label
from rmeval.report.page.contents import Figure, slug
from rmeval.report.page.reported import ReportedBenchmark
from rmeval.report.run import measure_name
from rmeval.types import Record

__all__ = ["ENDINGS", "draw_benchmark"]

ENDINGS = ("svg", "png")
_SHARES = ("overall", "accuracy", "average", "section", "language", "category", "composite", *LEVELS)
"""Metrics that are shares, for which larger is better."""
_ROWS = "points: the value with its 95% interval; diamonds: null baselines on the same items; dashed: one half"
_PLANES = {
    "refusals": "Over-refusing against under-refusing, with 95% intervals; the best model is at the bottom left.",
    "verbosity": "Correctness against verbosity, after the analysis of style bias in arXiv:2410.16184. Verbosity: how "
    "often the model prefers the longer or more formatted one of two equally good responses (50%: style has no "
    "influence). Correctness: accuracy between a better and a worse response of the same style. The best model is at "
    "the top middle. Points have 95% intervals.",
}


def draw_benchmark(one: ReportedBenchmark, folder: Path, prefix: str) -> Iterator[Figure]:
    """Draw the figures that a benchmark's runs have numbers for, as SVG and PNG.

    Args:
        one: The benchmark.
        folder: Folder of the figures.
        prefix: Beginning of their names.

    Raises:
        RmevalError: If one cannot be drawn or written.
    """
    models = one.models
    if not models:
        return
    name = label(one.name)

    def paths(kind: str) -> list[Path]:
        return [folder / f"{prefix}-{kind}.{ending}" for ending in ENDINGS]

    for kind, title, numbers in _forests(models):
        draw_forest(models, numbers, f"{name}: {title} in %", *paths(kind))
        yield Figure(f"{prefix}-{kind}", f"{title.capitalize()}; {_ROWS}.", wide=True)
    if any(matrix_scopes(records) for records in models.values()):
        draw_heat(models, f"{name}: accuracy by styles of the two responses, in %", *paths("styles"))
        yield Figure(
            f"{prefix}-styles",
            "Style-substance matrices: rows are the style of the better response, columns that of the worse one. Blue: "
            "above one half, orange: below. Cells below the diagonal are Easy, the diagonal is Normal, and cells above "
            "it are Hard.",
            wide=True,
        )
    for ending in ENDINGS:
        for path in draw_planes(models, one.name, folder, "light", ending):
            target = path.with_name(f"{prefix}-{path.name}")
            path.replace(target)
            if ending == ENDINGS[0]:
                yield Figure(target.stem, _PLANES[path.stem])
    yield from _panels(one, paths, prefix)


def _panels(one: ReportedBenchmark, paths: Callable[[str], list[Path]], prefix: str) -> Iterator[Figure]:
    analyses = {run.name: run.analysis for run in one.runs if run.analysis is not None}
    name = label(one.name)
    if any(own.scores for own in analyses.values()):
        draw_distributions(analyses, f"{name}: scores", *paths("scores"))
        yield Figure(
            f"{prefix}-scores",
            "Distributions of the scores of better and of worse responses, over all items; scores beyond the 0.5% and "
            "99.5% quantiles are in the outermost bins.",
        )
    if any(own.calibration is not None for own in analyses.values()):
        draw_reliability(analyses, f"{name}: calibration", *paths("calibration"))
        yield Figure(
            f"{prefix}-calibration",
            "Share of right decisions against confidence, in bins of equal size; a calibrated model lies on the dashed "
            "line. What confidence is stands in the table of each model.",
        )
    if one.curves is not None:
        for path in paths("curves"):
            draw_best_of_n(one.curves, path)
        yield Figure(f"{prefix}-curves", "Quality of the response that each model picks among n responses.")


def _forests(models: Mapping[str, Mapping[Measure, Record]]) -> Iterator[tuple[str, str, dict[str, Measure]]]:
    """Yield the figures of numbers: name, title, and the numbers by their titles."""
    measures = list(dict.fromkeys(measure for records in models.values() for measure in records if _is_share(measure)))
    top = headline(measures)
    main = {} if top is None else {_title(top): top}
    scopes = [scope for metric, scope in measures if metric == LEVELS[2]]
    if "all" in scopes:
        main |= _levels(measures, "all")
    if main:
        yield "numbers", "headline and levels" if len(main) > 1 else "headline", main
    if "all" not in scopes:
        yield from (
            (f"levels-{slug(scope)}", f"levels of {label(scope)}", _levels(measures, scope))
            for scope in scopes
            if scope not in PARTS
        )
    others = (one for one in parts(measures) if one not in main.values())
    rest = {_title(one): one for one in others if one[1] != "all" and one[1] not in PARTS}
    if rest and len(rest) <= 2 * MOST_NUMBERS:
        named = list(rest.items())
        for place in range(0, len(named), MOST_NUMBERS):
            number = f"-{place // MOST_NUMBERS + 1}" if len(named) > MOST_NUMBERS else ""
            yield f"parts{number}", "parts of the benchmark", dict(named[place : place + MOST_NUMBERS])


def _levels(measures: Sequence[Measure], scope: str) -> dict[str, Measure]:
    return {level.capitalize(): (level, scope) for level in LEVELS if (level, scope) in measures}


def _is_share(measure: Measure) -> bool:
    return (measure[0] in _SHARES or measure[0].startswith("best")) and best(measure[0]) > 0


def _title(measure: Measure) -> str:
    metric, scope = measure
    return scope if metric == "average" and scope != "all" else measure_name(measure)
