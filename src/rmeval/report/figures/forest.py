"""Figure of several numbers of several models with intervals, and of the null baselines below them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.metrics.composition import Measure
from rmeval.report.figures.style import Ink, bare, check, drawing, label, save
from rmeval.types import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_NUMBERS", "draw_forest"]

MOST_NUMBERS = 6
"""Maximum number of columns."""


def draw_forest(
    models: Mapping[str, Mapping[Measure, Record]],
    numbers: Mapping[str, Measure],
    title: str,
    *paths: Path,
) -> None:
    """Draw a row for each model and each null baseline, and a column for each number, with its interval.

    Args:
        models: Numbers of each model by name, in the order of the rows.
        numbers: Up to `MOST_NUMBERS` numbers by their titles, each a share.
        title: Title of the figure.
        paths: Files to write; their suffixes determine the formats.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    for path in paths:
        check(path, "light")
    first = next(iter(models.values()))
    names = dict.fromkeys(name for one in numbers.values() if one in first for name in first[one].null)
    nulls = [name for name in names if any(_null(first, one, name) is not None for one in numbers.values())]
    rows = [*models, *nulls]
    with drawing("light", 1.9 + 1.75 * len(numbers), 0.27 * len(rows) + 1.0) as (figure, ink):
        grid: Any = figure.subplots(1, len(numbers), sharey=True, squeeze=False)[0]
        for axes, (name, measure) in zip(grid, numbers.items(), strict=True):
            bare(axes, ink)
            _column(axes, [own.get(measure) for own in models.values()], ink)
            for place, null in enumerate(nulls, len(models)):
                if (value := _null(first, measure, null)) is not None:
                    axes.plot([value], [place], "D", color=ink.faint, markersize=4, markerfacecolor="none")
            axes.set_title(label(name, 26), fontsize=8.5)
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_xlim(-0.03, 1.03)
            axes.set_xticks([0, 0.5, 1], ["0", "50", "100"], fontsize=7.5)
        shown = [*(label(name, 34) for name in models), *(f"null baseline {name}" for name in nulls)]
        grid[0].set_yticks(range(len(rows)), shown, fontsize=8)
        figure.suptitle(title, fontsize=10)
        save(figure, *paths)


def _column(axes: Axes, records: Sequence[Record | None], ink: Ink) -> None:
    axes.axvline(0.5, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
    for place, record in enumerate(records):
        if record is None or math.isnan(record.value):
            continue
        low, high = record.ci or (record.value, record.value)
        axes.plot([low, high], [place, place], color=ink.blue, linewidth=2, solid_capstyle="butt")
        axes.plot([record.value], [place], marker="o", color=ink.blue, markersize=4.5)


def _null(records: Mapping[Measure, Record], measure: Measure, name: str) -> float | None:
    """The value of a null baseline; None if there is none."""
    value = records[measure].null.get(name, math.nan) if measure in records else math.nan
    return None if math.isnan(value) else value
