"""Heat map of the style-substance matrices of several models: a matrix for each model and domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rmeval.metrics.composition import Measure
from rmeval.report.cells import percent
from rmeval.report.figures.matrix import matrix_scopes
from rmeval.report.figures.style import check, drawing, label, save
from rmeval.types import STYLES, Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_heat"]

_STEP = 3.5
"""Distance of two matrices, in cells."""
_STRONG = 0.8
"""Strength of a colour above which the number in it is white."""
_WHITE, _BLUE, _ORANGE = "#fefefe", "#1768ad", "#c2560d"
"""Colours that a page shows unchanged in both themes, unlike those of `Ink`: the numbers fit to them."""


def draw_heat(models: Mapping[str, Mapping[Measure, Record]], title: str, *paths: Path) -> None:
    """Draw the nine accuracies of each model and domain, orange below 50% and blue above it.

    Rows of a matrix are styles of the better response, columns those of the worse one.

    Args:
        models: Numbers of each model by name, in the order of the rows; some have matrices.
        title: Title of the figure.
        paths: Files to write; their suffixes determine the formats.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    for path in paths:
        check(path, "light")
    scopes = list(dict.fromkeys(scope for records in models.values() for scope in matrix_scopes(records)))
    with drawing("light", 1.6 + 1.25 * len(scopes), 0.75 + 1.2 * len(models)) as (figure, ink):
        axes = figure.subplots()
        for row, records in enumerate(models.values()):
            for column, scope in enumerate(scopes):
                if scope in matrix_scopes(records):
                    _matrix(axes, records, scope, (column * _STEP, row * _STEP), ink.text)
        axes.set_xlim(-0.55, _STEP * (len(scopes) - 1) + 2.55)
        axes.set_ylim(_STEP * (len(models) - 1) + 2.55, -0.55)
        axes.set_aspect("equal")
        styles = [style.replace("_", "\n").replace("detailed\n", "") for style in STYLES]
        places = [column * _STEP + k for column in range(len(scopes)) for k in range(len(STYLES))]
        axes.set_xticks(places, styles * len(scopes), fontsize=5, rotation=90)
        axes.set_yticks([row * _STEP + 1 for row in range(len(models))], [label(name, 28) for name in models])
        top = axes.secondary_xaxis("top")
        top.set_xticks(
            [column * _STEP + 1 for column in range(len(scopes))],
            ["all domains" if scope == "all" else label(scope, 18) for scope in scopes],
        )
        for own in (axes, top):
            own.tick_params(length=0, labelsize=8 if own is top else None)
            own.spines[:].set_visible(False)
        axes.tick_params(axis="y", labelsize=8)
        axes.set_facecolor("none")
        figure.suptitle(title, fontsize=10)
        save(figure, *paths)


def _matrix(axes: Axes, records: Mapping[Measure, Record], scope: str, corner: tuple[float, float], text: str) -> None:
    from matplotlib.patches import Rectangle

    styles: Sequence[str] = STYLES
    for r, better in enumerate(styles):
        for c, worse in enumerate(styles):
            value = records[f"cell:{better}/{worse}", scope].value
            x, y = corner[0] + c, corner[1] + r
            strength = min(1.0, abs(value - 0.5) * 2)
            colour = _BLUE if value >= 0.5 else _ORANGE
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, alpha=strength, linewidth=0))
            ink = _WHITE if strength > _STRONG else text
            number = axes.text(x, y, percent(value), ha="center", va="center", fontsize=6, color=ink)
            # It lies inside its cell; measuring hundreds of numbers would take most of the time.
            number.set_in_layout(False)
