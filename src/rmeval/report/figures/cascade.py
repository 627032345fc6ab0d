"""Figure of a cascade: accuracy against the share escalated, and against the cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.report.figures.style import Ink, Theme, bare, check, drawing, label, save
from rmeval.results.cascade import Cascade, CascadePoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_cascade"]


def draw_cascade(found: Cascade, path: Path, theme: Theme = "light") -> None:
    """Draw accuracy with its interval, random escalation, both judges alone, and the chosen threshold.

    Args:
        found: The cascade.
        path: File to write; its suffix determines the format.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    priced = not math.isnan(found.cheap.cost + found.expensive.cost)
    width = 7.6 if priced else 4.4
    with drawing(theme, width, 3.7) as (figure, ink):
        grid: Any = figure.subplots(1, 2 if priced else 1, squeeze=False, sharey=True)
        _panel(grid[0, 0], found, lambda point: 100 * point.escalated, ink)
        grid[0, 0].set_xlabel("escalated to the expensive judge, in %")
        grid[0, 0].set_ylabel(f"{' '.join(found.measure).removesuffix(' all').replace('_', ' ')} in %")
        if priced:
            _panel(grid[0, 1], found, lambda point: 1000 * point.cost, ink)
            grid[0, 1].set_xlabel("dollars for 1,000 items")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=7.5, ncols=2, loc="outside lower center")
        names = f"{label(found.cheap.name, 28)}, then {label(found.expensive.name, 28)}"
        figure.suptitle(f"{names} on {label(found.benchmark)}", fontsize=9.5)
        save(figure, path)


def _panel(axes: Axes, found: Cascade, place: Callable[[CascadePoint], float], ink: Ink) -> None:
    bare(axes, ink)
    x = np.array([place(point) for point in found.points])
    y = 100 * np.array([point.accuracy for point in found.points])
    ends = 100 * np.array([point.ci or (math.nan, math.nan) for point in found.points])
    axes.fill_between(x, ends[:, 0], ends[:, 1], color=ink.blue, alpha=0.15, linewidth=0)
    axes.plot(x, y, color=ink.blue, linewidth=1.5, marker="o", markersize=3, label="cascade, with 95% interval")
    random = [100 * point.random for point in found.points]
    axes.plot(x, random, color=ink.faint, linewidth=1, linestyle=(0, (4, 3)), label="random escalation")
    own = found.cross_validated
    low, high = own.ci or (own.accuracy, own.accuracy)
    axes.vlines(place(own), 100 * low, 100 * high, color=ink.orange, linewidth=1.5)
    axes.plot(place(own), 100 * own.accuracy, "D", color=ink.orange, markersize=5, label="chosen, cross-validated")
    axes.axhline(100 * found.expensive.accuracy, color=ink.text, linewidth=0.7, linestyle=":", label="expensive alone")
