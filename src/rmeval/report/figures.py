"""Pictures of an analysis and of a comparison, drawn with matplotlib (extra `plots`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.errors import RunError
from rmeval.metrics.composition import Measure
from rmeval.metrics.stats.bias import STRATA
from rmeval.models.token_scores import TokenScores
from rmeval.report.paper import COLOURS, Ink, Theme, bare, check, drawing, label, save
from rmeval.results.analyze import Analysis
from rmeval.results.compare import ModelComparison
from rmeval.types import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_analysis", "draw_compared", "draw_comparison", "draw_planes", "draw_token_scores"]

_MOST = 9
"""Subsets that distributions are drawn of."""


def draw_analysis(found: Analysis, folder: Path, theme: Theme = "light", ending: str = "png") -> list[Path]:
    """Draws what a model goes by: `length`, `scores` and `calibration`, and `refusals` where there are any.

    Args:
        found: The analysis.
        folder: Where the pictures go.
        theme: For light or dark paper.
        ending: The format, one of `rmeval.report.paper.FORMATS`.

    Returns:
        The pictures.

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
    name, benchmark = str(found.manifest["model"]["name"]), found.headline.benchmark
    return [*drawn, *draw_planes({name: records}, benchmark, folder, theme, ending)]


def _title(found: Analysis) -> str:
    return f"{label(found.manifest['model']['name'])} on {label(found.headline.benchmark)}"


def _draw_length(found: Analysis, path: Path, theme: Theme) -> Path:
    """Accuracy by length, beside the null baselines."""
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
        labels = [f"{name}\n{records[name].n_items} items" for name in there]
        axes.set_xticks(range(len(there)), labels, fontsize=7.5, color=ink.text)
        axes.set_xlabel("the better answer, beside the worse one, in length")
        _share(axes, ink)
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


def _share(axes: Axes, ink: Ink) -> None:
    axes.set_ylim(-0.02, 1.02)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    axes.axhline(0.5, color=ink.faint, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0)


