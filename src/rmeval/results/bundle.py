"""Bundles: one file with what is needed to compute a run's numbers again, without texts, secrets and local paths.

A bundle is a zip file with `bundle.json`, `run.json`, `items.parquet`, `metrics.json` and the journal. The same run
gives the same bytes. `opened_bundle` does not trust a bundle: it reads only these names, within limits, and runs no
code.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, cast

from rmeval._version import __version__
from rmeval.errors import DamagedError, RunError, explain_os_error, explain_read_error
from rmeval.files import json_bytes, opened, replacing
from rmeval.limits import limit
from rmeval.messages import quoted
from rmeval.metrics.stats.intervals import INTERVALS
from rmeval.redaction import redacted
from rmeval.results.bundled_items import copy_items
from rmeval.results.result import Result, compute, write_derived
from rmeval.store.journal import Journal, read_journal
from rmeval.store.manifest import Manifest, find_runs, only_run, read_manifest, run_id, write_json
from rmeval.store.run import read_run
from rmeval.types import Observation

__all__ = [
    "BUNDLE",
    "SCHEMA",
    "SUFFIX",
    "bundle_name",
    "bundle_run",
    "bundles_in",
    "description_of",
    "is_bundle",
    "opened_bundle",
    "pack",
]

SCHEMA = 1
"""Version of the bundle's format, described in docs/leaderboards.md."""
SUFFIX = ".rmeval.zip"
BUNDLE = "bundle.json"
"""The file that describes the others."""
_JOURNAL = "journal/0001.jsonl"
_FILES = ("run.json", "items.parquet", "metrics.json", _JOURNAL)
_SESSION = (
    *("begun", "python", "rmeval", "scored", "seconds", "double_bos", "prompt_parted", "unused_weights", "torch"),
    *("transformers", "device", "threads", "architecture", "readout", "prefix_sharing", "template_example"),
    *("tokenizer_json", "rendered_sha256", "label_mass", "vllm", "head_dtype", "dialect", "activation", "canary"),
    *("served_model", "served_by", "rendered_by", "answered_by", "fingerprints"),
)
"""Entries of a session that a bundle keeps; others may name hosts, addresses and texts."""
_PATH = re.compile(r"(?<![\w:/.])(?:~|[A-Za-z]:)?(?:[/\\][^\s/\\'\",;:()]+){2,}")
_LARGEST_JSON = 1 << 26


def is_bundle(path: Path) -> bool:
    """Whether a path is that of a bundle, by its name."""
    return path.name.endswith(".zip") and not path.is_dir()


def bundles_in(path: Path) -> list[Path]:
    """The bundle or run folder at a path, or all bundles and run folders inside it."""
    if not path.is_dir() or (path / "run.json").exists():
        return [path]
    runs = [folder for folder in find_runs(path) if folder != path]
    return sorted({*runs, *path.rglob("*.zip")})


def bundle_name(manifest: Mapping[str, Any]) -> str:
    """The usual name of a run's bundle: benchmark, model and identity."""
    model = re.sub(r"[^\w.-]+", "-", str(manifest["model"]["name"])).strip("-.")[:100] or "model"
    return f"{manifest['benchmark']['id']}--{model}--{run_id(manifest['identity'])}{SUFFIX}"


def bundle_run(run: str | Path, file: str | Path, benchmark: str | None = None, protocol: str | None = None) -> Result:
    """Write the bundle of a complete run, and return the numbers in it.

    Args:
        run: The run folder, or a folder with one run in it.
        file: The bundle, which is replaced.
        benchmark: The run's benchmark, if that is a `file.py:Class`.
        protocol: Its protocol, if that is a `file.py:Class`.

    Raises:
        RunError: If the run is unfinished or damaged, or its identity contains a path of this machine.
    """
    folder, file = only_run(Path(run)), Path(file)
    manifest = read_manifest(folder)
    if manifest["status"] != "complete":
        raise RunError(f"{folder} is unfinished: run its command again to complete it, and then bundle it")
    own = run_id(manifest["identity"])
    with tempfile.TemporaryDirectory(prefix="rmeval-bundle-") as place:
        draft = Path(place) / own
        (draft / "journal").mkdir(parents=True)
        write_json(draft / "run.json", _public(manifest, folder))
        copy_items(folder / "items.parquet", draft / "items.parquet", own)
        with Journal(draft / "journal", own) as journal:
            for batch in read_journal(folder / "journal", run=own):
                # An error message may quote a text or an address.
                journal.append([_without_error(one) for one in batch])
        stored = read_run(draft, benchmark, protocol)
        result = compute(stored)
        write_derived(result, stored)
        pack(result, len(stored.items.table), file)
    return result


