"""Figure of a plan: power and detectable differences against the number of problems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.errors import RunError
from rmeval.report.figures.style import Ink, Theme, bare, check, drawing, label, save
from rmeval.results.goals import Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_plan"]


def draw_plan(found: Plan, path: Path, theme: Theme = "light") -> None:
    """Draw power, the smallest detectable difference and the width of an interval against the number of problems.

    Args:
        found: The plan.
        path: File to write; its suffix determines the format.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    points = [point.problems for point in found.curve]
    smallest = f"smallest difference in points, with a power of {100 * found.power:g}%"
    curves: dict[str, list[float]] = {
        smallest: [100 * point.detectable for point in found.curve],
        "width of the interval of an accuracy, in points": [100 * point.width for point in found.curve],
    }
    if found.difference is not None:
        power = [100 * point.power for point in found.curve]
        curves = {f"power in %, for {100 * found.difference:.3g} points": power, **curves}
    curves = {name: values for name, values in curves.items() if not all(map(math.isnan, values))}
    if not curves or len(points) < 2:
        raise RunError("the plan has no curve to draw: give a goal that some number of problems reaches")
    with drawing(theme, 3.6 * len(curves) + 0.4, 3.0) as (figure, ink):
        grid: Any = figure.subplots(1, len(curves), squeeze=False)
        for place, (name, values) in enumerate(curves.items()):
            _curve(grid[0, place], name, points, values, found, ink)
        figure.suptitle(label(f"{found.benchmark}: plan" if found.benchmark else "plan"), fontsize=10)
        save(figure, path)


def _curve(axes: Axes, name: str, points: Sequence[int], values: Sequence[float], found: Plan, ink: Ink) -> None:
    bare(axes, ink)
    axes.plot(points, values, color=ink.blue, marker="o", markersize=3.5, linewidth=1.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.set_ylim(0, 102 if name.startswith("power") else None)
    axes.set_title(name, fontsize=8)
    axes.set_xlabel("problems", fontsize=8)
    for goal in found.goals:
        if goal.problems is not None:
            axes.axvline(goal.problems, color=ink.orange, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    if name.startswith("power"):
        axes.axhline(100 * found.power, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
