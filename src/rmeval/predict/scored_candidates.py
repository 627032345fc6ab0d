"""Candidates of best-of-N from run folders: the responses of runs on the same items, with the scores of each run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rmeval.data.tables import ItemTable
from rmeval.errors import RunError
from rmeval.messages import count_of
from rmeval.metrics.outcomes import SHARED
from rmeval.metrics.scoring.best_of_n import quality_of
from rmeval.predict.candidate_set import CandidateSet
from rmeval.results.align import ScoredRun, find_by_benchmark, run_names, shared_evidence, stopped_notes
from rmeval.results.places import Place, only_folder, places_of
from rmeval.results.result import check_rule, rule_of
from rmeval.results.texts import read_item_texts
from rmeval.store.run import NothingScoredError, read_scored
from rmeval.types import IntArray, Item, ScoreRule

__all__ = ["ScoredCandidates", "candidates_of_runs"]


@dataclass(frozen=True)
class ScoredCandidates:
    """Candidates of runs.

    Attributes:
        candidates: The prompts that all runs have.
        rule: The score rule.
        runs: The runs, whose first has the items.
        position: Position of each prompt in the first run.
        quality: What quality is: `gold`, or the name of the run whose scores it is.
    """

    candidates: CandidateSet
    rule: ScoreRule
    runs: tuple[ScoredRun, ...]
    position: IntArray
    quality: str

    def texts(self, names: Sequence[str]) -> tuple[Mapping[str, Item], list[str]]:
        """Return some prompts with their texts by id, where the run's data can be read, and notes on others.

        Raises:
            RunError: If the texts of none can be read.
        """
        places = dict(zip(self.candidates.ids, self.position.tolist(), strict=True))
        found, notes = read_item_texts(self.runs[0].run, [places[name] for name in names])
        return {name: found[places[name]] for name in names if places[name] in found}, notes


def candidates_of_runs(
    runs: Place | Iterable[Place],
    *,
    gold: Place | None = None,
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> ScoredCandidates:
    """Read runs on the same candidates, such as those of the benchmark best-of-n.

    Args:
        runs: Run folders, folders with runs in them, or results.
        gold: The run whose scores are the quality, such as that of a gold reward model or of a judge that rates.
        rule: Name of another rule for ties and failures.
        variant: Which of a model's scores to use; its first if None.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Raises:
        RunError: If a run cannot be used, or they have no item in common.
    """
    check_rule(rule)
    folders, notes = _folders(runs)
    scored: list[ScoredRun] = []
    for folder in folders:
        try:
            scored.append(_scored(folder, variant, benchmark, protocol, scored))
        except NothingScoredError as error:
            if len(folders) == 1:
                raise
            notes.append(f"a run is excluded: {error}")
    if not scored:
        raise RunError(f"none of these {len(folders)} runs has scores yet: run their commands again")
    used = rule_of((one.run for one in scored), rule)
    judge = None if gold is None else _scored(only_folder(gold), None, benchmark, protocol, scored)
    every = [*scored, *([judge] if judge else [])]
    evidence, shared, more = shared_evidence([one.run for one in every], [one.evidence for one in every], SHARED)
    table = scored[0].run.items.table.take(shared)
    names = run_names([(str(one.run.manifest["model"]["name"]), one.run.folder) for one in scored])
    found = CandidateSet(
        _source(scored),
        tuple(table.ids),
        table.offsets.astype(np.int64),
        evidence[-1].scores if judge else quality_of(table),
        _groups(table),
        table.cluster.astype(np.int64),
        tuple(table.subsets[code] for code in table.subset.tolist()),
        {name: own.scores for name, own in zip(names, evidence, strict=False)},
        (*notes, *more, *stopped_notes(one.run for one in every)),
    )
    quality = f"scores of {judge.run.manifest['model']['name']}" if judge else "gold"
    return ScoredCandidates(found, used, tuple(scored), np.flatnonzero(shared), quality)


def _folders(runs: Place | Iterable[Place]) -> tuple[list[Path], list[str]]:
    """Return the run folders of one benchmark, and notes.

    Raises:
        RunError: If there are runs of several benchmarks or data.
    """
    found = find_by_benchmark(places_of(runs))
    if len(found.folders) > 1:
        raise RunError(
            f"these are runs of {', '.join(sorted(found.folders))}: give runs on the same candidates, such as those in "
            "one of these folders"
        )
    return next(iter(found.folders.values())), list(found.notes)


def _scored(
    folder: Path, variant: str | None, benchmark: str | None, protocol: str | None, others: Sequence[ScoredRun]
) -> ScoredRun:
    """Read a run.

    Raises:
        RunError: If it has no score of each response.
    """
    run = read_scored(folder, benchmark, protocol, others[0].run if others else None)
    chosen = run.variant(variant)
    evidence = run.evidence(chosen)
    if np.isnan(evidence.scores).all():
        why = "compares responses" if evidence.beats else "has given no score"
        raise RunError(
            f"the model of {folder} {why}: best-of-N needs a score of each response, such as that of a reward model or "
            "of a judge that rates"
        )
    return ScoredRun(run, chosen, evidence)


def _groups(table: ItemTable) -> IntArray | None:
    """Return the groups of equal final answers, int64[responses]; None if no item has any."""
    known: list[list[int] | None] = [json.loads(shape.meta).get("groups") for shape in table.shapes]
    if not any(known):
        return None
    sizes = [len(shape.responses) for shape in table.shapes]
    every = [own or [-1] * size for own, size in zip(known, sizes, strict=True)]
    found: IntArray = np.array([group for code in table.shape.tolist() for group in every[code]], np.int64)
    return found


def _source(scored: Sequence[ScoredRun]) -> str:
    more = f" and {count_of(len(scored) - 1, 'more run')}" if len(scored) > 1 else ""
    return f"{scored[0].run.folder}{more}"