def pack(result: Result, n_items: int, file: Path) -> None:
    """Write a bundle of the files in the folder of a result, and their description.

    Raises:
        RunError: If the file cannot be written.
    """
    folder = result.path
    (folder / BUNDLE).write_bytes(json_bytes(description_of(result, folder, n_items), indent=1) + b"\n")
    _write_zip(folder, file)


def _without_error(seen: Observation) -> Observation:
    return replace(seen, error=None) if seen.error is not None else seen


def _public(manifest: Manifest, folder: Path) -> dict[str, Any]:
    """The manifest without paths, hosts and addresses of the machine."""
    if (local := next(_local_paths(manifest["identity"]), None)) is not None:
        raise RunError(
            f"the identity of {folder} contains the path {quoted(local)}, which its bundle would publish: "
            "run the model under another name or with options that contain no path"
        )
    made = dict(manifest["benchmark"])
    for name in ("data", "source"):
        if isinstance(made.get(name), str):
            made[name] = _name_of(str(made[name]))
    found: dict[str, Any] = {
        **manifest,
        "model": {**manifest["model"], "name": _name_of(manifest["model"]["name"])},
        "benchmark": made,
        "notes": [_PATH.sub(lambda path: PurePath(path[0]).name, note) for note in manifest["notes"]],
        "sessions": [
            {name: fact for name, fact in session.items() if name in _SESSION} for session in manifest["sessions"]
        ],
    }
    return cast("dict[str, Any]", _without_paths(found, keep=("identity",)))