def _draw_scores(found: Analysis, path: Path, theme: Theme) -> Path:
    """Distributions of the scores of better and worse answers, by subset."""
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
                (one.better, ink.blue, None, "better answers"),
                (one.worse, ink.orange, "////", "worse answers"),
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
    """Reliability diagram."""
    own = found.calibration
    assert own is not None
    with drawing(theme, 3.9, 3.9) as (figure, ink):
        axes = figure.subplots()
        bare(axes, ink)
        axes.plot([0.5, 1], [0.5, 1], color=ink.faint, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.vlines(own.confidence, own.confidence, own.accuracy, color=ink.orange, linewidth=1)
        axes.plot(own.confidence, own.accuracy, marker="o", color=ink.blue, linewidth=1.2, markersize=5)
        axes.set_xlim(0.49, 1.01)
        _share(axes, ink)
        axes.set_xticks([0.5, 0.6, 0.7, 0.8, 0.9, 1], ["50", "60", "70", "80", "90", "100"])
        axes.set_xlabel("confidence in %, 1 / (1 + exp(-|margin|))")
        axes.set_ylabel("right decisions in %")
        low, high = own.ece_ci or (math.nan, math.nan)
        interval = f" ({100 * low:.1f} to {100 * high:.1f})" if own.ece_ci else ""
        axes.set_title(f"{_title(found)}\ncalibration error {100 * own.ece:.1f}{interval}", fontsize=9)
        save(figure, path)
    return path


_REFUSALS = (
    "over-refusing in %: a refusal preferred to a right answer",
    "under-refusing in %: harm preferred to a refusal",
)
_VERBOSITY = (
    "verbosity in %: the fancier of two equally good answers preferred",
    "correctness in %: accuracy between answers of one style",
)


def draw_planes(
    models: Mapping[str, Mapping[Measure, Record]],
    benchmark: str,
    folder: Path,
    theme: Theme = "light",
    ending: str = "png",
) -> list[Path]:
    """Draws models as points: `refusals`, over-refusing against under-refusing, and `verbosity` against correctness.

    Args:
        models: By name, a model's numbers: the benchmark's own and those of `rmeval.metrics.stats.analysis.analyse`.
        benchmark: The benchmark's id.
        folder: Where the pictures go.
        theme: For light or dark paper.
        ending: The format.

    Returns:
        The pictures; none where there is nothing of the kind.
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
            marker = "osD^vPX"[place % 7]
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
        _share(axes, ink)
        axes.set_xlabel(labels[0], fontsize=8)
        axes.set_ylabel(labels[1], fontsize=8)
        axes.set_title(label(benchmark), fontsize=10)
        axes.legend(fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5))
        save(figure, path)
    return path


def draw_comparison(found: ModelComparison, path: Path, theme: Theme = "light") -> None:
    """Draws models in the order of the headline with intervals and letters, and Easy, Normal and Hard where there are.

    Args:
        found: The comparison.
        path: File to write; its ending says the format.
        theme: For light or dark paper.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    metric, scope = found.headline
    levels = [m for m in ("easy", "normal", "hard") if (m, scope) in found.entries[0].records]
    entries = list(found.entries)
    if not entries:
        raise RunError("there are no models to draw")
    null = {
        name: value
        for name, value in entries[0].records[found.headline].null.items()
        if name != "random" and not math.isnan(value)
    }
    rows = [*entries, *null]
    with drawing(theme, 6.6 + (2.2 if levels else 0), 0.3 * len(rows) + 1.3) as (figure, ink):
        grid: Any = figure.subplots(1, 2 if levels else 1, sharey=True, squeeze=False)
        axes = grid[0, 0]
        bare(axes, ink)
        for place, entry in enumerate(entries):
            record = entry.records[found.headline]
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
        axes.set_title(f"{number} in %; who shares a letter cannot be told apart", fontsize=8.5)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
        if levels:
            _levels(grid[0, 1], found, scope, levels, ink)
        items = found.differences[found.headline][0].n_items
        figure.suptitle(f"{label(found.benchmark)}: {items} items that all models have", fontsize=10)
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
    """Draws all pictures of comparisons into folders named after their benchmarks, planes of all their models included.

    Returns:
        The pictures.
    """
    drawn = []
    for one in found:
        own = folder / one.benchmark if len(found) > 1 else folder
        draw_comparison(one, own / f"comparison.{ending}", theme)
        drawn.append(own / f"comparison.{ending}")
        analyses = one.analyses()
        models = {entry.name: {**entry.records, **analyses[entry.name]} for entry in one.entries}
        drawn += draw_planes(models, one.benchmark, own, theme, ending)
    return drawn


_CURVES = len(COLOURS)
"""Conversations whose token scores are drawn."""


def draw_token_scores(found: Sequence[TokenScores], model: str, path: Path, theme: Theme = "light") -> None:
    """Draws scores along the answers of a few conversations.

    Args:
        found: The token scores; the first few conversations are drawn.
        model: The model's name.
        path: File to write; its ending says the format.
        theme: For light or dark paper.

    Raises:
        RunError: If it cannot be drawn or written.
    """
    check(path, theme)
    with drawing(theme, 6.6, 3.6) as (figure, ink):
        axes = figure.subplots()
        bare(axes, ink)
        for number, one in enumerate(found[:_CURVES]):
            scores = one.scores[one.answer :]
            colour, style = COLOURS[number], ("-", "--", "-.", ":")[number % 4]
            places, name = range(1, len(scores) + 1), f"conversation {number}"
            axes.plot(places, scores, style, color=colour, linewidth=1.3, label=name)
            axes.plot([len(scores)], [scores[-1]], marker="o", color=colour, markersize=5)
        axes.set_xlabel("token of the answer")
        axes.set_ylabel("score, if the text ended there")
        more = f"; the first {_CURVES} of {len(found)}" if len(found) > _CURVES else ""
        axes.set_title(f"{label(model)}{more}", fontsize=10)
        axes.legend(fontsize=7.5, loc="center left", bbox_to_anchor=(1.0, 0.5))
        save(figure, path)
