"""Figures of an analysis: accuracy by length, scores, calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rmeval.messages import count_of
from rmeval.metrics.stats.bias import STRATA
from rmeval.report.figures.planes import draw_planes
from rmeval.report.figures.style import Theme, bare, check, drawing, label, save, share_axis
from rmeval.results.analyze import Analysis
from rmeval.types import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_analysis"]

_CONFIDENCE = {
    "scores": "1 / (1 + exp(-|margin|))",
    "ratings": "by the difference of ratings",
    "probabilities": "averaged over orders",
    "verdicts": "share of the verdicts",
}
_MOST = 9
"""Maximum number of subsets whose distributions are drawn."""


def draw_analysis(found: Analysis, folder: Path, theme: Theme = "light", ending: str = "png") -> list[Path]:
    """Draw `length`, `scores` and `calibration` of a model, and `refusals` if the benchmark has them.

    Args:
        found: The analysis.
        folder: Folder of the figures.
        theme: For light or dark backgrounds.
        ending: The format, one of `rmeval.report.figures.style.FORMATS`.

    Returns:
        Paths of the figures.

    Raises:
        RunError: If they cannot be drawn or written.
    """
    paths = {name: folder / f"{name}.{ending}" for name in ("length", "scores", "calibration")}
    check(paths["length"], theme)
    drawn = []
    if any(record.metric == "length" for record in found.records):
        drawn.append(_draw_length(found, paths["length"], theme))
    if found.scores:
        drawn.append(_draw_scores(found, paths["scores"], theme))
    if found.calibration is not None:
        drawn.append(_draw_calibration(found, paths["calibration"], theme))
    records = {(record.metric, record.scope): record for record in (*found.official, *found.records)}
    name, benchmark = str(found.manifest["model"]["name"]), found.official[0].benchmark
    return [*drawn, *draw_planes({name: records}, benchmark, folder, theme, ending)]


def _title(found: Analysis) -> str:
    return f"{label(found.manifest['model']['name'])} on {label(found.official[0].benchmark)}"


def _draw_length(found: Analysis, path: Path, theme: Theme) -> Path:
    """Draw accuracy by length, beside the null baselines."""
    records = {record.scope: record for record in found.records if record.metric == "length"}
    there = [name for name in STRATA if name in records]
    with drawing(theme, 6.0, 3.6) as (figure, ink):
        axes = figure.subplots()
        bare(axes, ink)
        for marker, name in zip("^v", ("longest", "shortest"), strict=True):
            null = f"null baseline {name}"
            values = [records[stratum].null.get(name, math.nan) for stratum in there]
            axes.plot(range(len(there)), values, marker, color=ink.faint, markerfacecolor="none", label=null)
        _points(axes, [records[name] for name in there], ink.blue, found.manifest["model"]["name"])
        labels = [f"{name}\n{count_of(records[name].n_items, 'item')}" for name in there]
        axes.set_xticks(range(len(there)), labels, fontsize=7.5, color=ink.text)
        axes.set_xlabel("length of the better response, relative to the worse one")
        share_axis(axes, ink)
        axes.set_ylabel("accuracy in %")
        axes.set_title(_title(found), fontsize=10)
        axes.legend(fontsize=7.5, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.28))
        save(figure, path)
    return path


def _points(axes: Axes, records: Sequence[Record], colour: str, name: str) -> None:
    places = np.arange(len(records))
    values = np.array([record.value for record in records])
    ends = np.array([record.ci or (record.value, record.value) for record in records])
    axes.vlines(places, ends[:, 0], ends[:, 1], color=colour, linewidth=2)
    axes.plot(places, values, "o", color=colour, markersize=5, label=label(name))


def _draw_scores(found: Analysis, path: Path, theme: Theme) -> Path:
    """Draw the distributions of the scores of better and worse responses, by subset."""
    shown = sorted(found.scores, key=lambda one: -len(one.better))[:_MOST]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    with drawing(theme, 2.5 * columns + 0.6, 1.7 * rows + 0.9) as (figure, ink):
        grid = figure.subplots(rows, columns, squeeze=False)
        for place, one in enumerate(shown):
            axes = grid[place // columns, place % columns]
            bare(axes, ink)
            every = np.concatenate([one.better, one.worse])
            low, high = np.quantile(every, [0.005, 0.995]).tolist()
            edges = np.linspace(low - (low == high) / 2, high + (low == high) / 2, 31)
            for values, colour, hatch, side in (
                (one.better, ink.blue, None, "better responses"),
                (one.worse, ink.orange, "////", "worse responses"),
            ):
                weights = np.full(len(values), 1 / max(len(values), 1))
                clipped = np.clip(values, edges[0], edges[-1])
                axes.hist(clipped, edges, weights=weights, histtype="step", color=colour, linewidth=1.3)
                axes.hist(clipped, edges, weights=weights, color=colour, alpha=0.25, hatch=hatch, label=side)
                if len(values):
                    median = float(np.median(values))
                    axes.axvline(median, color=colour, linewidth=1, linestyle=(0, (3, 2)), label=f"median of {side}")
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.set_title(f"{label(one.subset, 24)} ({len(one.better)} + {len(one.worse)})", fontsize=8)
            axes.set_xlabel("score", fontsize=7.5)
        for place in range(len(shown), rows * columns):
            grid[place // columns, place % columns].set_visible(False)
        more = f"; the {_MOST} largest subsets" if len(found.scores) > _MOST else ""
        figure.suptitle(f"{_title(found)}{more}", fontsize=10)
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, fontsize=7.5, ncols=2, loc="outside lower center")
        save(figure, path)
    return path


def _draw_calibration(found: Analysis, path: Path, theme: Theme) -> Path:
    """Draw the reliability diagram."""
    own = found.calibration
    assert own is not None
    with drawing(theme, 3.9, 3.9) as (figure, ink):
        axes = figure.subplots()
        bare(axes, ink)
        axes.plot([0.5, 1], [0.5, 1], color=ink.faint, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.vlines(own.confidence, own.confidence, own.accuracy, color=ink.orange, linewidth=1)
        axes.plot(own.confidence, own.accuracy, marker="o", color=ink.blue, linewidth=1.2, markersize=5)
        axes.set_xlim(0.49, 1.01)
        share_axis(axes, ink)
        axes.set_xticks([0.5, 0.6, 0.7, 0.8, 0.9, 1], ["50", "60", "70", "80", "90", "100"])
        axes.set_xlabel(f"confidence in %, {_CONFIDENCE[found.confidence]}")
        axes.set_ylabel("right decisions in %")
        low, high = own.ece_ci or (math.nan, math.nan)
        interval = f" ({100 * low:.1f} to {100 * high:.1f})" if own.ece_ci else ""
        axes.set_title(f"{_title(found)}\ncalibration error {100 * own.ece:.1f}{interval}", fontsize=9)
        save(figure, path)
    return path
