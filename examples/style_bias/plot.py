"""The figure of the study: the numbers against the dose, and what each cure changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.style_bias.study import ALL, Condition, Estimate, Values, estimates

from rmeval.report.figures.style import Ink, Theme, bare, check, drawing, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_study"]


def draw_study(values: Values, path: Path, theme: Theme = "light") -> None:
    """Draw Easy, Normal and Hard by dose, and style gap and Normal of each cure.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    found = {condition: own[ALL] for condition, own in estimates(values).items() if ALL in own}
    with drawing(theme, 8.4, 3.6) as (figure, ink):
        grid: Any = figure.subplots(1, 2, width_ratios=(1, 1.35))
        _doses(grid[0], found, ink)
        _cures(grid[1], found, ink)
        save(figure, path)


Found = dict[Condition, dict[str, Estimate]]


def _doses(axes: Axes, found: Found, ink: Ink) -> None:
    bare(axes, ink)
    own = sorted((one for one in found if one.cure == "none"), key=lambda one: one.dose)
    for name, colour, marker in (("easy", ink.blue, "^"), ("normal", ink.text, "o"), ("hard", ink.orange, "v")):
        numbers = [found[one][name] for one in own]
        x, y = [100 * one.dose for one in own], [100 * one.value for one in numbers]
        ends = [one.ci or (one.value, one.value) for one in numbers]
        axes.fill_between(x, [100 * e[0] for e in ends], [100 * e[1] for e in ends], color=colour, alpha=0.13, lw=0)
        axes.plot(x, y, color=colour, marker=marker, markersize=4, linewidth=1.4, label=name.capitalize())
    axes.set_xticks([100 * one.dose for one in own])
    axes.set_xlabel("training pairs whose better response is fancier, in %")
    axes.set_ylabel("accuracy in %")
    axes.legend(fontsize=8, loc="lower left")


def _cures(axes: Axes, found: Found, ink: Ink) -> None:
    bare(axes, ink)
    cured = [one for one in found if one.cure != "none"]
    doses = sorted({one.dose for one in cured}, reverse=True)
    rows = [one for dose in doses for one in (*(c for c in reversed(cured) if c.dose == dose), Condition(dose))]
    rows = [Condition(0.5), *rows]
    for row, one in enumerate(rows):
        for name, colour, marker, shift in (("gap", ink.orange, "D", 0.12), ("normal", ink.text, "o", -0.12)):
            number = found[one][name]
            if number.ci is not None:
                axes.hlines(row + shift, 100 * number.ci[0], 100 * number.ci[1], color=colour, linewidth=1.4)
            title = {"gap": "style gap (Easy - Hard)", "normal": "Normal"}[name] if row == 0 else None
            axes.plot(100 * number.value, row + shift, marker, color=colour, markersize=4.5, label=title)
    axes.axvline(0, color=ink.faint, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(rows)), [_label(one) for one in rows])
    axes.set_xlabel("points, mean of the domains, with 95% interval")
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.45, 1.14), ncols=2)


def _label(one: Condition) -> str:
    return f"{100 * one.dose:.0f}%, {'no cure' if one.cure == 'none' else one.cure}"
