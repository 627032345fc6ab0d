"""Analysis of one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.baselines import NULL_SCORES
from rmeval.benchmarks import Card
from rmeval.errors import RunError, UnknownNameError
from rmeval.messages import count_of
from rmeval.metrics.composition import absence, headline
from rmeval.metrics.outcomes import HALF
from rmeval.metrics.records import null_evidence, records_of, with_null
from rmeval.metrics.stats.analysis import Scores, analyse, calibration_of, scores_by_subset
from rmeval.metrics.stats.calibration import Calibration
from rmeval.metrics.stats.detection import Detection
from rmeval.metrics.stats.intervals import MIN_CLUSTERS
from rmeval.results.confidence import Decisions, decisions_of
from rmeval.results.frames import frame_of, row_of
from rmeval.results.label_errors import CorrectedNumbers, Share, corrected_numbers
from rmeval.results.notebook import html_of
from rmeval.results.places import Place, only_folder
from rmeval.results.result import check_rule, null_records, rule_of
from rmeval.results.summary import analysis_lines
from rmeval.store.items import StoredItems
from rmeval.store.manifest import finite
from rmeval.store.run import StoredRun, read_scored
from rmeval.types import Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Analysis", "Analyzer", "analyze_run", "null_analyses"]


@dataclass(frozen=True)
class Analysis:
    """The analysis of a run.

    Attributes:
        path: The run folder.
        manifest: The contents of `run.json`.
        variant: The score of the model that the analysis uses.
        headline: The benchmark's headline number; None if no number stands for all items.
        records: The numbers of the analysis, see `rmeval.metrics.stats.analysis.analyse`.
        official: The benchmark's own numbers.
        calibration: Calibration of the margins; for a model that compares responses, of its probabilities or verdicts.
            None without pairs.
        scores: Distributions of the scores of better and worse responses, by subset; empty if the model has no scores
            of single responses.
        notes: Notes for the reader, one sentence each.
        corrected: Numbers corrected for label errors; None if nothing is known of these.
        detection: Confidence as a detector of right decisions; None if all decisions are right, or all are wrong.
        confidence: What confidence comes from, see `rmeval.results.confidence.Decisions`.
    """

    path: Path
    manifest: Mapping[str, Any]
    variant: str
    headline: Record | None
    records: tuple[Record, ...]
    official: tuple[Record, ...]
    calibration: Calibration | None
    scores: tuple[Scores, ...]
    notes: tuple[str, ...]
    corrected: CorrectedNumbers | None = None
    detection: Detection | None = None
    confidence: str = "scores"

    def record(self, metric: str, scope: str = "all") -> Record:
        """Return the record of a metric on a scope.

        Raises:
            UnknownNameError: If there is no such record; the message lists the existing ones.
        """
        for record in self.records:
            if (record.metric, record.scope) == (metric, scope):
                return record
        there = ", ".join(f"{record.metric} {record.scope}" for record in self.records)
        raise UnknownNameError(f"no {metric!r} on {scope!r}: choose from {there}")

    @property
    def absent(self) -> str:
        """Why the official headline does not exist; empty if it does."""
        return absence([(record.metric, record.scope) for record in self.official], self.notes)

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each number of the analysis; columns as in `Result.to_pandas`."""
        model = {"model": self.manifest["model"]["name"]}
        return frame_of([model | row_of(record) for record in self.records])

    def __repr__(self) -> str:
        return analysis_lines(self)

    def _repr_html_(self) -> str | None:
        return html_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain JSON types, without the distributions."""
        calibration = None
        if self.calibration is not None:
            calibration = {
                name: value.tolist() if hasattr(value, "tolist") else value
                for name, value in asdict(self.calibration).items()
            }
        found: dict[str, Any] = finite(
            {
                "path": str(self.path),
                "benchmark": self.official[0].benchmark,
                "model": self.manifest["model"]["name"],
                "variant": self.variant,
                "rule": self.official[0].rule,
                "headline": None if self.headline is None else self.headline.to_dict(),
                "records": [record.to_dict() for record in self.records],
                "calibration": calibration,
                "confidence": self.confidence,
                "detection": None if self.detection is None else asdict(self.detection),
                "corrected": None if self.corrected is None else self.corrected.to_dict(),
                "notes": list(self.notes),
            }
        )
        return found


def analyze_run(
    path: Place,
    *,
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
    label_agreement: Share | Mapping[str, Share] | None = None,
    label_errors: Share | Mapping[str, Share] | None = None,
) -> Analysis:
    """Analyse a run; needs neither the model nor torch.

    Args:
        path: A run folder, a folder with one run in it, or a result.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        variant: Which of the model's scores to take, where it gives several; its first if None.
        benchmark: The `file.py:Class` of a run made with one.
        protocol: Likewise the `file.py:Class` of the run's protocol.
        label_agreement: How often two annotators agree on a label, to correct the numbers for label errors: a share
            such as 0.85, or counts such as `170/200`, whose uncertainty the intervals then include; or one of these for
            each subset or section. Default: what the benchmark's card has.
        label_errors: Instead of it the share of wrong labels, likewise; or `errata` for the known errata.

    Raises:
        RunError: If the path is not a run folder, or the score rule or score does not exist.
        DataError: If the label errors cannot be used.
    """
    analyzer = Analyzer(
        rule=rule,
        variant=variant,
        benchmark=benchmark,
        protocol=protocol,
        label_agreement=label_agreement,
        label_errors=label_errors,
    )
    return analyzer.analyze(analyzer.read(path))


class Analyzer:
    """Analyses runs, one after the other; runs on the same items share these and their null baselines."""

    def __init__(
        self,
        *,
        rule: str | None = None,
        variant: str | None = None,
        benchmark: str | None = None,
        protocol: str | None = None,
        label_agreement: Share | Mapping[str, Share] | None = None,
        label_errors: Share | Mapping[str, Share] | None = None,
    ) -> None:
        """Store how the runs are read; the parameters are those of `analyze_run`.

        Raises:
            RunError: If the score rule does not exist.
        """
        check_rule(rule)
        self._rule, self._variant, self._benchmark, self._protocol = rule, variant, benchmark, protocol
        self._label_agreement, self._label_errors = label_agreement, label_errors
        self._like: StoredRun | None = None
        self._null: tuple[dict[str, list[Record]], dict[str, list[Record]]] = {}, {}

    def read(self, path: Place) -> StoredRun:
        """Read a run, and compute the null baselines unless its items are those of the run before it."""
        run = read_scored(only_folder(path), self._benchmark, self._protocol, self._like)
        like = self._like
        if like is None or run.items is not like.items or run.manifest["benchmark"] != like.manifest["benchmark"]:
            self._null = null_records(run.benchmark, run.items), null_analyses(run.benchmark.card, run.items)
            self._like = run
        return run

    def analyze(self, run: StoredRun) -> Analysis:
        """Analyse a run that `read` returned last; see `analyze_run`."""
        score_rule = rule_of([run], self._rule)
        variant = run.variant(self._variant)
        table, counts, card = run.items.table, run.items.counts, run.benchmark.card
        evidence = run.evidence(variant)
        official = records_of(run.benchmark, evidence, score_rule, self._null[0])
        records = with_null(analyse(card.id, card.analyses, table, evidence, counts, score_rule), self._null[1])
        if not official:
            raise RunError(f"{run.folder} has no numbers, because no comparison of its items has a winner")
        scored = not evidence.beats
        decided = decisions_of(run, evidence)
        top = headline([(record.metric, record.scope) for record in official])
        return Analysis(
            run.folder,
            run.manifest,
            variant,
            next((record for record in official if (record.metric, record.scope) == top), None),
            tuple(records),
            tuple(official),
            calibration_of(table, evidence) if scored else decided.calibration(table),
            tuple(scores_by_subset(table, evidence)) if scored else (),
            tuple(_notes(run, records, decided)),
            corrected_numbers(run, evidence, score_rule, official, self._label_agreement, self._label_errors),
            decided.detection(table),
            decided.source,
        )


def _notes(run: StoredRun, records: Sequence[Record], decided: Decisions) -> Iterator[str]:
    yield from run.manifest["notes"]
    if run.note:
        yield run.note
    if (problems := len(np.unique(run.items.table.cluster))) < MIN_CLUSTERS:
        yield f"{count_of(problems, 'problem')}: too few for intervals"
    if not any(record.metric == "style_controlled" for record in records):
        yield (
            "no style control: there are too few pairs, all are won, all are lost, or length and markdown decide all "
            "of them"
        )
    if decided.source == "scores":
        return
    yield "no distributions of scores, because the model compares responses"
    if unknown := int((~decided.known).sum()):
        yield f"{count_of(unknown, 'decision')} without a verdict in each order: not part of calibration and AUROC"


def null_analyses(card: Card, items: StoredItems) -> dict[str, list[Record]]:
    """The analysis of the null baselines on the same items, without intervals, always with shared ties."""
    return {
        name: analyse(
            card.id,
            card.analyses,
            items.table,
            null_evidence(name, items.table, items.counts),
            items.counts,
            HALF,
            intervals=False,
        )
        for name in NULL_SCORES
    }
