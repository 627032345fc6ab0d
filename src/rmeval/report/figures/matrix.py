"""Figures of a run, drawn with matplotlib (extra `plots`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.errors import RunError
from rmeval.metrics.composition import Measure
from rmeval.metrics.scoring.style_substance import COMPARISONS, LEVELS, PARTS, level_of
from rmeval.report.cells import percent
from rmeval.report.figures.style import BLUE, ORANGE, Theme, check, drawing, label, save
from rmeval.results.result import Result
from rmeval.types import STYLES, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_matrix", "matrix_scopes"]


def draw_matrix(result: Result, path: str | Path, theme: Theme = "light") -> None:
    """Draw the style-substance matrix of each domain, and its Easy, Normal and Hard accuracy with intervals.

    Colours range from orange (0%) over the background colour (50%, chance) to blue (100%), which are safe for
    colour-blind readers; each cell contains its number.

    Args:
        result: A run on a benchmark with such a matrix.
        path: File to write; its suffix determines the format, one of `FORMATS`.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If the run has no matrix, or the format is unknown, or the file cannot be written.
    """
    path = Path(path)
    check(path, theme)
    records: dict[tuple[str, str], Record] = {}
    for record in result.records:
        records.setdefault((record.metric, record.scope), record)  # Keep the first of the model's scores.
    scopes = matrix_scopes(records)
    if not scopes:
        raise RunError(
            f"{result.path} has no style-substance matrix: choose a run of a benchmark with responses in three styles"
        )
    with drawing(theme, 2.35 * len(scopes) + 0.9, 4.1) as (figure, ink):
        from matplotlib.colors import LinearSegmentedColormap

        middle = "#f4f4f2" if theme == "light" else "#22272e"
        shades = LinearSegmentedColormap.from_list("rmeval", [ORANGE, middle, BLUE])
        grid = figure.subplots(2, len(scopes), squeeze=False, height_ratios=(3, 1.5))
        for column, scope in enumerate(scopes):
            _draw_cells(grid[0, column], records, scope, shades, first=column == 0, theme=theme)
            _draw_levels(grid[1, column], records, scope, ink.faint, first=column == 0)
        model, benchmark = result.manifest["model"]["name"], result.manifest["benchmark"]["id"]
        variants = {record.variant: None for record in result.records}
        by = f" by {label(next(iter(variants)))}" if len(variants) > 1 else ""
        figure.suptitle(f"{label(model)} on {label(benchmark)}{by}: accuracy in %", fontsize=11)
        save(figure, path)


def matrix_scopes(records: Mapping[Measure, Record]) -> list[str]:
    """Return the domains with all nine cells, and `all` if it is among them."""
    needed = [*LEVELS[:3], *(f"cell:{comparison.tag}" for comparison in COMPARISONS)]
    scopes = [scope for metric, scope in records if metric == "easy" and scope not in PARTS]
    return [scope for scope in scopes if all((metric, scope) in records for metric in needed)]


def _draw_cells(
    axes: Axes, records: Mapping[tuple[str, str], Record], scope: str, shades: Any, first: bool, theme: Theme
) -> None:
    values = [[records[f"cell:{row}/{column}", scope].value for column in STYLES] for row in STYLES]
    axes.imshow(values, cmap=shades, vmin=0, vmax=1, aspect="equal")
    for r, row in enumerate(values):
        for c, value in enumerate(row):
            strong = abs(value - 0.5) > 0.34 or theme == "dark"
            level = level_of(f"{STYLES[r]}/{STYLES[c]}")
            colour = "#ffffff" if strong else "#1f2328"
            axes.text(c, r - 0.08, percent(value), ha="center", va="center", color=colour, fontsize=10)
            axes.text(c, r + 0.28, level, ha="center", va="center", color=colour, fontsize=6)
    names = [style.replace("_", "\n") for style in STYLES]
    axes.set_xticks(range(3), names, fontsize=7)
    axes.set_yticks(range(3), names if first else [""] * 3, fontsize=7)
    axes.set_xlabel("style of the worse response", fontsize=7)
    if first:
        axes.set_ylabel("style of the better response", fontsize=7)
    axes.set_title("all domains" if scope == "all" else label(scope), fontsize=10)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_levels(axes: Axes, records: Mapping[tuple[str, str], Record], scope: str, faint: str, first: bool) -> None:
    shown: Sequence[str] = LEVELS[:3]
    for place, level in enumerate(shown):
        record = records[level, scope]
        low, high = record.ci or (record.value, record.value)
        colour = {"easy": BLUE, "normal": faint, "hard": ORANGE}[level]
        axes.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="butt", clip_on=False)
        axes.plot([record.value], [place], marker="o", markersize=5, color=colour, clip_on=False)
        axes.text(1.04, place, percent(record.value), va="center", fontsize=8)
    axes.axvline(0.5, color=faint, linewidth=0.6, linestyle=(0, (4, 3)))
    axes.set_xlim(0, 1)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_yticks(range(len(shown)), [level.capitalize() for level in shown] if first else [""] * 3, fontsize=8)
    axes.set_xticks([0, 0.5, 1], ["0", "50", "100"], fontsize=7)
    axes.set_facecolor("none")
    axes.tick_params(length=2, color=faint)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(faint)
