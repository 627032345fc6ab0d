"""Figures of best-of-N: quality against n, and quality and score against the distance from the writer."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rmeval.predict.curves import BestOfNCurves, Picker
from rmeval.report.best_of_n import picker_name
from rmeval.report.figures.style import COLOURS, Theme, bare, check, drawing, label, save

__all__ = ["draw_best_of_n"]

_LINES = {"random": (0, (1, 2)), "oracle": (0, (5, 2)), "majority": (0, (3, 1, 1, 1)), "weighted": (0, (2, 2))}


def draw_best_of_n(found: BestOfNCurves, path: Path, theme: Theme = "light") -> None:
    """Draw quality against n with intervals, and quality and standardised score of each model against sqrt(KL).

    Args:
        found: The curves.
        path: File to write; its suffix determines the format.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    models = [one for one in found.pickers if one.kind == "model"]
    with drawing(theme, 8.4, 4.0) as (figure, ink):
        grid: Any = figure.subplots(1, 2)
        tint = {one.name: COLOURS[k % len(COLOURS)] for k, one in enumerate(models)}
        scale = 100.0 if found.proportion else 1.0
        for axes in grid:
            bare(axes, ink)
        for one in found.pickers:
            colour = tint.get(one.name, ink.text) if one.kind in ("model", "weighted") else ink.faint
            _curve(grid[0], one, scale, colour)
        grid[0].set_xscale("log", base=2)
        grid[0].set_xticks(found.numbers, labels=[str(number) for number in found.numbers])
        grid[0].minorticks_off()
        unit = f"quality{' in %' if found.proportion else ''}"
        grid[0].set(xlabel="responses n", ylabel=unit)
        second = grid[1].twinx()
        bare(second, ink)
        for one in models:
            distance = [math.sqrt(point.kl) for point in one.points]
            grid[1].plot(distance, [scale * point.quality for point in one.points], color=tint[one.name], linewidth=1.5)
            second.plot(
                distance,
                [point.proxy for point in one.points],
                color=tint[one.name],
                linewidth=1,
                linestyle=(0, (4, 3)),
            )
        grid[1].set(xlabel="sqrt(KL) from the writer, upper bound", ylabel=f"{unit} (solid)")
        second.set_ylabel("score in standard deviations (dashed)")
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=7.5, ncols=3, loc="outside lower center")
        figure.suptitle(f"best of N, {found.n_prompts} prompts", fontsize=9.5)
        save(figure, path)


def _curve(axes: Any, one: Picker, scale: float, colour: str) -> None:
    numbers = [point.n for point in one.points]
    if one.kind == "model":
        ends = [point.ci or (math.nan, math.nan) for point in one.points]
        low, high = ([scale * end[side] for end in ends] for side in (0, 1))
        axes.fill_between(numbers, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(
        numbers,
        [scale * point.quality for point in one.points],
        color=colour,
        linewidth=1.5 if one.kind == "model" else 1,
        linestyle=_LINES.get(one.kind, "-"),
        marker="o" if one.kind == "model" else None,
        markersize=3,
        label=label(picker_name(one), 36),
    )
