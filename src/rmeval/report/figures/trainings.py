"""Figure of methods of training: Easy, Normal and Hard of each method and domain, with every training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.errors import RunError
from rmeval.predict.trainings import TrainingsComparison, whole_domains
from rmeval.report.figures.style import COLOURS, Ink, Theme, bare, check, drawing, label, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_trainings"]

_LEVELS = ("easy", "normal", "hard")


def draw_trainings(found: TrainingsComparison, path: Path, theme: Theme = "light") -> None:
    """Draw each method's numbers with their intervals, and a small dot for each training.

    Args:
        found: The comparison; of a benchmark with Easy, Normal and Hard these are drawn, else its accuracies.
        path: File to write; its suffix determines the format.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    metrics = [one for one in _LEVELS if any(metric == one for metric, _ in found.measures)] or ["accuracy"]
    scopes = whole_domains(scope for metric, scope in found.measures if metric == metrics[0])
    if not scopes:
        raise RunError(f"{found.benchmark} has neither Easy, Normal and Hard nor accuracies here: read the table")
    with drawing(theme, 1.0 + 1.75 * max(2, len(scopes)), 3.6) as (figure, ink):
        grid: Any = figure.subplots(1, len(scopes), sharey=True, squeeze=False)
        for axes, scope in zip(grid[0], scopes, strict=True):
            _panel(axes, found, scope, metrics, ink)
        grid[0, 0].set_ylabel("accuracy in %")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=7.5, ncols=2, loc="outside lower center")
        figure.suptitle(f"{label(found.benchmark)}: means with 95% intervals; dots are trainings", fontsize=9.5)
        save(figure, path)


def _panel(axes: Axes, found: TrainingsComparison, scope: str, metrics: list[str], ink: Ink) -> None:
    bare(axes, ink)
    axes.axhline(50, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
    width = 0.72 / len(found.methods)
    for place, name in enumerate(found.methods):
        colour = COLOURS[place % len(COLOURS)]
        for column, metric in enumerate(metrics):
            one = found.number(name, metric, scope)
            x = column + (place - (len(found.methods) - 1) / 2) * width
            low, high = one.mean.ci or (one.mean.value, one.mean.value)
            axes.vlines(x, 100 * low, 100 * high, color=colour, linewidth=1.6)
            shown = label(name, 40) if not column else None
            axes.plot(x, 100 * one.mean.value, "o", color=colour, markersize=4.5, label=shown)
            if len(one.each) > 1:
                axes.plot([x] * len(one.each), [100 * own for own in one.each], ".", color=ink.text, markersize=2.5)
    axes.set_xticks(range(len(metrics)), [metric.capitalize() for metric in metrics], fontsize=8)
    axes.set_xlim(-0.5, len(metrics) - 0.5)
    axes.set_ylim(-3, 103)
    axes.set_title(scope, fontsize=9)
