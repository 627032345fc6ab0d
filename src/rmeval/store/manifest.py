"""The manifest `run.json` of a run, JSON files with a checksum, and the search for run folders."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NotRequired, TypedDict, cast, get_args, get_origin, get_type_hints, is_typeddict

from rmeval._version import __version__
from rmeval.data.digests import digest
from rmeval.errors import DamagedError, RunError, explain_os_error, explain_read_error
from rmeval.files import json_bytes, opened, replacing
from rmeval.redaction import redacted

__all__ = [
    "AGAIN",
    "SCHEMA",
    "Manifest",
    "Session",
    "checked_json",
    "find_runs",
    "finite",
    "only_run",
    "read_json",
    "read_manifest",
    "run_id",
    "write_json",
]

logger = logging.getLogger(__name__)

SCHEMA = 2
"""Version of the run folder's format, described in docs/run-folder.md."""


class ModelEntry(TypedDict):
    """The model of a run."""

    name: str
    kind: str


class BenchmarkEntry(TypedDict):
    """The benchmark of a run, and how to load it."""

    id: str
    spec: str
    data: str | None
    options: NotRequired[dict[str, Any]]
    source: NotRequired[str]
    revision: NotRequired[str | None]


class ItemListEntry(TypedDict, total=False):
    """The list of a run's items, which is a file of its own."""

    file: str
    count: int
    drawn: bool
    digest: str
    weighted: bool


class StoppedEntry(TypedDict, total=False):
    """Where a run stopped early: the number of problems that it has, of those that it was to have."""

    problems: int
    of: int


class SelectionEntry(TypedDict, total=False):
    """The selection of a run's items."""

    subsets: list[str]
    n_items: int | None
    seed: int
    limit: int | None
    items: ItemListEntry
    stopped: StoppedEntry


class Session(TypedDict, total=False):
    """A process that scored; the facts that its model reports are further entries."""

    begun: str
    host: str
    python: str
    rmeval: str
    scored: int
    seconds: float | int
    double_bos: int
    prompt_parted: int
    unused_weights: list[str] | None
    torch: str | None
    transformers: str | None


class Manifest(TypedDict):
    """The contents of `run.json`; docs/run-folder.md describes each entry."""

    schema: int
    status: Literal["running", "complete"]
    identity: dict[str, Any]
    protocol: str
    protocol_card: NotRequired[dict[str, Any]]
    model: ModelEntry
    benchmark: BenchmarkEntry
    selection: SelectionEntry
    gold: NotRequired[str]
    notes: list[str]
    sessions: list[Session]


def run_id(identity: Mapping[str, Any]) -> str:
    """The name of a run's folder: 12 hex digits of the digest of its identity."""
    return digest(identity)[:12]


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace a JSON file atomically, with a checksum; NaN becomes null.

    Raises:
        RunError: If it cannot be written.
    """
    content = checked_json(value)
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise explain_os_error(error, str(path)) from error


def checked_json(value: Mapping[str, Any]) -> bytes:
    """Return the content of a JSON file with a checksum, without secrets; NaN becomes null."""
    plain: dict[str, Any] = json.loads(json_bytes(redacted(finite(value))))
    return json_bytes(plain | {"sha256": _checksum(plain)}, indent=1) + b"\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a file of `write_json`; files of earlier versions have no checksum.

    Raises:
        DamagedError: If its contents have changed.
        OSError: If it does not exist or cannot be read.
    """
    with opened(path) as file:
        data = file.read()
    try:
        value = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged ({error})") from error
    if not isinstance(value, dict):
        raise DamagedError(f"{path} is damaged (it does not contain a JSON object)")
    stated, schema = value.pop("sha256", None), value.get("schema")
    if type(schema) is int and schema > SCHEMA:
        return value  # Its checksum may be computed differently.
    if stated is not None and stated != _checksum(value):
        raise DamagedError(f"{path} is damaged (its checksum does not match its contents)")
    return value


def _checksum(value: Mapping[str, Any]) -> str:
    """SHA-256 of an object's JSON in a fixed layout, independent of the layout of the file."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def finite(value: Any) -> Any:
    """The value with NaN and infinities replaced by None, because JSON has neither."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


AGAIN = "restore it from a copy, or delete that file and run the command of the run again; the journal keeps its scores"
"""Advice for a damaged manifest."""


def read_manifest(path: Path) -> Manifest:
    """Read `run.json` of a run folder.

    Raises:
        RunError: If the folder is not a run folder, its manifest is damaged, or a newer rmeval wrote it.
    """
    file = path / "run.json"
    try:
        manifest = read_json(file)
    except NotADirectoryError as error:
        raise RunError(
            f"{path} is a file and not a run folder: use rmeval import for scores, and rmeval show --from-subsets "
            "for subset accuracies"
        ) from error
    except FileNotFoundError as error:
        why = "it has no run.json" if path.exists() else "it does not exist"
        raise RunError(
            f"{path} is not a run folder ({why}): give a folder like runs/rm-bench/my-model/0123456789ab"
        ) from error
    except OSError as error:
        raise explain_read_error(error, file) from error
    except DamagedError as error:
        raise DamagedError(f"{error}: {AGAIN}") from error
    schema = manifest.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise RunError(f"{path} was written by a newer rmeval (schema {schema}; this is {__version__}): upgrade rmeval")
    if wrong := list(_wrong(manifest, Manifest, "")):
        raise DamagedError(f"{file} is damaged (check {', '.join(wrong)}): {AGAIN}")
    return cast("Manifest", manifest)


def _wrong(value: object, kind: Any, name: str) -> Iterator[str]:
    """The names of entries with a wrong type, for example in manifests edited by hand."""
    if is_typeddict(kind):
        yield from _wrong_fields(value, kind, name)
        return
    origin, parts = get_origin(kind), get_args(kind)
    if origin is UnionType:
        right = any(not list(_wrong(value, part, name)) for part in parts)
    elif origin is Literal:
        right = value in parts
    elif origin is list and isinstance(value, list):
        yield from dict.fromkeys(wrong for one in value for wrong in _wrong(one, parts[0], name))
        return
    else:
        # A boolean is not a number.
        right = type(value) is (origin or kind)
    if not right:
        yield name


def _wrong_fields(value: object, kind: Any, name: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield name
        return
    for field, own in get_type_hints(kind, include_extras=True).items():
        path = f"{name}.{field}" if name else field
        optional = get_origin(own) is NotRequired
        if field in value:
            yield from _wrong(value[field], get_args(own)[0] if optional else own, path)
        elif kind.__total__ and not optional:
            yield path


def find_runs(path: Path) -> list[Path]:
    """The run folder at `path`, or all run folders inside it.

    Raises:
        RunError: If a folder cannot be read, and no run is found.
    """
    if os.path.lexists(path / "run.json") or not path.is_dir():
        return [path]
    refused: list[OSError] = []
    found = sorted(Path(folder) for folder, _, files in os.walk(path, onerror=refused.append) if "run.json" in files)
    if refused and not found:
        raise explain_read_error(refused[0], refused[0].filename)
    for error in refused:
        logger.warning("%s cannot be read (%s): its runs are left out", error.filename, error.strerror)
    return found


def only_run(path: Path) -> Path:
    """The run folder at `path`, or the only one inside it.

    Raises:
        RunError: If there are several.
    """
    found = find_runs(path)
    if len(found) > 1:
        some = ", ".join(map(str, found[:10])) + (", ..." if len(found) > 10 else "")
        raise RunError(f"{path} holds {len(found)} runs: name one of them: {some}")
    return found[0] if found else path
