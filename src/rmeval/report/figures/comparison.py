"""Figures that compare models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.errors import RunError
from rmeval.report.figures.planes import draw_planes
from rmeval.report.figures.style import Ink, Theme, bare, check, drawing, label, save
from rmeval.results.compare import ModelComparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_compared", "draw_comparison"]


def draw_comparison(found: ModelComparison, path: Path, theme: Theme = "light") -> None:
    """Draw models in the order of the headline with intervals and letters, and Easy, Normal and Hard if they exist.

    Args:
        found: The comparison.
        path: File to write; its suffix determines the format.
        theme: For light or dark backgrounds.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    if (headline := found.headline) is None:
        raise RunError(f"{found.absent}, so no figure ranks the models: give `metric` and `scope`")
    metric, scope = headline
    levels = [m for m in ("easy", "normal", "hard") if (m, scope) in found.entries[0].records]
    entries = list(found.entries)
    if not entries:
        raise RunError("the comparison has no models to draw: compare at least two runs")
    null = {
        name: value
        for name, value in entries[0].records[headline].null.items()
        if name != "random" and not math.isnan(value)
    }
    rows = [*entries, *null]
    with drawing(theme, 6.6 + (2.2 if levels else 0), 0.3 * len(rows) + 1.3) as (figure, ink):
        grid: Any = figure.subplots(1, 2 if levels else 1, sharey=True, squeeze=False)
        axes = grid[0, 0]
        bare(axes, ink)
        for place, entry in enumerate(entries):
            record = entry.records[headline]
            low, high = record.ci or (record.value, record.value)
            axes.plot([low, high], [place, place], color=ink.blue, linewidth=2)
            axes.plot([record.value], [place], marker="o", color=ink.blue, markersize=5)
            axes.annotate(
                entry.group, (high, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8
            )
        for place, value in enumerate(null.values(), len(entries)):
            axes.plot([value], [place], marker="D", color=ink.faint, markersize=4, markerfacecolor="none")
        axes.axvline(0.5, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
        names = [*(label(entry.name) for entry in entries), *(f"null baseline {name}" for name in null)]
        axes.set_yticks(range(len(rows)), names, fontsize=8)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        number = label(f"{metric.replace('_', ' ')} {scope}".removesuffix(" all"))
        axes.set_title(f"{number} in %; models that share a letter do not differ significantly", fontsize=8.5)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
        if levels:
            _levels(grid[0, 1], found, scope, levels, ink)
        items = found.differences[headline][0].n_items
        figure.suptitle(f"{label(found.benchmark)}: {items} common items", fontsize=10)
        save(figure, path)


def _levels(axes: Axes, found: ModelComparison, scope: str, levels: Sequence[str], ink: Ink) -> None:
    bare(axes, ink)
    looks = {"easy": (ink.blue, ">"), "normal": (ink.faint, "o"), "hard": (ink.orange, "<")}
    for level in levels:
        colour, marker = looks[level]
        values = [entry.records[level, scope].value for entry in found.entries]
        values += [
            found.entries[0].records[level, scope].null[name]
            for name in found.entries[0].records[level, scope].null
            if name != "random"
        ]
        axes.plot(
            values,
            range(len(values)),
            marker=marker,
            color=colour,
            linestyle="",
            markersize=6,
            label=level.capitalize(),
        )
    axes.axvline(0.5, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
    own = "of all domains" if scope == "all" else f"of {label(scope)}"
    axes.set_title(f"accuracy {own} in %", fontsize=8.5)
    axes.legend(fontsize=7.5, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.12))


def draw_compared(
    found: Sequence[ModelComparison], folder: Path, theme: Theme = "light", ending: str = "png"
) -> list[Path]:
    """Draw all figures of comparisons into folders named after their benchmarks, including planes of all models.

    Several comparisons of one benchmark have numbers after its name, in their order. A comparison without a headline
    has no figure of ranks.

    Returns:
        Paths of the figures.

    Raises:
        RunError: If there is nothing to draw, or a file cannot be written.
    """
    drawn = []
    for number, one in enumerate(found):
        same = [place for place, other in enumerate(found) if other.benchmark == one.benchmark]
        name = f"{one.benchmark}-{same.index(number) + 1}" if len(same) > 1 else one.benchmark
        own = folder / name if len(found) > 1 else folder
        if one.headline is not None:
            draw_comparison(one, own / f"comparison.{ending}", theme)
            drawn.append(own / f"comparison.{ending}")
        analyses = one.analyses()
        models = {entry.name: {**entry.records, **analyses[entry.name]} for entry in one.entries}
        drawn += draw_planes(models, one.benchmark, own, theme, ending)
    if not drawn:
        raise RunError(f"{found[0].absent}, so no figure ranks the models: give `metric` and `scope`")
    return drawn
