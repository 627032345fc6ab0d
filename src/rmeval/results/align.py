"""Alignment of several runs on their common items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rmeval.data.item_list import list_notes
from rmeval.data.tables import Codes, EvidenceTable, ItemTable, Mask
from rmeval.errors import RunError
from rmeval.messages import count_of
from rmeval.results.described import stopped_text
from rmeval.results.groups import by_data
from rmeval.store.items import StoredItems
from rmeval.store.manifest import Manifest, find_runs, read_manifest
from rmeval.store.run import NothingScoredError, StoredRun, read_scored
from rmeval.types import FloatArray, IntArray, ScoreRule

__all__ = [
    "FoundRuns",
    "NothingSharedError",
    "ScoredRun",
    "find_by_benchmark",
    "judged_otherwise",
    "moved_evidence",
    "places_in",
    "refuse_other_cells",
    "run_names",
    "scored_runs",
    "shared_evidence",
    "stopped_notes",
]


@dataclass(frozen=True)
class ScoredRun:
    """A run, and which of its model's scores to use.

    Attributes:
        run: The run.
        variant: The name of the score.
        evidence: The run's evidence by that score.
    """

    run: StoredRun
    variant: str
    evidence: EvidenceTable


class NothingSharedError(RunError):
    """The runs of one benchmark cannot be compared; those of another may be."""


@dataclass(frozen=True)
class FoundRuns:
    """Run folders by benchmark.

    Attributes:
        folders: The folders, by benchmark id; by id and data, if runs of one benchmark are on different data.
        named: Those that the caller names; the others were found below a folder.
        notes: A note on each that is left out.
    """

    folders: Mapping[str, list[Path]]
    named: Collection[Path]
    notes: tuple[str, ...]


def find_by_benchmark(paths: Sequence[str | Path], least: int = 2) -> FoundRuns:
    """Return the run folders at or below some paths, each once; one below a path that is damaged is left out.

    Args:
        paths: The paths.
        least: Number of runs of a benchmark that the caller needs.

    Raises:
        RunError: If there is none, a named one cannot be read, or so many cannot be read that there are too few.
    """
    named = {path.resolve() for path in map(Path, paths) if find_runs(path) == [path]}
    folders = list(dict.fromkeys(found.resolve() for path in paths for found in find_runs(Path(path))))
    if not folders:
        raise RunError(f"there are no runs in {', '.join(map(str, paths))}: give folders that `rmeval run` wrote")
    found: dict[str, dict[Path, Manifest]] = {}
    refused: list[RunError] = []
    for folder in folders:
        try:
            manifest = read_manifest(folder)
        except RunError as error:
            if folder in named:
                raise
            refused.append(error)
        else:
            found.setdefault(manifest["benchmark"]["id"], {})[folder] = manifest
    if refused and not any(len(own) >= least for own in found.values()):
        raise refused[0]
    groups: dict[str, list[Path]] = {}
    for name, own in found.items():
        groups |= {name: list(own)} if named >= own.keys() else by_data(name, own)
    return FoundRuns(groups, named, tuple(f"a run is excluded: {error}" for error in refused))


def scored_runs(
    folders: Sequence[Path],
    named: Collection[Path],
    variant: str | None,
    benchmark: str | None,
    protocol: str | None,
) -> tuple[list[ScoredRun], list[str]]:
    """Return the runs of a benchmark that have any score, and a note for each other one.

    Args:
        folders: Their folders.
        named: Those that the caller names, which are not left out where they cannot be read.
        variant: Which of a model's scores to use; its first if None.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Raises:
        RunError: If there are fewer than two, or a named one cannot be read.
    """
    found: list[ScoredRun] = []
    refused: list[RunError] = []
    notes = []
    for folder in folders:
        try:
            run = read_scored(folder, benchmark, protocol, found[0].run if found else None)
            chosen = run.variant(variant)
        except NothingScoredError:
            notes.append(f"{folder} is excluded, because it has no observations yet")
            continue
        except RunError as error:
            if folder in named:
                raise
            refused.append(error)
            notes.append(f"a run is excluded: {error}")
            continue
        evidence = run.evidence(chosen)
        if evidence.beats or np.isfinite(evidence.scores).any():
            found.append(ScoredRun(run, chosen, evidence))
        else:
            notes.append(f"{folder} is excluded, because it has no scores")
    if len(found) < 2:
        if refused:
            raise NothingSharedError(str(refused[0])) from refused[0]
        name = read_manifest(folders[0])["benchmark"]["id"]
        raise NothingSharedError(f"fewer than two of these {len(folders)} runs of {name} have any score")
    found, more = _on_shared_cells(found)
    return found, [*notes, *more]


def _on_shared_cells(found: list[ScoredRun]) -> tuple[list[ScoredRun], list[str]]:
    """Return the runs with the kinds of comparisons that all of them have, and a note if some have more.

    Raises:
        NothingSharedError: If they have none in common.
    """
    tags = [set(one.run.items.table.tags) for one in found]
    shared, every = set.intersection(*tags), set.union(*tags)
    if shared == every or not any(_chosen_cells(one.run) for one in found):
        return found, []
    if not shared:
        raise NothingSharedError(
            f"{found[0].run.folder} and {found[-1].run.folder} have no cell in common: run the models on the same cells"
        )
    runs = [one.run.with_tags(shared) for one in found]
    return [ScoredRun(run, one.variant, run.evidence(one.variant)) for run, one in zip(runs, found, strict=True)], [
        f"compared on {count_of(len(shared), 'cell')} of {len(every)}, because a run has no others: "
        f"{', '.join(sorted(shared))}"
    ]


def _chosen_cells(run: StoredRun) -> bool:
    return bool(run.manifest["selection"].get("cells"))


def run_names(runs: Sequence[tuple[str, Path]]) -> list[str]:
    """The models' names; where several have the same, with the beginning of their runs' identities.

    Args:
        runs: Name of the model and folder of each run.
    """
    twice = {name for name, count in Counter(name for name, _ in runs).items() if count > 1}
    found: list[str] = []
    for name, folder in runs:
        own = f"{name} ({folder.name[:6]})" if name in twice else name
        copies = sum(other.partition(" #")[0] == own for other in found)
        found.append(f"{own} #{copies + 1}" if copies else own)
    return found


def stopped_notes(runs: Iterable[StoredRun]) -> list[str]:
    """Return a note on each run that stopped early, for tests and intervals that assume a fixed number of items."""
    found = ((run.folder, run.manifest["selection"].get("stopped")) for run in runs)
    return [
        f"{folder} {stopped_text(stopped)}, because of its results: intervals and tests here assume a fixed number of "
        "items, and those of `rmeval compare` with `until` decided do not"
        for folder, stopped in found
        if stopped
    ]


def shared_evidence(
    runs: Sequence[StoredRun], tables: Sequence[EvidenceTable], rule: ScoreRule
) -> tuple[list[EvidenceTable], Mask, list[str]]:
    """Return each model's evidence on the common items in the first run's order, these items, and notes."""
    base = runs[0].items
    refuse_other_cells(runs)
    places = [places_in(base, run.items) for run in runs[1:]]
    shared: Mask = np.ones(len(base.table), bool)
    for place in places:
        shared &= place >= 0
    if not shared.any():
        strangers = [str(run.folder) for run, place in zip(runs[1:], places, strict=True) if (place < 0).all()]
        name = strangers[0] if strangers else "the other runs together"
        raise NothingSharedError(
            f"{runs[0].folder} and {name} have no item in common: run the models on the same data and selection"
        )
    notes = []
    sizes = [len(run.items.table) for run in runs]
    if not all(shared.sum() == size for size in sizes):
        notes.append(f"compared on the {count_of(int(shared.sum()), 'item')} that all runs have")
    notes += [
        f"{run.folder} has only {count_of(size, 'item')}: leave it out to compare the other runs on more"
        for run, size in zip(runs, sizes, strict=True)
        if len(runs) > 2 and 2 * size <= sorted(sizes)[-2]
    ]
    lists = [run.manifest["selection"].get("items") or {} for run in runs]
    notes += dict.fromkeys(note for own in lists for note in list_notes(own))
    evidence = [moved_evidence(base.table, own, place) for own, place in zip(tables[1:], places, strict=True)]
    evidence = [tables[0], *evidence]
    if rule.failure == "exclude":
        known = shared.copy()
        for own in evidence:
            seen = runs[0].benchmark.outcomes(base.table, own, rule)
            lost = np.bincount(seen.item[seen.failed], minlength=len(known)) > 0
            known &= ~lost
        if not known.any():
            fewest = min(zip(evidence, runs, strict=True), key=lambda one: np.isfinite(one[0].scores).sum())[1]
            raise NothingSharedError(
                f"no item has a score of every model ({fewest.folder} has the fewest scores): leave that run out, or "
                f"choose another `rule` than {rule.name}"
            )
        if not (known == shared).all():
            notes.append(
                "excluded for all models because a model has no score: "
                f"{count_of(int((shared & ~known).sum()), 'item')}"
            )
        shared = known
    for run, place in zip(runs[1:], places, strict=True):
        if other := judged_otherwise(runs[0], run, place, shared):
            notes.append(
                f"{count_of(other, 'item')} with another winner, subset or problem in {run.folder}: those of "
                f"{runs[0].folder} are used"
            )
    return [own.take(shared) for own in evidence], shared, notes


def refuse_other_cells(runs: Sequence[StoredRun]) -> None:
    """Raise an error for runs on different chosen cells, whose evidence does not fit the comparisons of the first."""
    found = {frozenset(run.items.table.tags) for run in runs}
    if len(found) > 1 and any(_chosen_cells(run) for run in runs):
        raise NothingSharedError(
            f"{runs[0].folder} and {runs[-1].folder} are runs on different cells: run the models on the same cells"
        )


def places_in(base: StoredItems, other: StoredItems) -> IntArray:
    """int64[n]: the position of each of the base's items among others, -1 if it is missing or has another text.

    In files without ids, the row number is the id and depends on the order. An item that is not found by id is found by
    its text, if only one item has it.
    """
    if other is base:
        return np.arange(len(base.table))
    own = {
        item: (k, tuple(digests))
        for k, (item, digests) in enumerate(zip(other.table.ids, other.digests(), strict=True))
    }
    missing: tuple[int, tuple[str, ...]] = (-1, ())
    found = [
        place if tuple(digests) == theirs else -1
        for item, digests in zip(base.table.ids, base.digests(), strict=True)
        for place, theirs in [own.get(item, missing)]
    ]
    left = [k for k, where in enumerate(found) if where < 0]
    if left:
        taken = set(found)
        by_text: dict[tuple[str, ...], list[int]] = {}
        for place, digests in own.values():
            if place not in taken:
                by_text.setdefault(digests, []).append(place)
        texts = list(map(tuple, base.digests()))
        times = Counter(texts[k] for k in left)
        for k in left:
            if times[texts[k]] == len(by_text.get(texts[k], ())) == 1:
                found[k] = by_text[texts[k]][0]
    return np.array(found, np.int64)


def judged_otherwise(base: StoredRun, run: StoredRun, place: IntArray, shared: Mask) -> int:
    """The number of shared items with different gold, subset or problem in the two runs."""
    if run.items is base.items:
        return 0
    one, other = base.items.table, run.items.table
    positions = np.flatnonzero(shared)
    # Problems have no names: the first item of each problem identifies it.
    firsts = [_first(table.cluster[own]) for table, own in ((one, positions), (other, place[positions]))]
    return sum(
        one.shapes[one.shape[k]].comparisons != other.shapes[other.shape[place[k]]].comparisons
        or one.subsets[one.subset[k]] != other.subsets[other.subset[place[k]]]
        or firsts[0][row] != firsts[1][row]
        for row, k in enumerate(positions.tolist())
    )


def _first(cluster: Codes) -> IntArray:
    """int64[n]: for each item, the first item of its problem."""
    _, first, inverse = np.unique(cluster, return_index=True, return_inverse=True)
    found: IntArray = first[inverse]
    return found


def moved_evidence(table: ItemTable, own: EvidenceTable, place: IntArray) -> EvidenceTable:
    """Evidence of one run, as evidence on another run's items."""
    if own.table is table:
        return own
    scores: FloatArray = np.full(int(table.offsets[-1]), np.nan)
    there = np.flatnonzero(place >= 0)
    sizes = np.diff(table.offsets)[there]
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    scores[np.repeat(table.offsets[there], sizes) + within] = own.scores[
        np.repeat(own.table.offsets[place[there]], sizes) + within
    ]
    beats = {k: own.beats[place[k]] for k in there.tolist() if place[k] in own.beats}
    readings = tuple([moved_evidence(table, one, place) for one in own.readings])
    covers = None if own.covers is None else own.covers[place] | (place < 0)
    return EvidenceTable(table, own.variant, scores, own.failures, beats, readings, covers)
