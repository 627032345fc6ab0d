"""The result of a run: its manifest, and the numbers derived from its journal."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.baselines import NULL_SCORES
from rmeval.benchmarks import Benchmark
from rmeval.benchmarks.errata import errata_of
from rmeval.data.memory import release_free
from rmeval.data.observations import STATUSES, ObservationTable
from rmeval.data.tables import EvidenceTable
from rmeval.errors import (
    DamagedError,
    RunError,
    UnknownNameError,
    explain_os_error,
    explain_read_error,
    reason_of,
)
from rmeval.messages import chosen_from, count_of, quoted, same_tokens_note
from rmeval.metrics.noise import within_noise
from rmeval.metrics.outcomes import HALF, SCORE_RULES
from rmeval.metrics.records import checked_records, null_evidence, records_of
from rmeval.metrics.stats.intervals import INTERVALS
from rmeval.protocols import ProtocolLike
from rmeval.protocols.judging.presented import GivesVerdicts
from rmeval.results.fields import judging_from, list_from, number_from, record_from, text_from
from rmeval.results.frames import frame_of, row_of
from rmeval.results.judging import Judging, chance_records, family_notes, judging_of
from rmeval.results.noise import noise_note, noise_of
from rmeval.results.notebook import html_of
from rmeval.results.summary import result_lines
from rmeval.store.items import StoredItems
from rmeval.store.journal import journal_state
from rmeval.store.manifest import SCHEMA, only_run, read_json, read_manifest, run_id, write_json
from rmeval.store.parquet import stated_sum
from rmeval.store.requests import RequestTable
from rmeval.store.run import StoredRun, read_run
from rmeval.store.scores import write_scores
from rmeval.store.steady import steadily
from rmeval.types import Record, ScoreRule

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

__all__ = ["Result", "compute", "derive", "derived_fields", "null_records", "open_run", "write_derived"]


@dataclass(frozen=True)
class Result:
    """Numbers of one run.

    Attributes:
        path: The run folder.
        manifest: The contents of `run.json`.
        records: The numbers of the run.
        notes: Notes for the reader, one sentence each.
        same_tokens: Number of compared pairs of responses with different texts that become the same tokens.
        noise: The noise of a margin, see `rmeval.results.noise`; None if it is not known, as for imported scores.
        within_noise: Number of comparisons whose margin is above 0 and at most the noise.
        judging: For judges, outputs without a verdict and effects of the order of responses; None for other models.
    """

    path: Path
    manifest: Mapping[str, Any]
    records: tuple[Record, ...]
    notes: tuple[str, ...]
    same_tokens: int = 0
    noise: float | None = None
    within_noise: int | None = None
    judging: Judging | None = None

    @property
    def publishable(self) -> bool:
        """Whether at most 2% of a judge's outputs lack a verdict; always true for other models."""
        return self.judging is None or self.judging.publishable

    def record(self, metric: str, scope: str = "all", variant: str | None = None) -> Record:
        """Return the record of a metric on a scope, for the model's first score if it has several.

        Raises:
            UnknownNameError: If there is no such record; the message lists the existing ones.
        """
        variants = list(dict.fromkeys(record.variant for record in self.records))
        if variant is not None and variant not in variants:
            raise UnknownNameError(f"no variant {variant!r}: choose from {', '.join(variants)}")
        for record in self.records:
            if (record.metric, record.scope) == (metric, scope) and variant in (None, record.variant):
                return record
        there = sorted({f"{record.metric} {record.scope}" for record in self.records if ":" not in record.metric})
        raise UnknownNameError(f"no {metric!r} on {scope!r}: choose from {', '.join(there)}")

    def value(self, metric: str, scope: str = "all", variant: str | None = None) -> float:
        """Return the value of a metric on a scope, such as `value("hard", "chat")`; accuracies are between 0 and 1."""
        return self.record(metric, scope, variant).value

    def to_pandas(self) -> pd.DataFrame:
        """A table with a row for each record; null baselines in columns `null_<name>`, the interval in two."""
        model = {"model": self.manifest["model"]["name"]}
        return frame_of([model | row_of(record) for record in self.records])

    def __repr__(self) -> str:
        return result_lines(self)

    def _repr_html_(self) -> str | None:
        return html_of(self)


