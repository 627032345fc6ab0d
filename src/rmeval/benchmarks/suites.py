"""Suites: several benchmarks under one name (`core`, `skywork7`, `all`) or in a YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rmeval.benchmarks import BUILTIN, GENERATED, benchmark_name
from rmeval.benchmarks.built import built_folder
from rmeval.benchmarks.locate import SUFFIXES
from rmeval.data.unpacking import check_path
from rmeval.data.yaml_file import read_yaml
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.plugins import is_file_spec

__all__ = ["SUITES", "Entry", "expand"]

SUITES = {
    "core": ("rm-bench", "reward-bench", "reward-bench-2"),
    # Those that Skywork-Reward-V2 reports (arXiv 2507.01352, Table 2), in the order of its columns.
    "skywork7": (
        *("reward-bench", "reward-bench-2", "ppe-preference", "ppe-correctness", "rmb", "rm-bench", "judgebench"),
    ),
    "all": tuple(name for name in BUILTIN if name not in ("pairs", "best-of-n", GENERATED)),
}
_ENDINGS = (".yaml", ".yml", ".YAML", ".YML")


@dataclass(frozen=True)
class Entry:
    """A requested benchmark with its options.

    Attributes:
        name: Name of the benchmark, or `file.py:Class`.
        data: The source of its data, if it is not the pinned one.
        options: Further options for `load_benchmark`.
    """

    name: str
    data: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def expand(names: Sequence[str]) -> list[Entry]:
    """Resolve names to benchmarks, each once; settings in a file also apply if the benchmark is named without settings.

    Args:
        names: Names of benchmarks, of `SUITES`, and paths of YAML files. Such a file contains a list `benchmarks` of
            names, or of mappings with `id` and optional `data` (relative to the file) and options.

    Raises:
        DataError: If a file has another form, or files contain a benchmark twice.
    """
    found: dict[str, Entry] = {}
    told: dict[str, Entry] = {}
    for name in names:
        if name.endswith(_ENDINGS):
            for entry in _read(Path(name)):
                if entry.name in told:
                    raise DataError(f"{name}: {entry.name} occurs twice: name each benchmark once")
                found[entry.name] = told[entry.name] = entry
        else:
            members = SUITES.get(name.casefold()) or (benchmark_name(name),)
            found |= {own: Entry(own) for own in members if own not in found}
    return list(found.values())


def _read(path: Path) -> Iterator[Entry]:
    document = read_yaml(path)
    entries = document.get("benchmarks") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise DataError(f"the suite {path} must contain a list under 'benchmarks', such as [rm-bench, reward-bench]")
    for number, entry in enumerate(entries, 1):
        yield _entry(path, number, {"id": entry} if isinstance(entry, str) else entry)


def _entry(path: Path, number: int, given: object) -> Entry:
    """Read an entry of a suite file."""
    if not isinstance(given, dict) or not isinstance(name := given.get("id"), str):
        raise DataError(f"{path}: benchmark {number} must be a name, or a mapping with 'id'")
    data, options = given.get("data"), {key: value for key, value in given.items() if key not in ("id", "data")}
    if wrong := _wrong(name, data, options):
        raise DataError(f"{path}: {wrong}")
    beside = _beside(path, name)
    return Entry(
        beside if is_file_spec(name) or built_folder(beside) is not None else benchmark_name(name),
        None if data is None else _beside(path, data),
        options,
    )


def _wrong(name: str, data: object, options: Mapping[str, Any]) -> str | None:
    """Return an error message for an entry; None if it is valid."""
    if name.casefold() in SUITES or name.endswith(_ENDINGS):
        return f"{name} is a suite: name its benchmarks, or give it beside this one with `benchmark`"
    if data is not None and (not isinstance(data, str) or not data):
        return f"data of {name} must be a path or a hub id, not {quoted(data)}"
    return f"{name} has no option 'name': leave it out" if "name" in options else None


def _beside(suite: Path, place: str) -> str:
    """Resolve a path relative to the suite's folder; a hub id, for which no such path exists, is unchanged."""
    own = suite.parent / place
    check_path(str(own))
    hub = re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", place) is not None and not place.endswith(SUFFIXES)
    return place if hub and not own.exists() else str(own)
