"""The figure of a model that trains: Easy, Normal and Hard by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rmeval.report.figures.style import Theme, bare, check, drawing, save

if TYPE_CHECKING:
    from examples.style_bias.watch import Point

__all__ = ["draw_curves"]


def draw_curves(points: Sequence[Point], switch: int, path: Path, theme: Theme = "light") -> None:
    """Draw the mean over seeds as a line with markers, and each seed as a thin line.

    Args:
        points: The evaluations.
        switch: Step after which hasty annotators label.
        path: File to write.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    steps = sorted({one.step for one in points})
    with drawing(theme, 6.4, 3.4) as (figure, ink):
        axes = figure.subplots()
        bare(axes, ink)
        axes.axhline(50, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
        axes.axvline(switch, color=ink.faint, linewidth=0.8)
        for level, colour, marker in (("easy", ink.blue, "^"), ("normal", ink.text, "o"), ("hard", ink.orange, "v")):
            curves = [
                [100 * getattr(one, level) for one in points if one.seed == seed]
                for seed in sorted({one.seed for one in points})
            ]
            for curve in curves:
                axes.plot(steps, curve, color=colour, linewidth=0.6, alpha=0.5)
            mean = [sum(values) / len(values) for values in zip(*curves, strict=True)]
            axes.plot(steps, mean, color=colour, marker=marker, markersize=4.5, linewidth=1.6, label=level.capitalize())
        for place, align, name in ((switch - 0.2, "right", "careful"), (switch + 0.2, "left", "hasty")):
            axes.text(place, 2, f"{name} annotators", ha=align, fontsize=8, color=ink.faint)
        axes.set_ylim(-3, 103)
        axes.set_ylabel("accuracy in %")
        axes.set_xlabel("step of the training")
        axes.legend(fontsize=8, loc="center left")
        save(figure, path)
