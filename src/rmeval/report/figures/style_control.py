"""Figure of style-control scores: win rates without and with control of style, and their relative change."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.predict.style_control import StyleControl
from rmeval.report.figures.style import Ink, Theme, bare, check, drawing, label, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_style_control"]


def draw_style_control(found: StyleControl, path: Path, theme: Theme = "light") -> None:
    """Draw win rates and style-control scores of all policies, with their intervals.

    Args:
        found: The style-control scores.
        path: File to write; its suffix determines the format.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    with drawing(theme, 7.6, 1.9 + 0.42 * len(found.policies)) as (figure, ink):
        grid: Any = figure.subplots(1, 2, squeeze=False, sharey=True, width_ratios=(3, 2))
        left, right = grid[0]
        _win_rates(left, found, ink)
        _scores(right, found, ink)
        left.set_yticks(range(len(found.policies)), [label(one.model, 28) for one in found.policies])
        left.set_ylim(len(found.policies) - 0.5, -0.5)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=7.5, ncols=3, loc="outside lower center")
        figure.suptitle(f"{label(found.name)}, against {label(found.baseline, 28)}", fontsize=9.5)
        save(figure, path)


def _win_rates(axes: Axes, found: StyleControl, ink: Ink) -> None:
    bare(axes, ink)
    axes.axvline(50, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
    plain = [(one.uncontrolled, one.uncontrolled_ci) for one in found.policies]
    controlled = [(one.controlled, one.controlled_ci) for one in found.policies]
    equal = [(one.equal_style, one.equal_style_ci) for one in found.policies]
    _points(axes, plain, -0.2, ink.faint, "o", "win rate")
    _points(axes, controlled, 0.0, ink.blue, "s", "controlled")
    if not all(math.isnan(value) for value, _ in equal):
        _points(axes, equal, 0.2, ink.orange, "D", "at equal style")
    axes.set_xlabel("win rate in %")


def _scores(axes: Axes, found: StyleControl, ink: Ink) -> None:
    bare(axes, ink)
    axes.axvline(0, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
    scores = [(one.style_control_score, one.style_control_score_ci) for one in found.policies]
    _points(axes, scores, 0.0, ink.blue, "s", "style-control score")
    axes.set_xlabel("style-control score in %")


def _points(
    axes: Axes, values: list[tuple[float, tuple[float, float] | None]], shift: float, colour: str, mark: str, name: str
) -> None:
    """Draw a number of each policy, and its interval where it has one."""
    places = [place + shift for place in range(len(values))]
    for place, (_, ends) in zip(places, values, strict=True):
        if ends is not None:
            axes.hlines(place, 100 * ends[0], 100 * ends[1], color=colour, linewidth=1.2)
    axes.plot([100 * value for value, _ in values], places, mark, color=colour, markersize=4.5, label=name)