def open_run(
    path: str | Path, rule: str | None = None, benchmark: str | None = None, protocol: str | None = None
) -> Result:
    """Read the numbers of a run, or compute them if `metrics.json` is missing or outdated; needs no model.

    Args:
        path: A run folder, or a folder with one run in it.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        benchmark: The `file.py:Class` of a run made with one; code that a run folder names never runs without it.
        protocol: Likewise the `file.py:Class` of the run's protocol.

    Raises:
        RunError: If the path is not that of a run folder, or the score rule does not exist.
    """
    check_rule(rule)
    if not isinstance(path, str | Path):
        raise RunError(f"a run is a {type(path).__name__}: give the path of its folder")
    if not str(path):
        raise RunError("the run's path is empty: give a run folder, or . for the current folder")
    folder = only_run(Path(path))
    known, current = steadily(folder, lambda: _known(folder, rule))
    if known is not None and current:
        return known
    try:
        return derive(folder, rule, benchmark, protocol)
    except RunError:
        if known is None:
            raise
        # Such as without the code of a custom benchmark: the values are right, and the intervals name their method.
        return replace(known, notes=(*known.notes, _EARLIER))


_EARLIER = "the intervals are those of an earlier version of rmeval, since the numbers cannot be computed again here"


def _known(folder: Path, rule: str | None) -> tuple[Result | None, bool]:
    """The numbers in `metrics.json`, and whether their intervals are today's; None if they must be computed."""
    manifest = read_manifest(folder)
    file = folder / "metrics.json"
    try:
        stored = read_json(file)
        if stored["schema"] > SCHEMA:
            return None, False
        if (own := stored.get("run")) is not None and own != run_id(manifest["identity"]):
            raise DamagedError(f"{file} belongs to another run ({own})")
        if not _is_of_these(folder, stored):
            return None, False
        records = tuple(record_from(fields) for fields in list_from(stored["records"]))
        notes, same = tuple(map(text_from, list_from(stored["notes"]))), number_from(stored.get("same_tokens", 0), int)
        judging = judging_from(stored["judging"]) if "judging" in stored else None
        noise, close = (
            None if stored.get(name) is None else number_from(stored[name], kind)
            for name, kind in (("noise", float), ("within_noise", int))
        )
    except FileNotFoundError:
        return None, False
    except OSError as error:
        if not isinstance(reason := explain_read_error(error, file), DamagedError):
            raise reason from error
        logger.warning("%s: computing the numbers again from the journal", reason)
        return None, False
    except DamagedError as error:
        logger.warning("%s: computing the numbers again from the journal", error)
        return None, False
    except (ArithmeticError, AttributeError, ValueError, LookupError, TypeError) as error:
        logger.warning("%s is damaged (%s): computing the numbers again from the journal", file, reason_of(error))
        return None, False
    if rule is not None and any(record.rule != rule for record in records):
        return None, False
    known = Result(folder, manifest, records, notes, same, noise, close, judging)
    return known, stored.get("intervals") == INTERVALS


def _is_of_these(folder: Path, stored: Mapping[str, Any]) -> bool:
    """Whether the numbers belong to the folder's items and journal, if they state that.

    A copy may mix files from two points in time.
    """
    held = {"items": stated_sum(folder / "items.parquet"), "journal": journal_state(folder / "journal")}
    return all(own is None or stored.get(name) in (None, own) for name, own in held.items())


def check_rule(rule: str | None) -> None:
    """Raise an error for an unknown score rule.

    Raises:
        RunError: If the score rule does not exist.
    """
    if rule is not None and rule not in SCORE_RULES:
        raise RunError(f"{rule!r} is not a score rule: {chosen_from(rule, SCORE_RULES)}")


