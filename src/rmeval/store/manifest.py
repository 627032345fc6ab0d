"""`run.json`: what a run is; JSON files with a checksum; and where runs are."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rmeval._version import __version__
from rmeval.data.digests import digest
from rmeval.errors import DamagedError, RunError, explain_os_error, explain_read_error
from rmeval.files import json_bytes, opened, replacing
from rmeval.protocols import PROTOCOLS
from rmeval.redaction import redacted

__all__ = ["AGAIN", "SCHEMA", "find_runs", "finite", "only_run", "read_json", "read_manifest", "run_id", "write_json"]

logger = logging.getLogger(__name__)

SCHEMA = 2
"""Version of the run folder's format, described in docs/run-folder.md."""


def run_id(identity: Mapping[str, Any]) -> str:
    """12 hex digits that name a run: the name of its folder."""
    return digest(identity)[:12]


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replaces a JSON file, whole or not at all, with its checksum; NaN becomes null.

    Raises:
        RunError: If it cannot be written.
    """
    plain: dict[str, Any] = json.loads(json_bytes(redacted(finite(value))))
    try:
        with replacing(path) as file:
            file.write(json_bytes(plain | {"sha256": _checksum(plain)}, indent=1) + b"\n")
    except OSError as error:
        raise explain_os_error(error, str(path)) from error


def read_json(path: Path) -> dict[str, Any]:
    """Reads what `write_json` wrote; files of earlier versions have no checksum.

    Raises:
        DamagedError: If it is not what was written.
        OSError: If it is not there or cannot be read.
    """
    with opened(path) as file:
        data = file.read()
    try:
        value = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is damaged ({error})") from error
    if not isinstance(value, dict):
        raise DamagedError(f"{path} is damaged (it holds no JSON object)")
    stated, schema = value.pop("sha256", None), value.get("schema")
    if type(schema) is int and schema > SCHEMA:
        return value  # Its checksum may be made in another way.
    if stated is not None and stated != _checksum(value):
        raise DamagedError(f"{path} is damaged (its checksum is not that of its contents)")
    return value


def _checksum(value: Mapping[str, Any]) -> str:
    """SHA-256 of an object's JSON in one layout, so that another layout of the same is the same."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def finite(value: Any) -> Any:
    """The value with NaN and infinities as None, since JSON has neither."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


AGAIN = (
    "restore it from a copy, or delete that file and give the command that made the run again; "
    "its scores are kept in the journal"
)
"""What to do about a damaged manifest."""


def read_manifest(path: Path) -> dict[str, Any]:
    """Reads `run.json` of a run folder.

    Raises:
        RunError: If the folder is none, its manifest is damaged, or a newer rmeval wrote it.
    """
    file = path / "run.json"
    try:
        manifest = read_json(file)
    except NotADirectoryError as error:
        raise RunError(
            f"{path} is a file and no run folder: scores are imported with rmeval import, and a file of subset "
            "accuracies is shown with rmeval show --from-subsets"
        ) from error
    except FileNotFoundError as error:
        raise RunError(
            f"{path} is no run folder (it has no run.json): give a folder like runs/rm-bench/my-model/0123456789ab"
        ) from error
    except OSError as error:
        raise explain_read_error(error, file) from error
    except DamagedError as error:
        raise DamagedError(f"{error}: {AGAIN}") from error
    schema = manifest.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise RunError(f"{path} was written by a newer rmeval (schema {schema}; this is {__version__}): upgrade rmeval")
    if wrong := list(_wrong(manifest)):
        raise DamagedError(f"{file} is damaged (check {', '.join(wrong)}): {AGAIN}")
    return manifest


_NONE = type(None)
_SHAPE: dict[str, tuple[type, ...]] = {
    "schema": (int,),
    "status": (str,),
    "identity": (dict,),
    "protocol": (str,),
    "model.name": (str,),
    "model.kind": (str,),
    "benchmark.id": (str,),
    "benchmark.spec": (str,),
    "benchmark.data": (str, _NONE),
    "selection": (dict,),
    "notes": (list,),
    "sessions": (list,),
}
_SESSION: dict[str, tuple[type, ...]] = {
    "double_bos": (int,),
    "prompt_parted": (int,),
    "unused_weights": (list, _NONE),
    "torch": (str, _NONE),
    "transformers": (str, _NONE),
}


def _wrong(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Names what in a manifest is not of its type; somebody may have written it by hand."""
    yield from (name for name, kinds in _SHAPE.items() if type(_at(manifest, name)) not in kinds)
    if manifest.get("protocol") not in list(PROTOCOLS):
        yield "protocol"
    if manifest.get("status") not in ("running", "complete"):
        yield "status"
    if _at(manifest, "benchmark.options") is not ... and not isinstance(_at(manifest, "benchmark.options"), dict):
        yield "benchmark.options"
    if not _are_texts(manifest.get("notes")):
        yield "notes"
    for name, value in _at_items(manifest.get("selection")):
        if isinstance(value, list | dict) and not _are_texts(value):
            yield f"selection.{name}"
    sessions = manifest.get("sessions")
    yield from _wrong_sessions(sessions if isinstance(sessions, list) else [])


def _wrong_sessions(sessions: list[Any]) -> Iterator[str]:
    for session in sessions:
        if not isinstance(session, dict):
            yield "sessions"
            continue
        for name, kinds in _SESSION.items():
            if name in session and type(session[name]) not in kinds:
                yield f"sessions.{name}"


def _at_items(value: object) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _at(manifest: Mapping[str, Any], name: str) -> object:
    value: object = manifest
    for key in name.split("."):
        value = value.get(key, ...) if isinstance(value, dict) else ...
    return value


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def find_runs(path: Path) -> list[Path]:
    """The run folder at `path`, or all below it.

    Raises:
        RunError: If a folder cannot be read, and there is no run beside it.
    """
    if os.path.lexists(path / "run.json") or not path.is_dir():
        return [path]
    refused: list[OSError] = []
    found = sorted(Path(folder) for folder, _, files in os.walk(path, onerror=refused.append) if "run.json" in files)
    if refused and not found:
        raise explain_read_error(refused[0], refused[0].filename)
    for error in refused:
        logger.warning("%s cannot be read (%s): runs in it are left out", error.filename, error.strerror)
    return found


def only_run(path: Path) -> Path:
    """The run folder at `path`, or the only one below it.

    Raises:
        RunError: If there are several.
    """
    found = find_runs(path)
    if len(found) > 1:
        some = ", ".join(map(str, found[:10])) + (", ..." if len(found) > 10 else "")
        raise RunError(f"{path} holds {len(found)} runs: name one of them: {some}")
    return found[0] if found else path
