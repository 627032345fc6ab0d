"""Scorers on a finished benchmark: null baselines, forms, the embedded model, and runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from rmeval.baselines import BASELINES
from rmeval.benchmarks import Benchmark
from rmeval.build.assemble.items import CountedItems
from rmeval.build.report.forms import FORMS, form_evidence
from rmeval.errors import RunError
from rmeval.metrics.outcomes import HALF
from rmeval.metrics.records import null_evidence
from rmeval.metrics.scoring.style_substance import LEVELS
from rmeval.models import load_model
from rmeval.runs.plan import Plan
from rmeval.runs.runner import run
from rmeval.store.manifest import only_run
from rmeval.store.run import StoredRun, read_scored
from rmeval.types import Record

__all__ = ["EMBEDDED", "Levels", "Scorer", "baseline_scorers", "form_scorers", "model_scorers", "read_runs"]

EMBEDDED = "rmeval/tiny"
Kind = Literal["baseline", "form", "model"]
Ends = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Levels:
    """Accuracies of a scorer in a domain.

    Attributes:
        domain: The domain, or `all`.
        easy: Accuracy where the chosen response has the fancier style.
        normal: Accuracy where both have the same style.
        hard: Accuracy where the rejected response has the fancier style.
        intervals: 95% intervals of the three, over problems; None with too few.
    """

    domain: str
    easy: float
    normal: float
    hard: float
    intervals: tuple[Ends | None, Ends | None, Ends | None]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A scorer and its accuracies.

    Attributes:
        name: Its name.
        kind: Whether it is a null baseline, sees only the form of a response, or is a reward model.
        levels: Its accuracies by domain.
        credit: Mean credit of each item's comparisons, by item id; only of models.
    """

    name: str
    kind: Kind
    levels: tuple[Levels, ...]
    credit: Mapping[str, float]


def baseline_scorers(benchmark: Benchmark, counted: CountedItems) -> Iterator[Scorer]:
    """Yield the null baselines; ties count one half."""
    for name in BASELINES:
        evidence = null_evidence(name, counted.table, counted.counts)
        yield Scorer(name, "baseline", _levels(benchmark.aggregate(counted.table, evidence, HALF)), {})


def form_scorers(benchmark: Benchmark, counted: CountedItems) -> Iterator[Scorer]:
    """Yield the models of form, which are cross-validated over problems; ties count one half."""
    for name in FORMS:
        evidence = form_evidence(name, counted.items, counted.table, benchmark.card.sections)
        yield Scorer(name, "form", _levels(benchmark.aggregate(counted.table, evidence, HALF)), {})


def read_runs(places: Sequence[Path], planned: Plan) -> list[StoredRun]:
    """Read runs on the benchmark.

    Raises:
        RunError: If one is of other items.
    """
    found = []
    for place in places:
        folder = only_run(place)
        own = read_scored(folder)
        if own.manifest["identity"].get("contents") != planned.contents:
            raise RunError(
                f"{folder} is a run on {own.benchmark.card.id} with other items: give one with the "
                f"`benchmark` {planned.benchmark.data}"
            )
        found.append(own)
    return found


def model_scorers(planned: Plan, runs: Sequence[StoredRun], out: Path, notes: list[str]) -> Iterator[Scorer]:
    """Yield the embedded model, which is run once, and the models of runs.

    Args:
        planned: The benchmark's items.
        runs: Runs on them.
        out: Folder for the run of the embedded model.
        notes: Gets a note if that model cannot be run, and the notes of its run.

    Raises:
        RmevalError: If the embedded model fails.
    """
    if missing := [name for name in ("torch", "transformers") if find_spec(name) is None]:
        notes.append(f"{EMBEDDED} is left out, since it needs the package {missing[0]}: pip install 'rmeval[hf]'")
    else:
        # One long response must not cost the report; the end of a conversation is the response.
        ran = run(load_model(EMBEDDED, on_overlength="truncate-left"), planned, out)
        notes.extend(f"{EMBEDDED}: {note}" for note in ran.notes)
        yield _of_run(read_scored(ran.path))
    for one in runs:
        yield _of_run(one)


def _of_run(found: StoredRun) -> Scorer:
    rule = found.benchmark.card.rule
    evidence = found.evidence(found.variants[0])
    outcomes = found.benchmark.outcomes(found.items.table, evidence, rule)
    known = ~np.isnan(outcomes.credit)
    counts = np.bincount(outcomes.item[known], minlength=outcomes.n_items)
    sums = np.bincount(outcomes.item[known], outcomes.credit[known], outcomes.n_items).astype(np.float64)
    credit = {
        name: total / count
        for name, total, count in zip(found.items.table.ids, sums.tolist(), counts.tolist(), strict=True)
        if count
    }
    records = found.benchmark.aggregate(found.items.table, evidence, rule)
    return Scorer(str(found.manifest["model"]["name"]), "model", _levels(records), credit)


def _levels(records: Sequence[Record]) -> tuple[Levels, ...]:
    by = {(one.metric, one.scope): one for one in records}
    found = []
    for scope in dict.fromkeys(one.scope for one in records):
        if all((level, scope) in by for level in LEVELS[:3]):
            easy, normal, hard = (by[level, scope] for level in LEVELS[:3])
            found.append(Levels(scope, easy.value, normal.value, hard.value, (easy.ci, normal.ci, hard.ci)))
    return tuple(found)
