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
            curves = _curves(points, level)
            for curve in curves:
                axes.plot(steps, curve, color=colour, linewidth=0.6, alpha=0.5)
            axes.plot(steps, _mean(curves), color=colour, marker=marker, markersize=4.5, label=level.capitalize())
        trained = _mean(_curves([one for one in points if one.accuracy is not None], "accuracy"))
        shown = "training accuracy, last steps"
        axes.plot(steps[-len(trained) :], trained, color=ink.faint, linewidth=1.2, linestyle="--", label=shown)
        for place, align, name in ((switch - 0.2, "right", "careful"), (switch + 0.2, "left", "hasty")):
            axes.text(place, 2, f"{name} annotators", ha=align, fontsize=8, color=ink.faint)
        axes.set_ylim(-3, 103)
        axes.set_xticks(steps)
        axes.set_ylabel("accuracy in %")
        axes.set_xlabel("step of the training")
        axes.legend(fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 0.12))
        save(figure, path)


def _curves(points: Sequence[Point], name: str) -> list[list[float]]:
    """The values of each seed in the order of steps, in percent."""
    seeds = sorted({one.seed for one in points})
    return [[100 * getattr(one, name) for one in points if one.seed == seed] for seed in seeds]


def _mean(curves: Sequence[Sequence[float]]) -> list[float]:
    return [sum(values) / len(values) for values in zip(*curves, strict=True)]
