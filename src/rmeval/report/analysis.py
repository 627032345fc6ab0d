"""View of an analysis: how a model's decisions depend on length and style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from rmeval.metrics.composition import GAP
from rmeval.metrics.scoring.sections import ANALYSIS_TITLES
from rmeval.metrics.stats.analysis import Scores
from rmeval.metrics.stats.calibration import Calibration
from rmeval.metrics.stats.detection import Detection
from rmeval.metrics.stats.label_errors import Corrected
from rmeval.metrics.targets import best_note
from rmeval.report import cells as units
from rmeval.report.cells import BRACKETS, COUNT, DECIMALS, FIGURES, LOG_ODDS, PERCENT, Cell, Number, Unit, percent
from rmeval.report.run import measure_name, number_of, without_lone_parts
from rmeval.report.views import Row, Table, View
from rmeval.results.analyze import Analysis
from rmeval.results.label_errors import CorrectedNumbers
from rmeval.types import Record

__all__ = ["CONFIDENCE", "analysis_view"]

_TITLES = {
    "length": "accuracy by length of the better response, relative to the worse one",
    "style": "length and formatting (balanced: longer and shorter have equal weights; controlled: at equal style)",
    "same_style": "accuracy between responses of one style (ties count one half, missing scores are excluded)",
    "prefers_fancier": "preference for the fancier of two equally good responses (50: style has no influence)",
    "refusals": "refusals (over- and under-refusing: ties count one half)",
}
_NAMES = {
    "length_balanced": "length-balanced accuracy",
    "style_controlled": "style-controlled accuracy",
    GAP: "style gap, Easy minus Hard",
    "style_length": "length, log-odds per deviation",
    "style_markdown": "markdown, log-odds per deviation",
    "over_refusing": f"over-refusing ({best_note('over_refusing')})",
    "under_refusing": f"under-refusing ({best_note('under_refusing')})",
}
_UNITS = {"style_length": LOG_ODDS, "style_markdown": LOG_ODDS, GAP: units.GAP}


def analysis_view(found: Analysis) -> View:
    """Return the view of an analysis."""
    top, first = found.headline, found.official[0]
    score = "" if found.variant == "score" else f"score: {found.variant}; "
    sections: dict[str, list[Record]] = {}
    for record in (*found.records, *_gaps(found.official)):
        sections.setdefault(_section(record), []).append(record)
    titles = {**_TITLES, **ANALYSIS_TITLES}
    tables = [_table(section, titles.get(section, section), records) for section, records in sections.items()]
    return View(
        first.benchmark,
        (*tables, *_corrected(found.corrected), *_calibration(found), *_scores(found.scores)),
        model=found.manifest["model"]["name"],
        headline=None if top is None else (f"{top.metric} {top.scope}".removesuffix(" all"), number_of(top)),
        about=(f"{score}ties and failures: {first.rule}; in %, with 95% intervals",),
        notes=tuple(note for note in found.notes if note != found.absent),
        source=found.path,
        absent=found.absent,
    )


def _section(record: Record) -> str:
    if record.metric in ("length_balanced", "style_controlled", *_UNITS):
        return "style"
    return "refusals" if record.metric in ("over_refusing", "under_refusing") else record.metric


def _gaps(official: Sequence[Record]) -> list[Record]:
    gaps = [record for record in without_lone_parts(official) if record.metric == GAP]
    return [record for record in gaps if record.scope == "all"] or gaps


def _table(section: str, title: str, records: Sequence[Record]) -> Table:
    baselines = [name for name in records[0].null if name != "random"]
    rows = []
    for record in records:
        name = _NAMES.get(record.metric, record.scope)
        if record.metric == GAP and record.scope != "all":
            name = f"{name} ({record.scope})"
        unit = _UNITS.get(record.metric, PERCENT)
        own = (Number(record.null[key], unit=unit) if key in record.null else None for key in baselines)
        cells: tuple[Cell, ...] = (
            Number(record.value, record.ci, unit),
            Number(record.n_items, unit=COUNT),
            *own,
        )
        rows.append(Row(name, cells))
    keys = ("name", "value", "items", *baselines)
    return Table(section, ("", "", "items", *baselines), tuple(rows), title, keys=keys)


def _corrected(own: CorrectedNumbers | None) -> Iterator[Table]:
    if own is None:
        return
    rows = (
        Row(
            measure_name(one.measure),
            (
                Number(one.observed, one.observed_ci, _unit_of(one)),
                Number(one.errors, one.errors_ci),
                None if one.ceiling is None else Number(one.ceiling),
                Number(one.value, one.ci, _unit_of(one)),
            ),
        )
        for one in own.numbers
    )
    title = f"label errors: {'; '.join(own.sources)}"
    columns = ("", "observed", "label errors", "ceiling", "corrected")
    yield Table("corrected", columns, tuple(rows), title, own.notes)


def _unit_of(one: Corrected) -> Unit:
    return PERCENT if one.ceiling is not None else units.GAP


CONFIDENCE = {
    "scores": "1 / (1 + exp(-|margin|))",
    "ratings": "1 / (1 + exp(-|difference|)) of the mean ratings",
    "probabilities": "the probability of the preferred response, averaged over orders",
    "verdicts": "the share of the orders' and votes' verdicts for the preferred response",
}
"""What confidence is, by its source."""


def _calibration(found: Analysis) -> Iterator[Table]:
    own = found.calibration
    if own is None:
        if found.detection is not None:
            yield Table("calibration", ("", "value", "meaning"), (_detection(found.detection),), layout="bare")
        return
    bins = tuple(str(k + 1) for k in range(len(own.count)))
    yield Table(
        "calibration curve",
        ("", *bins),
        (
            Row("confidence", tuple(Number(value) for value in own.confidence.tolist())),
            Row("right", tuple(Number(value) for value in own.accuracy.tolist())),
        ),
        f"calibration: confidence {CONFIDENCE[found.confidence]} against the share of right decisions",
        keys=("name", *(f"bin {name}" for name in bins)),
    )
    calibrated = f"{percent(own.ece_calibrated)}% on average for a calibrated model"
    rows = (
        _score("calibration error", own.ece, own.ece_ci, PERCENT, calibrated),
        _score("log loss", own.log_loss, own.log_loss_ci, DECIMALS, "chance: 0.693"),
        _score("Brier score", own.brier, own.brier_ci, DECIMALS, "chance: 0.250"),
        _score("factor that calibrates margins", own.scale, own.scale_ci, FIGURES, _verdict(own)),
        *([] if found.detection is None else [_detection(found.detection)]),
    )
    yield Table("calibration", ("", "value", "meaning"), rows, layout="bare")


def _detection(own: Detection) -> Row:
    return _score("AUROC of right decisions", own.auroc, own.ci, DECIMALS, "0.500: confidence says nothing of errors")


def _score(name: str, value: float, ci: tuple[float, float] | None, unit: Unit, meaning: str) -> Row:
    return Row(name, (Number(value, ci if np.isfinite(value) else None, unit), meaning))


def _verdict(own: Calibration) -> str:
    if np.isinf(own.scale):
        return "none: every decision is right"
    if not own.scale:
        return "none: decisions with larger margins are not right more often"
    if own.scale_ci and own.scale_ci[0] <= 1 <= own.scale_ci[1]:
        return "1 for a calibrated model"
    return "overconfident" if own.scale < 1 else "underconfident"


def _scores(scores: Sequence[Scores]) -> Iterator[Table]:
    if not scores:
        return
    title = "scores of better and worse responses: median [quartiles]; effect: distance in standard deviations"
    rows = (Row(one.subset, (_quarters(one.better), _quarters(one.worse), _effect(one))) for one in scores)
    yield Table("scores", ("", "better", "worse", "effect"), tuple(rows), title)


def _quarters(values: np.ndarray) -> Number:
    if not len(values):
        return Number(np.nan, unit=BRACKETS)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return Number(middle, (low, high), BRACKETS)


def _effect(one: Scores) -> Number:
    if len(one.better) < 2 or len(one.worse) < 2:
        return Number(np.nan, unit=LOG_ODDS)
    deviation = np.sqrt((one.better.var(ddof=1) + one.worse.var(ddof=1)) / 2)
    value = (one.better.mean() - one.worse.mean()) / deviation if deviation else np.nan
    return Number(float(value), unit=LOG_ODDS)