def rule_of(runs: Iterable[StoredRun], rule: str | None) -> ScoreRule:
    """The score rule with a name; if None, the one that all runs of a benchmark have in common.

    That is the rule of their protocols, if it is part of each of them and the same, and otherwise the benchmark's.
    """
    taking = list(runs)
    return common_rule(taking[0].benchmark, [one.protocol for one in taking], rule)


def common_rule(benchmark: Benchmark, protocols: Iterable[ProtocolLike], rule: str | None = None) -> ScoreRule:
    """The score rule with a name; if None, the rule of all protocols, or the benchmark's; see `rule_of`."""
    own = {one.rule if isinstance(one, GivesVerdicts) else None for one in protocols}
    name = rule or (own.pop() if len(own) == 1 else None)
    return benchmark.card.rule if name is None else SCORE_RULES[name]


def derive(folder: Path, rule: str | None = None, benchmark: str | None = None, protocol: str | None = None) -> Result:
    """Compute the numbers of a run from its manifest, items and journal.

    Args:
        folder: The run folder.
        rule: Name of the rule for ties and failures; the benchmark's own if None.
        benchmark: Its benchmark, if that is a `file.py:Class`.
        protocol: Its protocol, if that is a `file.py:Class`.

    Raises:
        RunError: If a file is missing or damaged, or the benchmark or protocol must be given.
    """
    check_rule(rule)
    return compute(read_run(folder, benchmark, protocol), rule)


def compute(run: StoredRun, rule: str | None = None) -> Result:
    """The numbers of a run, from the contents of its files."""
    score_rule = rule_of([run], rule)
    records: list[Record] = []
    notes = list(run.manifest["notes"])
    null = null_records(run.benchmark, run.items)
    notes += run.protocol.notes(run.observations, run.requests.rows)
    if same := run.protocol.same_tokens(run.items.table, run.observations, run.requests.rows):
        notes.append(same_tokens_note(same))
    noise, close, judging = noise_of(run.manifest), None, None
    for number, variant in enumerate(run.variants):
        evidence = run.evidence(variant)
        if number == 0 and (judging := judging_of(run, evidence, score_rule, null)) is not None:
            notes += [*judging.notes, *family_notes(str(run.manifest["model"]["name"]), run.items.table)]
        if number == 0 and noise is not None:
            counts = within_noise(evidence, noise)
            close = sum(counts.values())
            notes += [noise_note(counts, noise)] if close else []
        found = records_of(run.benchmark, evidence, score_rule, chance_records(run, score_rule, null, variant))
        found += _without_errata(run, evidence, score_rule, found)
        records += found
        trouble = _trouble(evidence, run.requests, run.observations, counted=judging is None)
        notes += [note for note in trouble if note not in notes]
    notes += _session_notes(run.manifest["sessions"])
    if run.note:
        notes.append(run.note)
    if not records:
        notes.append("there are no numbers, because no comparison of these items has a winner")
    return Result(run.folder, run.manifest, tuple(records), tuple(notes), same, noise, close, judging)


