"""Figures with a panel for each of several models: reliability diagrams, and distributions of scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.report.figures.style import Ink, bare, check, drawing, label, save
from rmeval.results.analyze import Analysis
from rmeval.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_PANELS", "draw_distributions", "draw_reliability"]

MOST_PANELS = 12
"""Maximum number of models that are drawn."""
_COLUMNS = 4


def draw_reliability(models: Mapping[str, Analysis], title: str, *paths: Path) -> None:
    """Draw the share of right decisions against confidence for each model that has a calibration.

    Args:
        models: The analyses by name; the first `MOST_PANELS` are drawn.
        title: Title of the figure.
        paths: Files to write; their suffixes determine the formats.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    there = [(name, one.calibration) for name, one in models.items() if one.calibration is not None]

    def panel(axes: Axes, place: int, ink: Ink) -> None:
        own = there[place][1]
        axes.plot([0.5, 1], [0.5, 1], color=ink.faint, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.vlines(own.confidence, own.confidence, own.accuracy, color=ink.orange, linewidth=1)
        axes.plot(own.confidence, own.accuracy, marker="o", color=ink.blue, linewidth=1, markersize=3)
        axes.set(xlim=(0.48, 1.02), ylim=(-0.02, 1.02))
        axes.set_xticks([0.5, 0.75, 1], ["50", "75", "100"], fontsize=7)
        axes.set_yticks([0, 0.5, 1], ["0", "50", "100"], fontsize=7)

    _draw_panels([name for name, _ in there], panel, title, ("confidence in %", "right decisions in %"), paths)


def draw_distributions(models: Mapping[str, Analysis], title: str, *paths: Path) -> None:
    """Draw the distributions of the scores of better and worse responses, over all subsets, for each model with scores.

    Args:
        models: The analyses by name; the first `MOST_PANELS` are drawn.
        title: Title of the figure.
        paths: Files to write; their suffixes determine the formats.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    there = [
        (name, np.concatenate([own.better for own in one.scores]), np.concatenate([own.worse for own in one.scores]))
        for name, one in models.items()
        if one.scores
    ]

    def panel(axes: Axes, place: int, ink: Ink) -> None:
        _histograms(axes, there[place][1], there[place][2], ink)

    _draw_panels([name for name, _, _ in there], panel, title, ("score", ""), paths, legend=True)


def _histograms(axes: Axes, better: FloatArray, worse: FloatArray, ink: Ink) -> None:
    low, high = np.quantile(np.concatenate([better, worse]), [0.005, 0.995]).tolist()
    edges = np.linspace(low - (low == high) / 2, high + (low == high) / 2, 31)
    for values, colour, side in ((better, ink.blue, "better responses"), (worse, ink.orange, "worse responses")):
        if len(values):
            heights = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
            axes.stairs(heights, edges, color=colour, linewidth=1.2, label=side)
            axes.stairs(heights, edges, color=colour, alpha=0.2, fill=True)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", labelsize=7)


def _draw_panels(
    names: Sequence[str],
    panel: Callable[[Axes, int, Ink], None],
    title: str,
    axis_labels: tuple[str, str],
    paths: Sequence[Path],
    legend: bool = False,
) -> None:
    for path in paths:
        check(path, "light")
    shown = min(len(names), MOST_PANELS)
    columns = min(_COLUMNS, shown)
    rows = -(-shown // columns)
    with drawing("light", 2.1 * columns + 0.4, 1.75 * rows + 0.8) as (figure, ink):
        grid: Any = figure.subplots(rows, columns, squeeze=False).flat
        for place, axes in enumerate(grid):
            if place >= shown:
                axes.set_visible(False)
                continue
            bare(axes, ink)
            panel(axes, place, ink)
            axes.set_title(label(names[place], 26), fontsize=8)
        figure.supxlabel(axis_labels[0], fontsize=8)
        if axis_labels[1]:
            figure.supylabel(axis_labels[1], fontsize=8)
        if legend:
            figure.legend(*grid[0].get_legend_handles_labels(), fontsize=7.5, ncols=2, loc="outside upper right")
        more = f"; the first {shown} of {len(names)} models" if len(names) > shown else ""
        figure.suptitle(f"{title}{more}", fontsize=10, x=0.01, ha="left")
        save(figure, *paths)