def _without_paths(value: Any, keep: Sequence[str] = ()) -> Any:
    """The value with each text that is a local path replaced by its last part."""
    if isinstance(value, dict):
        return {name: inner if name in keep else _without_paths(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_paths(inner) for inner in value]
    return _name_of(value) if isinstance(value, str) else value


def _name_of(text: str) -> str:
    """The last part of a local path; another text, such as a hub id, as it is."""
    return PurePath(text.replace("\\", "/")).name if _is_local(text) else text


def _is_local(text: str) -> bool:
    return text.startswith(("/", "~/", "./", "../", "\\\\")) or re.match(r"[A-Za-z]:[\\/]", text) is not None


def _local_paths(value: Any) -> Iterator[str]:
    if isinstance(value, str) and _is_local(value) and len(value) > 1:
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _local_paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _local_paths(inner)


def description_of(result: Result, draft: Path, n_items: int) -> dict[str, Any]:
    """Return the contents of `bundle.json`.

    Args:
        result: The numbers.
        draft: The folder of the files that it describes.
        n_items: Number of items.
    """
    manifest = result.manifest
    return {
        "schema": SCHEMA,
        "rmeval": __version__,
        "run": run_id(manifest["identity"]),
        "model": {**manifest["model"], "identity": manifest["identity"].get("model")},
        "benchmark": {
            "id": manifest["benchmark"]["id"],
            "revision": manifest["benchmark"].get("revision"),
            "contents": manifest["identity"].get("contents"),
            "gold": manifest.get("gold"),
            "items": n_items,
        },
        "protocol": manifest["protocol"],
        "rules": sorted({record.rule for record in result.records}),
        "formulas": sorted({record.formula for record in result.records}),
        "intervals": INTERVALS,
        "files": {name: _sum(draft / name) for name in _FILES},
    }


def _sum(file: Path) -> str:
    total = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            total.update(chunk)
    return total.hexdigest()


def _write_zip(draft: Path, file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in (BUNDLE, *_FILES):
                # A fixed time and fixed permissions, so that the same run gives the same bytes.
                entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                entry.create_system, entry.external_attr = 3, 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                with (draft / name).open("rb") as source, archive.open(entry, "w") as target:
                    while chunk := source.read(1 << 20):
                        target.write(chunk)
    except OSError as error:
        raise explain_os_error(error, str(file)) from error


@dataclass(frozen=True, slots=True)
class OpenedBundle:
    """An unpacked bundle.

    Attributes:
        folder: The folder with its files, as of a run.
        description: The contents of `bundle.json`.
    """

    folder: Path
    description: Mapping[str, Any]


@contextmanager
def opened_bundle(file: Path) -> Iterator[OpenedBundle]:
    """Unpack a bundle into a temporary folder, which is removed at the end of the block.

    Raises:
        RunError: If the file is not a bundle, is damaged, contains other files, exceeds a limit, or its files are not
            those that its description states.
    """
    with tempfile.TemporaryDirectory(prefix="rmeval-bundle-") as place:
        try:
            with opened(file) as stream, zipfile.ZipFile(stream) as archive:
                entries = _checked_entries(file, archive)
                description = _read_description(file, archive, entries[BUNDLE])
                folder = Path(place) / str(description["run"])
                (folder / "journal").mkdir(parents=True)
                for name in _FILES:
                    _unpack(archive, entries[name], folder / name)
        except FileNotFoundError as error:
            raise RunError(f"there is no file {file}: check the path") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise DamagedError(f"{file} is not a bundle or is damaged ({error}): ask for it again") from error
        except OSError as error:
            raise explain_read_error(error, file) from error
        stated = description["files"]
        if changed := [name for name in _FILES if stated.get(name) != _sum(folder / name)]:
            raise DamagedError(f"{file} is damaged ({changed[0]} differs from its sum in {BUNDLE}): ask for it again")
        yield OpenedBundle(folder, description)


def _checked_entries(file: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The entries by name, if they are those of a bundle: no other names, no links, no sizes beyond the limit."""
    entries = archive.infolist()
    names = [entry.orig_filename for entry in entries]
    wanted = (BUNDLE, *_FILES)
    if other := [name for name in names if name not in wanted]:
        raise RunError(f"{file} contains {quoted(other[0])}, which is not part of a bundle: ask for a bundle of rmeval")
    if len(names) > len(set(names)):
        raise RunError(f"{file} contains a name twice: ask for a bundle of rmeval")
    if missing := [name for name in wanted if name not in names]:
        raise RunError(f"{file} is not a bundle (it lacks {missing[0]}): write one with rmeval bundle")
    if any(entry.external_attr >> 28 not in (0, 0o10) or entry.flag_bits & 1 for entry in entries):
        raise RunError(f"{file} contains a link or an encrypted file: ask for a bundle of rmeval")
    most = limit("BUNDLE_BYTES")
    if sum(entry.file_size for entry in entries) > most:
        raise RunError(
            f"{file} has more than {most:,} bytes when unpacked: set RMEVAL_MAX_BUNDLE_BYTES if you trust it"
        )
    if any(entry.file_size > _LARGEST_JSON for entry in entries if entry.filename.endswith(".json")):
        raise RunError(f"{file} contains a JSON file of more than {_LARGEST_JSON:,} bytes: ask for a bundle of rmeval")
    return {entry.filename: entry for entry in entries}


def _read_description(file: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Mapping[str, Any]:
    try:
        found = json.loads(archive.read(entry))
        schema, run, files = found["schema"], found["run"], found["files"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DamagedError(f"{file} is damaged ({BUNDLE} cannot be read): ask for it again") from error
    if type(schema) is int and schema > SCHEMA:
        raise RunError(f"{file} was written by a newer rmeval (bundle schema {schema}): upgrade rmeval")
    if not isinstance(run, str) or not re.fullmatch("[0-9a-f]{12}", run) or not isinstance(files, dict):
        raise DamagedError(f"{file} is damaged ({BUNDLE} has no run and files): ask for it again")
    return cast("Mapping[str, Any]", redacted(found))


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    # zipfile reads at most the stated size of an entry, and raises an error if its sum differs.
    with archive.open(entry) as source, target.open("xb") as unpacked:
        while chunk := source.read(1 << 20):
            unpacked.write(chunk)