def _session_notes(sessions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield notes on what the sessions of a run recorded."""
    if twice := max((session.get("double_bos", 0) for session in sessions), default=0):
        yield (
            f"{count_of(twice, 'conversation')} with two BOS tokens at the beginning, which the chat template writes: "
            "check it"
        )
    if parted := max((session.get("prompt_parted", 0) for session in sessions), default=0):
        yield (
            f"{count_of(parted, 'conversation')} without the rendered prompt at the beginning, so part of the prompt "
            "may count as response: check the chat template"
        )
    if unused := next((session["unused_weights"] for session in sessions if session.get("unused_weights")), None):
        yield f"{count_of(len(unused), 'weight')} of the checkpoint not used (first: {unused[0]}): see run.json"
    if len({(session.get("torch"), session.get("transformers")) for session in sessions}) > 1:
        yield "scored under more than one version of torch or transformers: see sessions in run.json"


WITHOUT_ERRATA = "without_errata"
"""The metric of numbers that exclude items with errata; the scope names the number's metric and scope."""


def _without_errata(run: StoredRun, evidence: EvidenceTable, rule: ScoreRule, found: Sequence[Record]) -> list[Record]:
    """The numbers that items with errata affect, computed without those items; single cells are omitted."""
    known = errata_of(run.benchmark.card)
    sound = np.array([name not in known for name in run.items.table.ids]) if known else np.ones(0, bool)
    if sound.all() or not sound.any():
        return []
    items, own = run.items.take(sound), evidence.take(sound)
    counts = {(record.metric, record.scope): record.n_items for record in found}
    records = records_of(run.benchmark, own, rule, null_records(run.benchmark, items))
    return [
        replace(record, metric=WITHOUT_ERRATA, scope=f"{record.metric} {record.scope}")
        for record in records
        if not record.metric.startswith("cell:") and record.n_items < counts[record.metric, record.scope]
    ]


def write_derived(result: Result, run: StoredRun) -> None:
    """Write `metrics.json` and `scores.parquet`."""
    file = result.path / "scores.parquet"
    release_free()  # Intermediate columns are not needed any more.
    own, journal = run_id(run.manifest["identity"]), journal_state(result.path / "journal")
    try:
        write_scores(run.items.table, run.protocol, run.requests, run.observations, file, own, journal)
    except OSError as error:
        raise explain_os_error(error, str(file)) from error
    write_json(result.path / "metrics.json", derived_fields(result, journal))


def derived_fields(result: Result, journal: str | None = None) -> dict[str, Any]:
    """The contents of `metrics.json`; `journal` is the state of the run's journal, which is read if None."""
    judging = {} if result.judging is None else {"publishable": result.publishable, "judging": result.judging.to_dict()}
    return {
        "schema": SCHEMA,
        "intervals": INTERVALS,
        "records": [record.to_dict() for record in result.records],
        "notes": list(result.notes),
        "same_tokens": result.same_tokens,
        "noise": result.noise,
        "within_noise": result.within_noise,
        **judging,
        "run": run_id(result.manifest["identity"]),
        "items": stated_sum(result.path / "items.parquet"),
        "journal": journal_state(result.path / "journal") if journal is None else journal,
    }


def null_records(benchmark: Benchmark, stored: StoredItems) -> dict[str, list[Record]]:
    """The numbers of the null baselines on the same items, always with shared ties.

    Random scores get the numbers of equal scores, unless the benchmark's `chance` defines others.
    """
    found: dict[str, list[Record]] = {}
    for name in NULL_SCORES:
        evidence = null_evidence(name, stored.table, stored.counts)
        found[name] = checked_records(benchmark.aggregate(stored.table, evidence, HALF, intervals=False))
        del evidence  # One at a time, because it is as large as the model's evidence.
    if own := _chance(benchmark, stored):
        found["random"] = [replace(r, value=own.get((r.metric, r.scope), r.value)) for r in found["random"]]
    return found


def _chance(benchmark: Benchmark, stored: StoredItems) -> Mapping[tuple[str, str], float]:
    """What random scores get, by metric and scope; a benchmark from outside may give anything."""
    own: Any = benchmark.chance(stored.table)
    if not isinstance(own, Mapping) or not all(isinstance(value, Real) for value in own.values()):
        raise RunError(f"chance() of the benchmark returns {quoted(own)}: return numbers by (metric, scope)")
    return {name: float(value) for name, value in own.items()}


def _trouble(
    evidence: EvidenceTable, requests: RequestTable, observations: ObservationTable, counted: bool
) -> list[str]:
    """A note for each status without a score, if these are to be counted here, and the first error message."""
    notes = [
        f"{count_of(count, 'response')} without a score ({status}): the score rule defines how this counts"
        for status, count in evidence.failures.items()
        if counted
    ]
    if "error" in evidence.failures:
        rows = requests.rows[observations.status[requests.rows] == STATUSES.index("error")].tolist()
        if error := next((observations.errors[row] for row in rows if row in observations.errors), None):
            notes.append(f"the first error: {error}")
    truncated = observations.input_truncated
    if truncated is not None and (cut := int(truncated[np.unique(requests.rows)].sum())):
        notes.append(f"cut to fit: {count_of(cut, 'conversation')}")
    return notes
