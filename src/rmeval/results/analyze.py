"""One run, and why its model gets the numbers it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rmeval.baselines import NULL_SCORES
from rmeval.benchmarks import Card
from rmeval.errors import RunError
from rmeval.metrics.composition import headline
from rmeval.metrics.outcomes import HALF
from rmeval.metrics.records import null_evidence, records_of, with_null
from rmeval.metrics.stats.analysis import Scores, analyse, calibration_of, scores_by_subset
from rmeval.metrics.stats.calibration import Calibration
from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.results.result import check_rule, null_records, rule_of
from rmeval.store.items import StoredItems
from rmeval.store.manifest import finite, only_run
from rmeval.store.run import read_scored
from rmeval.types import Record

__all__ = ["Analysis", "analyze_run", "null_analyses"]


@dataclass(frozen=True)
class Analysis:
    """What a run says of its model beside the benchmark's own numbers.

    Attributes:
        path: The run folder.
        manifest: What its `run.json` holds.
        variant: Which of the model's scores was taken.
        headline: The benchmark's number that sums the run up.
        records: One number each, see `rmeval.metrics.stats.analysis.analyse`.
        official: The benchmark's own numbers.
        calibration: How well margins tell what is right; None where the model gives no scores of single answers.
        scores: Distributions of the scores of better and worse answers, by subset; empty likewise.
        notes: What a reader must know.
    """

    path: Path
    manifest: Mapping[str, Any]
    variant: str
    headline: Record
    records: tuple[Record, ...]
    official: tuple[Record, ...]
    calibration: Calibration | None
    scores: tuple[Scores, ...]
    notes: tuple[str, ...]

    def record(self, metric: str, scope: str = "all") -> Record:
        """The record of a metric on a scope.

        Raises:
            KeyError: If there is none, naming those there are.
        """
        for record in self.records:
            if (record.metric, record.scope) == (metric, scope):
                return record
        there = ", ".join(f"{record.metric} {record.scope}" for record in self.records)
        raise KeyError(f"no {metric!r} on {scope!r}; there are: {there}")

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain JSON types, without the distributions."""
        calibration = None
        if self.calibration is not None:
            calibration = {
                name: value.tolist() if hasattr(value, "tolist") else value
                for name, value in asdict(self.calibration).items()
            }
        found: dict[str, Any] = finite(
            {
                "path": str(self.path),
                "benchmark": self.headline.benchmark,
                "model": self.manifest["model"]["name"],
                "variant": self.variant,
                "rule": self.headline.rule,
                "headline": self.headline.to_dict(),
                "records": [record.to_dict() for record in self.records],
                "calibration": calibration,
                "notes": list(self.notes),
            }
        )
        return found


def analyze_run(
    path: str | Path,
    *,
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> Analysis:
    """Looks into a run. Needs no model and no torch.

    Args:
        path: A run folder, or a folder with one run in it.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        variant: Which of the model's scores to take, where it gives several; its first if None.
        benchmark: The `file.py:Class` of a run made with one.
        protocol: Likewise the `file.py:Class` of the run's protocol.

    Raises:
        RunError: If it is no run folder, or there is no such score rule or score.
    """
    check_rule(rule)
    run = read_scored(only_run(Path(path)), benchmark, protocol)
    score_rule = rule_of(run.benchmark, rule)
    variant = run.variant(variant)
    table, counts, card = run.items.table, run.items.counts, run.benchmark.card
    evidence = run.evidence(variant)
    official = records_of(run.benchmark, evidence, score_rule, null_records(run.benchmark, run.items))
    null = null_analyses(card, run.items)
    records = with_null(analyse(card.id, card.analyses, table, evidence, counts, score_rule), null)
    if not official:
        raise RunError(f"{run.folder} has no numbers: none of the comparisons of its items has a winner to go by")
    scored = not evidence.beats
    top = headline([(record.metric, record.scope) for record in official])
    notes = [*run.manifest["notes"], *([run.note] if run.note else [])]
    if (problems := len(np.unique(table.cluster))) < MIN_CLUSTERS:
        notes.append(f"these are {problems} problems: too few to say anything of others")
    if not any(record.metric == "style_controlled" for record in records):
        notes.append(
            "no style control: there are too few pairs, all are won or lost, or length and markdown decide all of them"
        )
    if not scored:
        notes.append("no calibration and no distributions: the model compares answers and scores none")
    return Analysis(
        run.folder,
        run.manifest,
        variant,
        next(record for record in official if (record.metric, record.scope) == top),
        tuple(records),
        tuple(official),
        calibration_of(table, evidence) if scored else None,
        tuple(scores_by_subset(table, evidence)) if scored else (),
        tuple(notes),
    )


def null_analyses(card: Card, items: StoredItems) -> dict[str, list[Record]]:
    """What an analysis of the null baselines gives on the same items, ties always shared."""
    return {
        name: analyse(
            card.id, card.analyses, items.table, null_evidence(name, items.table, items.counts), items.counts, HALF
        )
        for name in NULL_SCORES
    }
