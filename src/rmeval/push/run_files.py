"""The files of a run that leave this machine: its manifest without private entries, its numbers and its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from rmeval.errors import RunError, explain_read_error
from rmeval.hub import is_hub_id
from rmeval.results.places import Place, places_of
from rmeval.results.result import Result, derived_fields, open_run
from rmeval.store.manifest import checked_json, find_runs, run_id

__all__ = ["SharedRun", "public_manifest", "run_files", "runs_to_share"]

_SHARED = (
    *("begun", "seconds", "scored", "rmeval", "python", "torch", "transformers", "vllm", "device", "architecture"),
    *("rendered_sha256", "label_mass", "served_model", "answered_by"),
)
"""Entries of a session that are shared. All others may name machines, addresses or folders, or quote texts."""
_PRIVATE_NOTES = ("the first error: ",)
"""Beginnings of notes that quote what a server or the operating system wrote."""


@dataclass(frozen=True, slots=True)
class SharedRun:
    """A run that is complete and may be shared.

    Attributes:
        result: Its numbers.
        manifest: Its manifest without private entries.
        id: The last part of its folder's path, a digest of everything that its scores depend on.
    """

    result: Result
    manifest: Mapping[str, Any]
    id: str

    @property
    def name(self) -> str:
        """Benchmark, model and id, as in the path of the run's folder."""
        return f"{self.benchmark}/{_part(str(self.manifest['model']['name']))}/{self.id}"

    @property
    def benchmark(self) -> str:
        """The id of the benchmark."""
        return str(self.manifest["benchmark"]["id"])


def _part(name: str) -> str:
    """A name as one part of a path, of characters that every file system and the hub accept."""
    kept = "".join(one if one.isalnum() or one in "-_." else "-" for one in name).lstrip(".-")
    return kept[:96] or "model"


def runs_to_share(
    runs: Place | Sequence[Place],
    rule: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> tuple[SharedRun, ...]:
    """Open all runs at some places, and check that they may be shared.

    Args:
        runs: Run folders, folders with runs in them, or results.
        rule: Name of another rule for ties and failures.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of their protocol.

    Raises:
        RunError: If a run cannot be read, is not complete, has no numbers, or too many of a judge's outputs lack a
            verdict.
    """
    folders = list(dict.fromkeys(folder for place in places_of(runs) for folder in find_runs(place)))
    if not folders:
        raise RunError("there is no run in the given folders: give folders that `rmeval run` wrote")
    found = [_checked(open_run(folder, rule, benchmark, protocol)) for folder in folders]
    return tuple({run.name: run for run in found}.values())


def _checked(result: Result) -> SharedRun:
    if result.manifest["status"] != "complete":
        raise RunError(f"{result.path} is not complete: run its command again to the end, then share it")
    if not result.records:
        raise RunError(f"{result.path} has no numbers: share a run on items with known winners")
    if not result.publishable:
        raise RunError(
            f"{result.path} is not publishable, because too many outputs have no verdict: see `rmeval show` for the "
            "reasons, and run the judge again"
        )
    manifest = public_manifest(result.manifest)
    return SharedRun(result, manifest, run_id(manifest["identity"]))


def public_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest without what concerns only this machine: hosts, addresses, folders and rendered texts.

    The identity stays as it is, because the id of the run is its digest.
    """
    made = dict(manifest["benchmark"])
    for entry in ("data", "spec", "source"):
        made |= {entry: _without_folder(made[entry])} if entry in made else {}
    kept = {name: value for name, value in manifest.items() if name not in ("sha256", "sessions", "benchmark")}
    selection = dict(manifest["selection"])
    if listed := selection.get("items"):
        selection["items"] = listed | {"file": _without_folder(listed.get("file"))}
    return kept | {
        "benchmark": made,
        "selection": selection,
        "protocol": _without_folder(manifest["protocol"]),
        "notes": _public_notes(manifest["notes"]),
        "sessions": [{name: one[name] for name in _SHARED if name in one} for one in manifest["sessions"]],
    }


def _without_folder(place: Any) -> Any:
    """A file's name without the folders before it; anything that is no path stays."""
    if not isinstance(place, str) or is_hub_id(place) or "://" in place:
        return place
    return PurePath(place).name if PurePath(place).is_absolute() or Path(place).exists() else place


def _public_notes(notes: Sequence[str]) -> list[str]:
    return [note for note in notes if not note.startswith(_PRIVATE_NOTES)]


def run_files(run: SharedRun) -> dict[str, bytes]:
    """Return the contents of the shared files of a run, by name: `run.json`, `metrics.json` and `scores.parquet`.

    `scores.parquet` has ids of items, scores and statuses. None of the files has prompts or responses.

    Raises:
        RunError: If the run has no scores.
    """
    file = run.result.path / "scores.parquet"
    try:
        scores = file.read_bytes()
    except OSError as error:
        raise explain_read_error(error, file) from error
    metrics = derived_fields(run.result)
    metrics["notes"] = _public_notes(metrics["notes"])
    return {
        "run.json": checked_json(run.manifest),
        "metrics.json": checked_json(metrics),
        "scores.parquet": scores,
    }
