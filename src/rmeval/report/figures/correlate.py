"""Figure of correlations: models as points with their names, a panel for each correlation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.errors import RunError
from rmeval.predict.correlation_notes import FEW
from rmeval.predict.policy_correlation import Correlation, Correlations
from rmeval.report.cells import P_VALUE
from rmeval.report.figures.style import COLOURS, Ink, Theme, bare, check, drawing, label, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_correlations"]

_SIZE = 6.0
_PLACES = ((4, 3, "left"), (-4, 3, "right"), (4, -7, "left"), (-4, -7, "right"), (0, 7, "center"), (0, -11, "center"))
"""Where a name may be relative to its point, in points of the page."""


def draw_correlations(found: Correlations, path: Path, theme: Theme = "light") -> None:
    """Draw each correlation: scores against results, with the names of the models.

    Args:
        found: The correlations.
        path: File to write; its suffix determines the format.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If there are more than six correlations, or the figure cannot be written.
    """
    check(path, theme)
    if len(found.correlations) > FEW:
        raise RunError(
            f"`plots` draws at most {FEW} correlations, and there are {len(found.correlations)}: name columns with "
            "`pair`"
        )
    columns = min(2, len(found.correlations))
    rows = -(-len(found.correlations) // columns)
    with drawing(theme, 5.2 * columns, 4.2 * rows) as (figure, ink):
        grid: Any = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.ravel()[len(found.correlations) :]:
            axes.set_axis_off()
        panels = list(zip(grid.ravel(), found.correlations, strict=False))
        for axes, one in panels:
            _panel(axes, one, found, ink)
        # The final positions of the points decide where names fit.
        figure.draw_without_rendering()
        for axes, one in panels:
            _name(axes, one, ink)
        save(figure, path)


def _panel(axes: Axes, one: Correlation, found: Correlations, ink: Ink) -> None:
    bare(axes, ink)
    pairs = len(one.scores)
    for k in range(pairs):
        own = one.points[k * len(one.models) : (k + 1) * len(one.models)]
        colour = ink.blue if pairs == 1 else COLOURS[k % len(COLOURS)]
        name = f"{label(own[0].score, 26)} - {label(own[0].policy, 20)}"
        axes.scatter([point.x for point in own], [point.y for point in own], s=18, color=colour, label=name, zorder=2)
    x, y = np.array([[point.x, point.y] for point in one.points]).T
    slope, start = np.polyfit(x, y, 1)
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, slope * ends + start, color=ink.faint, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axes.margins(0.12)
    relative = f", relative to {label(one.base, 20)}" if one.base else ""
    axes.set_xlabel(label(one.scores[0]) if pairs == 1 else "score, standardised in each pair")
    axes.set_ylabel(f"{label(one.policies[0]) if pairs == 1 else 'result'}{relative}")
    ci = "" if one.chosen.ci is None else f" ({one.chosen.ci[0]:.2f} to {one.chosen.ci[1]:.2f})"
    p = P_VALUE.value(one.chosen.p)
    text = f"{found.method.capitalize()} {one.chosen.value:.2f}{ci}, p {p}, {len(one.models)} models"
    axes.set_title(text, fontsize=8.5, loc="left")
    if pairs > 1:
        axes.legend(fontsize=6.5, loc="best")


def _name(axes: Axes, one: Correlation, ink: Ink) -> None:
    """Write the name of each point where it covers no point and no other name, or leave it out."""
    scale = float(axes.get_figure(root=True).dpi) / 72  # type: ignore[union-attr]
    spots = axes.transData.transform([(point.x, point.y) for point in one.points])
    frame = axes.get_window_extent()
    taken = [(x - 3 * scale, y - 3 * scale, x + 3 * scale, y + 3 * scale) for x, y in spots]
    for place, point in enumerate(one.points):
        text = label(point.model.rpartition("/")[2] or point.model, 30)
        width, height = 0.56 * _SIZE * len(text) * scale, 1.15 * _SIZE * scale
        for across, up, side in _PLACES:
            left = spots[place][0] + across * scale - {"left": 0.0, "right": width, "center": width / 2}[side]
            low = spots[place][1] + up * scale - 2 * scale
            box = (left, low, left + width, low + height)
            free = all(not _overlap(box, other) for k, other in enumerate(taken) if k != place)
            if free and left >= frame.x0 and box[2] <= frame.x1 + 5 * scale:
                taken.append(box)
                axes.annotate(
                    text,
                    (point.x, point.y),
                    (across, up),
                    textcoords="offset points",
                    fontsize=_SIZE,
                    color=ink.faint,
                    ha=side,
                )
                break


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
