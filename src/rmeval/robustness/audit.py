"""Audits: what changes the verdicts of a judge or a reward model although the better response stays the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.benchmarks import BenchmarkLike
from rmeval.errors import RunError
from rmeval.messages import count_of, percent
from rmeval.models import ModelOptions, RewardModel
from rmeval.models.judge.model import Judge
from rmeval.plugins import is_file_spec
from rmeval.protocols.judging.options import WORDINGS
from rmeval.protocols.registry import judge_protocol, load_protocol
from rmeval.results.frames import frame_of
from rmeval.results.notebook import html_of
from rmeval.robustness.effects import (
    Pending,
    Rate,
    position_effects,
    repeat_rates,
    self_preference_effects,
    verbosity_effects,
    wording_effects,
)
from rmeval.robustness.parts import OWN, PADDED, PAIRS, PROBES, SMALLEST, WORDING, Parts, Probing
from rmeval.robustness.tested import AuditedEffect, tested
from rmeval.robustness.verdicts import verdicts_of
from rmeval.runs.dry_run import DryRun, dry_run
from rmeval.runs.observe import Progress, silent
from rmeval.runs.plan import Plan, plan
from rmeval.runs.runner import run
from rmeval.runs.select import Selection
from rmeval.store.manifest import finite
from rmeval.store.run import StoredRun, read_run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PROBES", "SMALLEST", "Audit", "AuditedEffect", "Probing", "audit_calls", "audit_model"]

Interval = tuple[float, float]


@dataclass(frozen=True)
class Audit:
    """What changes the verdicts of a model.

    Attributes:
        model: Name of the model.
        benchmark: The benchmark's id.
        smallest: The smallest effect that matters, as a share.
        effects: The effects and rates.
        runs: The run folder of each part.
        left_out: Why a probe was left out, by probe.
        accuracy: Accuracy on the unchanged pairs.
        notes: Notes for the reader, one sentence each.
    """

    model: str
    benchmark: str
    smallest: float
    effects: tuple[AuditedEffect, ...]
    runs: Mapping[str, Path]
    left_out: Mapping[str, str]
    accuracy: float
    notes: tuple[str, ...] = field(repr=False)

    @property
    def found(self) -> list[AuditedEffect]:
        """The effects that are found."""
        return [one for one in self.effects if one.conclusion == "found"]

    def effect(self, probe: str, name: str = "") -> AuditedEffect:
        """Return an effect; the first of its probe if no name is given.

        Raises:
            RunError: If there is none; the message lists the existing ones.
        """
        for one in self.effects:
            if one.probe == probe and name in ("", one.name):
                return one
        there = "; ".join(f"{one.probe}: {one.name}" for one in self.effects)
        raise RunError(f"there is no effect {' '.join(filter(None, (probe, name)))}: the effects are {there}")

    def to_dict(self) -> dict[str, Any]:
        """Return the audit as plain JSON types."""
        found: dict[str, Any] = finite(asdict(self) | {"runs": {name: str(path) for name, path in self.runs.items()}})
        return found

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each effect."""
        return frame_of([asdict(one) for one in self.effects])

    def __repr__(self) -> str:
        lines = [
            f"  {one.probe}: {one.name} {_shown(one)} ({one.conclusion})" for one in self.effects if one.conclusion
        ]
        return "\n".join([f"audit of {self.model} on {self.benchmark}", *lines])

    def _repr_html_(self) -> str | None:
        return html_of(self)


def _shown(one: AuditedEffect) -> str:
    return percent(one.value) if one.unit == "share" else f"{one.value:+.2f}"


def audit_model(
    model: RewardModel,
    benchmark: BenchmarkLike,
    selection: Selection,
    out: Path,
    probing: Probing = Probing(),  # noqa: B008  frozen
    *,
    store_text: bool = False,
    break_lock: bool = False,
    progress: Progress = silent,
) -> Audit:
    """Audit a judge or a reward model.

    Args:
        model: The model.
        benchmark: The benchmark whose responses are used.
        selection: The selection of its items, of each of which one pair is used.
        out: Folder of runs; an interrupted audit is continued.
        probing: What is probed.
        store_text: Whether run folders contain texts.
        break_lock: Whether to override a lock that another process seems to hold.
        progress: Called with the number of requests of a part that are done and their total.

    Raises:
        RmevalError: If the user must change something.
    """

    def observe(one: RewardModel, planned: Plan) -> Path:
        return run(one, planned, out, store_text=store_text, break_lock=break_lock, progress=progress).path

    asking = model.asking if isinstance(model, Judge) else load_protocol(model.protocol).protocol
    parts = Parts(model.name, asking, plan(benchmark, selection), probing)
    own_code = model.protocol if is_file_spec(model.protocol) else None
    runs: dict[str, StoredRun] = {}
    for part in parts.every:
        varied = parts.varied(part)
        one = model if not isinstance(model, Judge) or varied is None else Judge(model.backend, varied, model.name)
        runs[part.name] = read_run(observe(one, part.plan), protocol=own_code)
    plain = runs[PAIRS]
    return Audit(
        model.name,
        parts.benchmark,
        probing.smallest,
        tuple(tested(list(_effects(parts.probes, runs)), probing.smallest)),
        {name: found.folder for name, found in runs.items()},
        parts.left_out,
        _accuracy(plain),
        (*parts.notes, *_failures(runs)),
    )


def audit_calls(
    spec: str, benchmark: BenchmarkLike, selection: Selection, out: Path, probing: Probing, options: ModelOptions
) -> list[DryRun]:
    """Count what the parts of a judge's audit would send; nothing is sent.

    Args:
        spec: The model, as for `dry_run`.
        benchmark: As for `audit_model`.
        selection: Likewise.
        out: Likewise; results that it has are not counted again.
        probing: Likewise.
        options: Protocol, server and prices of the judge.

    Raises:
        RmevalError: If the model is no judge, or a price is missing.
    """
    if options.judge.protocol is None:
        raise RunError("`dry_run` counts the calls of a judge: give its `protocol`, or leave `dry_run` out")
    parts = Parts(options.served_model or spec, judge_protocol(options.judge), plan(benchmark, selection), probing)
    found = []
    for part in parts.every:
        varied = parts.varied(part)
        assert varied is not None
        own = replace(options.judge, votes=varied.options.votes, order=varied.options.order, wording=part.wording)
        one = dry_run(spec, part.plan, replace(options, judge=own), out)
        found.append(replace(one, benchmark=part.name))
    return found


def _effects(probes: Sequence[str], runs: Mapping[str, StoredRun]) -> Iterator[Pending | Rate]:
    """Yield the effects of all probes."""
    plain = runs[PAIRS]
    if "position" in probes:
        yield from position_effects(plain)
    if PADDED in runs:
        yield from verbosity_effects(runs[PADDED])
    if OWN in runs:
        yield from self_preference_effects(runs[OWN])
    if others := {number: runs[name] for number in range(1, WORDINGS + 1) if (name := f"{WORDING} {number}") in runs}:
        yield from wording_effects(plain, others)
    if "repeats" in probes:
        yield from repeat_rates(plain)


def _accuracy(plain: StoredRun) -> float:
    better = verdicts_of(plain).better
    return float(np.nanmean(better)) if not np.isnan(better).all() else math.nan


def _failures(runs: Mapping[str, StoredRun]) -> Iterator[str]:
    for name, read in runs.items():
        missing = int((~read.observations.has_value[read.requests.rows]).sum())
        if missing:
            yield f"{name}: {count_of(missing, 'request')} of {len(read.requests.rows)} without a verdict, left out"
