"""What a model goes by, in tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from rmeval.metrics.stats.analysis import Scores
from rmeval.metrics.stats.calibration import Calibration
from rmeval.report.comparisons import signed
from rmeval.report.tables import new_table, percent, with_interval
from rmeval.report.terminal import Line, make_console
from rmeval.results.analyze import Analysis
from rmeval.types import Record

__all__ = ["analysis_report", "print_analysis"]

_TITLES = {
    "length": "accuracy by length of the better answer, beside that of the worse one",
    "style": "length and formatting (balanced: longer and shorter ones count the same; controlled: at equal style)",
    "same_style": "accuracy between answers of one style (ties shared, missing scores left out)",
    "prefers_fancier": "of two answers of equal worth the fancier is preferred (a model that sees no style: 50)",
    "length_category": "accuracy by RewardBench's categories of length",
    "refusals": "refusals (over- and under-refusing: ties shared)",
    "instructions": "instruction following (LLMBar)",
    "reasoning": "reasoning",
}
_NAMES = {
    "length_balanced": "length-balanced accuracy",
    "style_controlled": "style-controlled accuracy",
    "style_gap": "style gap, Easy less Hard",
    "style_length": "length, log-odds per deviation",
    "style_markdown": "markdown, log-odds per deviation",
    "over_refusing": "over-refusing",
    "under_refusing": "under-refusing",
}
_LOG_ODDS = ("style_length", "style_markdown")


def print_analysis(found: Analysis) -> None:
    """Prints the numbers of an analysis."""
    make_console().print(analysis_report(found), crop=False)


def analysis_report(found: Analysis) -> Group:
    """All of it, from the headline to the calibration."""
    model = found.manifest["model"]["name"]
    top = found.headline
    name = f"{top.metric} {top.scope}".removesuffix(" all")
    parts: list[RenderableType] = [
        Line.assemble((top.benchmark, "bold"), "  ", (model, "bold cyan"), f"  {name} ", with_interval(top)),
        Line(f"score: {found.variant}; ties and failures: {top.rule}; in %, with 95% intervals", "dim"),
    ]
    sections: dict[str, list[Record]] = {}
    for record in (*found.records, *_gaps(found.official)):
        sections.setdefault(_section(record), []).append(record)
    for section, records in sections.items():
        parts += ["", *_table(_TITLES.get(section, section), records)]
    parts += [*_calibration(found), *_scores(found.scores)]
    parts += [Line(f"! {note}", style="yellow") for note in found.notes]
    parts.append(Line(f"run: {found.path}", style="dim", no_wrap=True, overflow="ignore"))
    return Group(*parts)


def _section(record: Record) -> str:
    if record.metric in ("length_balanced", "style_controlled", "style_gap", *_LOG_ODDS):
        return "style"
    return "refusals" if record.metric in ("over_refusing", "under_refusing") else record.metric


def _gaps(official: Sequence[Record]) -> list[Record]:
    gaps = [record for record in official if record.metric == "style_gap"]
    return [record for record in gaps if record.scope == "all"] or gaps


def _table(title: str, records: Sequence[Record]) -> Iterator[RenderableType]:
    baselines = [name for name in records[0].null if name != "random"]
    yield Line(title, "dim")
    table = new_table("", "", "items", *baselines)
    for record in records:
        name = _NAMES.get(record.metric, record.scope)
        if record.metric == "style_gap" and record.scope != "all":
            name = f"{name} ({record.scope})"
        own = [_shown(record, record.null[key]) if key in record.null else "" for key in baselines]
        table.add_row(Line(name), _with_interval(record), str(record.n_items), *own)
    yield table


def _shown(record: Record, value: float) -> str:
    if record.metric in _LOG_ODDS:
        return "-" if np.isnan(value) else f"{value:+.2f}"
    return signed(value) if record.metric == "style_gap" else percent(value)


def _with_interval(record: Record) -> Text:
    if record.metric not in (*_LOG_ODDS, "style_gap"):
        return with_interval(record)
    text = Line(_shown(record, record.value))
    if record.ci:
        text.append(f" {_shown(record, record.ci[0])} to {_shown(record, record.ci[1])}", "dim")
    return text


def _calibration(found: Analysis) -> Iterator[RenderableType]:
    own = found.calibration
    if own is None:
        return
    yield ""
    yield Line("calibration: confidence 1 / (1 + exp(-|margin|)) against the share of right decisions", "dim")
    table = new_table("", *(str(k + 1) for k in range(len(own.count))))
    table.add_row("confidence", *(percent(value) for value in own.confidence))
    table.add_row("right", *(percent(value) for value in own.accuracy))
    yield table
    table = new_table("", "", "")
    table.show_header = False
    yield ""
    calibrated = f"of a calibrated model {percent(own.ece_calibrated)} on average"
    table.add_row("calibration error", _span(own.ece, own.ece_ci, percent), calibrated)
    table.add_row("log loss", _span(own.log_loss, own.log_loss_ci, "{:.3f}".format), "of chance 0.693")
    table.add_row("Brier score", _span(own.brier, own.brier_ci, "{:.3f}".format), "of chance 0.250")
    factor = "-" if np.isinf(own.scale) else _span(own.scale, own.scale_ci, "{:.3g}".format)
    table.add_row("factor that calibrates margins", factor, _verdict(own))
    yield table


def _span(value: float, ci: tuple[float, float] | None, shown: Callable[[float], str]) -> Line:
    text = Line(shown(value))
    if ci:
        text.append(f" {shown(ci[0])}-{shown(ci[1])}", "dim")
    return text


def _verdict(own: Calibration) -> str:
    if np.isinf(own.scale):
        return "every decision is right: there is none"
    if not own.scale:
        return "margins say nothing of what is right, or the contrary"
    if own.scale_ci and own.scale_ci[0] <= 1 <= own.scale_ci[1]:
        return "of a calibrated model 1"
    return "overconfident" if own.scale < 1 else "too careful"


def _scores(scores: Sequence[Scores]) -> Iterator[RenderableType]:
    if not scores:
        return
    yield ""
    yield Line("scores of better and worse answers: median [quarters]; effect: distance in deviations", "dim")
    table = new_table("", "better", "worse", "effect")
    for one in scores:
        table.add_row(Line(one.subset), _quarters(one.better), _quarters(one.worse), _effect(one))
    yield table


def _quarters(values: np.ndarray) -> str:
    if not len(values):
        return "-"
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def _effect(one: Scores) -> str:
    if len(one.better) < 2 or len(one.worse) < 2:
        return "-"
    deviation = np.sqrt((one.better.var(ddof=1) + one.worse.var(ddof=1)) / 2)
    return f"{(one.better.mean() - one.worse.mean()) / deviation:+.2f}" if deviation else "-"
