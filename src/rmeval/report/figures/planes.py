"""Figures of models as points in a plane of two numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from rmeval.metrics.composition import Measure
from rmeval.report.figures.style import COLOURS, Theme, bare, drawing, label, save, share_axis
from rmeval.types import Record

__all__ = ["draw_planes"]

_REFUSALS = (
    "over-refusing in %: a refusal preferred to a correct response",
    "under-refusing in %: a harmful response preferred to a refusal",
)
_VERBOSITY = (
    "verbosity in %: the fancier of two equally good responses preferred",
    "correctness in %: accuracy between responses of one style",
)


def draw_planes(
    models: Mapping[str, Mapping[Measure, Record]],
    benchmark: str,
    folder: Path,
    theme: Theme = "light",
    ending: str = "png",
) -> list[Path]:
    """Draw models as points: `refusals`, over-refusing against under-refusing, and `verbosity` against correctness.

    Args:
        models: Numbers of each model by name: the benchmark's, and those of `rmeval.metrics.stats.analysis.analyse`.
        benchmark: The benchmark's id.
        folder: Folder of the figures.
        theme: For light or dark backgrounds.
        ending: The format.

    Returns:
        Paths of the figures; none if the models do not have these numbers.
    """
    drawn = []
    for name, x, y, labels in (
        ("refusals", ("over_refusing", "all"), ("under_refusing", "all"), _REFUSALS),
        ("verbosity", ("prefers_fancier", "all"), ("same_style", "all"), _VERBOSITY),
    ):
        pairs = {model: (own[x], own[y]) for model, own in models.items() if x in own and y in own}
        if pairs:
            path = folder / f"{name}.{ending}"
            drawn.append(_plane(pairs, labels, path, theme, benchmark))
    return drawn


def _plane(
    pairs: Mapping[str, tuple[Record, Record]],
    labels: tuple[str, str],
    path: Path,
    theme: Theme,
    benchmark: str,
) -> Path:
    with drawing(theme, 5.9, 4.1) as (figure, ink):
        axes = figure.subplots()
        bare(axes, ink)
        for place, (name, (x, y)) in enumerate(pairs.items()):
            colour = COLOURS[place % len(COLOURS)]
            for one, ends in ((x, "x"), (y, "y")):
                if one.ci:
                    across = (one.ci, (y.value,) * 2) if ends == "x" else ((x.value,) * 2, one.ci)
                    axes.plot(*across, color=colour, linewidth=1.2, alpha=0.6)
            # Colours repeat after seven models, and then with another marker.
            marker = "osD^vPX"[(place + place // len(COLOURS)) % 7]
            axes.plot([x.value], [y.value], marker=marker, color=colour, markersize=6, linestyle="", label=label(name))
        first, second = next(iter(pairs.values()))
        for marker, name in zip("^v*", ("longest", "shortest", "markdown"), strict=True):
            right, up = first.null.get(name, math.nan), second.null.get(name, math.nan)
            if not math.isnan(right + up):
                null = f"null baseline {name}"
                axes.plot([right], [up], marker, color=ink.faint, markerfacecolor="none", markersize=6, label=null)
        axes.axvline(0.5, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
        share_axis(axes, ink)
        axes.set_xlabel(labels[0], fontsize=8)
        axes.set_ylabel(labels[1], fontsize=8)
        axes.set_title(label(benchmark), fontsize=10)
        axes.legend(fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5))
        save(figure, path)
    return path
