"""`run.json`: what a run is; and where runs are."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from rmeval import __version__
from rmeval.errors import RunError, explain_os_error
from rmeval.protocols import PROTOCOLS
from rmeval.redaction import redacted

__all__ = ["SCHEMA", "find_runs", "finite", "only_run", "read_manifest", "write_json"]

SCHEMA = 1
"""Version of the run folder's format, described in docs/run-folder.md."""


def write_json(path: Path, value: Any) -> None:
    """Replaces a JSON file, whole or not at all; NaN becomes null."""
    text = json.dumps(redacted(finite(value)), indent=1, ensure_ascii=False, allow_nan=False)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise explain_os_error(error, str(path)) from error


def finite(value: Any) -> Any:
    """The value with NaN and infinities as None, since JSON has neither."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


_MANIFEST = {
    "identity": dict,
    "protocol": str,
    "model": dict,
    "benchmark": dict,
    "selection": dict,
    "notes": list,
    "sessions": list,
    "status": str,
}
_INSIDE = {"benchmark": ("id", "spec", "data"), "model": ("name", "kind")}
_AGAIN = "delete that file and give the command that made the run again; its scores are kept in the journal"


def read_manifest(path: Path) -> dict[str, Any]:
    """Reads `run.json` of a run folder.

    Raises:
        RunError: If the folder is none, its manifest is damaged, or a newer rmeval wrote it.
    """
    file = path / "run.json"
    if path.is_file():
        raise RunError(
            f"{path} is a file and no run folder: scores are imported with rmeval import, and a file of subset "
            "accuracies is shown with rmeval show --from-subsets"
        )
    if not file.is_file():
        raise RunError(
            f"{path} is no run folder (it has no run.json): give a folder like runs/rm-bench/my-model/0123456789ab"
        )
    try:
        manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        schema = int(manifest["schema"])
        wrong = [name for name, kind in _MANIFEST.items() if not isinstance(manifest.get(name), kind)]
        wrong += [f"{name}.{key}" for name, keys in _INSIDE.items() for key in keys if key not in manifest[name]]
    except OSError as error:
        raise RunError(f"{file} cannot be read ({error.strerror or error}): check its permissions") from error
    except (ArithmeticError, AttributeError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} is damaged ({error}): {_AGAIN}") from error
    if schema > SCHEMA:
        raise RunError(f"{path} was written by a newer rmeval (schema {schema}; this is {__version__}): upgrade rmeval")
    if wrong or manifest["protocol"] not in PROTOCOLS:
        raise RunError(f"{file} is damaged (check {', '.join(wrong or ['protocol'])}): {_AGAIN}")
    return manifest


def find_runs(path: Path) -> list[Path]:
    """The run folder at `path`, or all below it."""
    if (path / "run.json").exists() or not path.is_dir():
        return [path]
    return sorted(file.parent for file in path.rglob("run.json"))


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
