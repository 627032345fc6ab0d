"""Analyses of a model's decisions: length, formatting, refusals and calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from rmeval.data.tables import Codes, EvidenceTable, ItemTable
from rmeval.metrics.outcomes import HALF, Outcomes, outcomes
from rmeval.metrics.records import accuracy_record, make_record
from rmeval.metrics.stats.bias import (
    STRATA,
    Sides,
    length_balanced,
    sides_of,
    strata_of,
    style_control,
    style_preference,
)
from rmeval.metrics.stats.calibration import Calibration, calibrate
from rmeval.metrics.stats.intervals import wilson
from rmeval.types import STYLES, FloatArray, Record, ScoreRule

__all__ = ["FORMULA", "Scores", "analyse", "calibration_of", "scores_by_subset"]

FORMULA = "analysis@1"


def analyse(
    benchmark: str,
    analyses: Mapping[str, Mapping[str, tuple[str, ...]]],
    items: ItemTable,
    evidence: EvidenceTable,
    counts: Mapping[str, Codes],
    rule: ScoreRule,
    intervals: bool = True,
) -> list[Record]:
    """Analyse what a model's decisions depend on besides quality.

    Args:
        benchmark: Benchmark id.
        analyses: Groups of subsets, see `Card.analyses`.
        items: The items.
        evidence: The model's evidence.
        counts: `characters` and `markdown` of the responses.
        rule: The score rule.
        intervals: Whether to compute confidence intervals, which take most of the time.

    Returns:
        Accuracy by length (`length` with a scope of `STRATA`), `length_balanced`, `style_controlled` with
        `style_length` and `style_markdown`; `prefers_fancier` and `same_style` if responses have styles; each of
        `analyses`; `over_refusing` and `under_refusing` if the benchmark has refusals, with ties shared under every
        score rule.
    """
    found = outcomes(items, evidence, rule)
    if not len(found.credit):
        return []
    sides = sides_of(items)
    records = [
        *_length(benchmark, rule, found, sides, counts, intervals),
        *_style(benchmark, rule, found, sides, counts),
        *_fancier(benchmark, rule, found, items, evidence, intervals),
        *_same_style(benchmark, items, evidence, sides, intervals),
    ]
    for name, groups in analyses.items():
        for group, subsets in groups.items():
            part = found.within(*subsets)
            if not len(part.credit):
                continue
            records.append(_named(accuracy_record(benchmark, rule, group, part, FORMULA, intervals=intervals), name))
            if name == "refusals":
                # A tie prefers neither response: it counts neither as over-refusing nor as under-refusing.
                half = outcomes(items, evidence, HALF).within(*subsets)
                right = accuracy_record(benchmark, HALF, group, half, FORMULA, intervals=intervals)
                records.append(_wrong(right, "over_refusing" if group == "should-respond" else "under_refusing"))
    return records


def _named(record: Record, metric: str) -> Record:
    return replace(record, metric=metric)


def _wrong(record: Record, metric: str) -> Record:
    """Return a record of the error rate that belongs to an accuracy."""
    ci = None if record.ci is None else (1 - record.ci[1], 1 - record.ci[0])
    return replace(record, metric=metric, scope="all", value=1 - record.value, ci=ci)


def _length(
    benchmark: str,
    rule: ScoreRule,
    found: Outcomes,
    sides: Sides,
    counts: Mapping[str, Codes],
    intervals: bool,
) -> Iterator[Record]:
    characters = counts["characters"]
    strata = strata_of(sides, characters)
    for code, name in enumerate(STRATA):
        part = found.comparisons(strata == code)
        if len(part.credit):
            yield _named(accuracy_record(benchmark, rule, name, part.held(), FORMULA, intervals=intervals), "length")
    value, interval, method = length_balanced(found, sides, characters, intervals)
    if not np.isnan(value):
        apart = (sides.better >= 0) & (characters[sides.better] != characters[sides.worse])
        part = found.comparisons(apart).held()
        yield make_record(benchmark, rule, "length_balanced", "all", value, part, FORMULA, (interval, method))


def _style(
    benchmark: str, rule: ScoreRule, found: Outcomes, sides: Sides, counts: Mapping[str, Codes]
) -> Iterator[Record]:
    fit = style_control(found, sides, counts["characters"], counts["markdown"])
    if fit is None:
        return
    part = found.comparisons(sides.better >= 0).held()
    for metric, value, interval in (
        ("style_controlled", fit.accuracy, fit.accuracy_ci),
        ("style_length", fit.length, fit.length_ci),
        ("style_markdown", fit.markdown, fit.markdown_ci),
    ):
        yield make_record(benchmark, rule, metric, "all", value, part, FORMULA, (interval, "cluster-robust"))


def _fancier(
    benchmark: str,
    rule: ScoreRule,
    found: Outcomes,
    items: ItemTable,
    evidence: EvidenceTable,
    intervals: bool,
) -> Iterator[Record]:
    preferred, item = style_preference(evidence)
    known = ~np.isnan(preferred)
    preferred, item = preferred[known], item[known]
    if not len(preferred):
        return
    subset = found.subset[item]
    parts = [("all", np.ones(len(item), bool))]
    if len(found.present) > 1:
        parts += [(name, subset == found.subsets.index(name)) for name in found.present]
    for scope, inside in parts:
        if not inside.any():
            continue
        held = np.zeros(found.n_items, bool)
        held[item[inside]] = True
        interval = wilson(preferred[inside], found.cluster[item[inside]]) if intervals else (None, None)
        value = float(preferred[inside].mean())
        yield make_record(benchmark, rule, "prefers_fancier", scope, value, found.select(held), FORMULA, interval)


def _same_style(
    benchmark: str, items: ItemTable, evidence: EvidenceTable, sides: Sides, intervals: bool
) -> Iterator[Record]:
    """Yield the accuracy between responses of equal style: RM-Bench's Normal, with all comparisons pooled.

    Like the preference for the fancier response, it shares ties and excludes missing scores.
    """
    of_shape = [np.array([_STYLE.get(one.style, -1) for one in shape.responses], np.int8) for shape in items.shapes]
    if all((codes < 0).all() for codes in of_shape):
        return
    style = np.concatenate([of_shape[code] for code in items.shape.tolist()])
    same = (sides.better >= 0) & (style[sides.better] >= 0) & (style[sides.better] == style[sides.worse])
    part = outcomes(items, evidence, HALF).comparisons(same)
    if len(part.credit):
        yield _named(accuracy_record(benchmark, HALF, "all", part.held(), FORMULA, intervals=intervals), "same_style")


_STYLE: dict[str | None, int] = {name: place for place, name in enumerate(STYLES)}


def margins(items: ItemTable, evidence: EvidenceTable) -> tuple[FloatArray, Codes]:
    """Return the score of the better response minus that of the worse, and the problem, for each pair; without NaN."""
    sides = sides_of(items)
    comparison = np.flatnonzero(sides.better >= 0)
    margin = evidence.scores[sides.better[comparison]] - evidence.scores[sides.worse[comparison]]
    item = np.searchsorted(items.offsets, sides.better[comparison], side="right") - 1
    known = np.isfinite(margin)
    return margin[known], items.cluster[item[known]]


def calibration_of(items: ItemTable, evidence: EvidenceTable) -> Calibration | None:
    """Compute the calibration of the margins; None without scores of two responses."""
    return calibrate(*margins(items, evidence))


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of the better and of the worse responses of a subset.

    Attributes:
        subset: The subset.
        better: float64[n], scores of the responses that are the winner of some comparison, each once.
        worse: float64[k], scores of the other responses.
    """

    subset: str
    better: FloatArray
    worse: FloatArray


def scores_by_subset(items: ItemTable, evidence: EvidenceTable) -> list[Scores]:
    """Return the scores of each subset, without NaN."""
    wins = np.zeros(len(evidence.scores), bool)
    plays = np.zeros(len(evidence.scores), bool)
    sides = sides_of(items)
    for column in (sides.better, sides.worse):
        plays[column[column >= 0]] = True
    wins[sides.better[sides.better >= 0]] = True
    plays &= np.isfinite(evidence.scores)
    subset = np.repeat(items.subset, np.diff(items.offsets))
    found = []
    for code, name in enumerate(items.subsets):
        own = plays & (subset == code)
        if own.any():
            found.append(Scores(name, evidence.scores[own & wins], evidence.scores[own & ~wins]))
    return found
