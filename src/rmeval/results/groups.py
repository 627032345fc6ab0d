"""Groups of runs of one benchmark that can be compared: those on the same data, with items in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rmeval.errors import RunError
from rmeval.results.described import data_text, selection_text
from rmeval.store.items import StoredItems, read_items
from rmeval.store.manifest import Manifest, run_id
from rmeval.store.run import StoredRun

__all__ = ["by_data", "data_labels", "group_label", "with_shared_items"]

Texts = frozenset[tuple[str, ...]]
"""Digests of the texts of items."""


def data_labels(manifests: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return a description of each of several data; the descriptions are distinct and in alphabetical order.

    Args:
        manifests: The manifest of a run on each, by the digest of the data.
    """
    texts = {contents: data_text(manifest) for contents, manifest in manifests.items()}
    same = [text for text in texts.values() if list(texts.values()).count(text) > 1]
    found = {
        contents: ", ".join(filter(None, (text, f"contents {contents[:8]}"))) if text in same else text
        for contents, text in texts.items()
    }
    return dict(sorted(found.items(), key=lambda item: item[1]))


def by_data(benchmark: str, runs: Mapping[Path, Manifest]) -> dict[str, list[Path]]:
    """Return the runs of a benchmark in groups on the same data, by a name of the group.

    Data of which at least half of the items are the same, such as a file and a shorter version of it, form one group.
    If no group has two runs, all runs are one group.

    Args:
        benchmark: The benchmark's id.
        runs: Folder and manifest of each run.
    """
    firsts: dict[str, Path] = {}
    for folder, manifest in runs.items():
        firsts.setdefault(_contents(manifest), folder)
    if len(firsts) == 1:
        return {benchmark: list(runs)}
    place = _united({contents: _texts(folder, runs[folder]) for contents, folder in firsts.items()})
    groups: dict[str, list[Path]] = {}
    for folder, manifest in runs.items():
        groups.setdefault(place[_contents(manifest)], []).append(folder)
    if len(groups) == 1 or all(len(own) == 1 for own in groups.values()):
        return {benchmark: list(runs)}
    labels = data_labels({contents: runs[own[0]] for contents, own in groups.items()})
    return {f"{benchmark} {label}".strip(): groups[contents] for contents, label in labels.items()}


def group_label(name: str, manifest: Manifest, several: bool) -> str:
    """Return a description of the data of a group of runs.

    Args:
        name: The name of a group of `by_data`.
        manifest: The manifest of one of the runs.
        several: Whether another group has the same data and other items.
    """
    data = name.removeprefix(manifest["benchmark"]["id"]).strip() or data_text(manifest)
    chosen = selection_text(manifest["selection"]) if several else ""
    return ", ".join(filter(None, (data, chosen)))


def _contents(manifest: Manifest) -> str:
    """The digest of the data; empty in runs of earlier versions."""
    return str(manifest["identity"].get("contents", ""))


def _texts(folder: Path, manifest: Manifest) -> Texts:
    """The texts of a run's items; nothing if they cannot be read."""
    try:
        return _digests(read_items(folder / "items.parquet", run_id(manifest["identity"])))
    except RunError:
        return frozenset()  # The comparison reports it.


def _digests(items: StoredItems) -> Texts:
    return frozenset(map(tuple, items.digests()))


def _united(texts: Mapping[str, Texts]) -> dict[str, str]:
    """The first of the data with which each of the data shares at least half of the items of the smaller one."""
    found: dict[str, str] = {}
    for contents, own in texts.items():
        like = (
            other
            for other, place in found.items()
            if place == other and 2 * len(own & texts[other]) >= min(len(own), len(texts[other]))
        )
        found[contents] = next(like, contents)
    return found


def with_shared_items(runs: Sequence[StoredRun]) -> tuple[list[list[int]], list[str]]:
    """Return groups of at least two runs that all have an item in common, as positions, and a note on each other run.

    Runs with more items are grouped first. If there is no such group, all runs are one.
    """
    if all(run.items is runs[0].items for run in runs):
        return [list(range(len(runs)))], []
    texts: list[Texts] = []
    for run in runs:
        known = next((texts[k] for k, other in enumerate(runs[: len(texts)]) if other.items is run.items), None)
        texts.append(_digests(run.items) if known is None else known)
    groups: list[tuple[list[int], Texts]] = []
    for k in sorted(range(len(runs)), key=lambda k: -len(texts[k])):
        for place, (members, shared) in enumerate(groups):
            if shared & texts[k]:
                groups[place] = [*members, k], shared & texts[k]
                break
        else:
            groups.append(([k], texts[k]))
    found = [sorted(members) for members, _ in groups if len(members) > 1]
    if not found:
        return [list(range(len(runs)))], []
    alone = [members[0] for members, _ in groups if len(members) == 1]
    return found, [f"{runs[k].folder} is excluded, because it has no item in common with the others" for k in alone]
