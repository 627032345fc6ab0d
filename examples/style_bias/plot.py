"""The figure of the study: the numbers against the dose, and what each cure changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.style_bias.study import ALL, GAP, Condition, Study

from rmeval.report.figures.style import Ink, Theme, bare, check, drawing, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_study"]


def draw_study(study: Study, path: Path, theme: Theme = "light") -> None:
    """Draw Easy, Normal and Hard by dose, and style gap and Normal of each cure.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    with drawing(theme, 9.0, 3.4) as (figure, ink):
        grid: Any = figure.subplots(1, 3, width_ratios=(1.5, 1.2, 1))
        _doses(grid[0], study, ink)
        _cures(grid[1], study, GAP, ink.orange, ink)
        _cures(grid[2], study, "normal", ink.text, ink)
        grid[1].axvline(0, color=ink.faint, linewidth=0.7, linestyle=(0, (4, 3)))
        grid[1].set_xlabel("style gap (Easy - Hard) in points")
        grid[2].set_xlabel("Normal in %")
        grid[2].set_yticklabels([])
        save(figure, path)


def _doses(axes: Axes, study: Study, ink: Ink) -> None:
    bare(axes, ink)
    own = sorted((one for one in study.conditions if one.cure == "none"), key=lambda one: one.dose)
    x = [100 * one.dose for one in own]
    looks = (("easy", ink.blue, "^", -0.7), ("normal", ink.text, "o", 0.0), ("hard", ink.orange, "v", 0.7))
    for name, colour, marker, shift in looks:
        ends = [_ends(study, one, name) for one in own]
        places = [place + shift for place in x]
        axes.vlines(places, [low for low, _, _ in ends], [high for *_, high in ends], color=colour, linewidth=1.2)
        y = [value for _, value, _ in ends]
        axes.plot(places, y, color=colour, marker=marker, markersize=5, linewidth=1.4, label=name.capitalize())
    axes.set_xticks(x)
    axes.set_xlabel("training pairs whose better response is fancier, in %")
    axes.set_ylabel("accuracy in %")
    axes.legend(fontsize=8, loc="lower left")


def _cures(axes: Axes, study: Study, metric: str, colour: str, ink: Ink) -> None:
    bare(axes, ink)
    rows = [Condition(0.5)]
    for dose in sorted({one.dose for one in study.changes}, reverse=True):
        rows += [*(one for one in reversed(study.changes) if one.dose == dose), Condition(dose)]
    for row, one in enumerate(rows):
        low, value, high = _ends(study, one, metric)
        axes.hlines(row, low, high, color=colour, linewidth=1.4)
        axes.plot(value, row, "D" if metric == GAP else "o", color=colour, markersize=4.5)
    axes.set_yticks(range(len(rows)), [_label(one) for one in rows])


def _ends(study: Study, one: Condition, metric: str) -> tuple[float, float, float]:
    """Return a number between the ends of its interval, in points."""
    mean = study.levels.number(str(one), metric, ALL).mean
    low, high = mean.ci or (mean.value, mean.value)
    return 100 * low, 100 * mean.value, 100 * high


def _label(one: Condition) -> str:
    return f"{100 * one.dose:.0f}%, {'no cure' if one.cure == 'none' else one.cure}"
