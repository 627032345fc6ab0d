"""The work folder of a build: its lock, its logs, and the result of each stage.

`OUT/` contains `answers/` and `verdicts/` (logs of calls and of runs of code), `build.json` (the benchmark's name),
`models.json` (the model of each role), one folder for each stage, such as `2-responses/`, with `records.jsonl`,
`dropped.jsonl` and `stage.json`, the review in `4-review/`, and the benchmark itself in `benchmark/`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rmeval.build.records import Dropped, Record
from rmeval.build.registry import STAGES, StageName
from rmeval.data.digests import digest
from rmeval.errors import DamagedError, RunError, explain_os_error, explain_read_error, reason_of
from rmeval.files import json_bytes, replacing
from rmeval.messages import shortened
from rmeval.store.manifest import read_json, write_json

__all__ = ["BuildFolder", "StageResult", "state_of"]

_FILES = ("records.jsonl", "dropped.jsonl")
AGAIN = "delete its file stage.json, and run the build again"
"""Not its folder, which may contain the verdicts of reviewers."""


@dataclass(frozen=True)
class StageResult:
    """The result of a stage.

    Attributes:
        records: The records, sorted by key.
        dropped: What was left out, sorted by key.
        inputs: Digest of everything that the result depends on.
        facts: Calls, cost, seconds, and further facts of the stage.
    """

    records: Sequence[Record]
    dropped: Sequence[Dropped]
    inputs: str
    facts: Mapping[str, Any]

    @property
    def state(self) -> str:
        """Digest of the records, which the next stage stores as the fact `before`."""
        return state_of(self.records)


def state_of(records: Iterable[Record]) -> str:
    """Return a digest of records."""
    return digest([one.to_dict() for one in records])


class BuildFolder:
    """The files of one build.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        """Store the path; nothing is created."""
        self.path = path

    @property
    def benchmark(self) -> Path:
        """The folder of the finished benchmark."""
        return self.path / "benchmark"

    @property
    def review(self) -> Path:
        """The folder of human review."""
        return self.of("review")

    def of(self, stage: StageName) -> Path:
        """The folder of a stage."""
        return self.path / f"{list(STAGES).index(stage) + 1}-{stage}"

    def read(self, stage: StageName) -> StageResult | None:
        """Return the result of a stage; None if it has not finished.

        Raises:
            RunError: If a file cannot be read or is damaged.
        """
        folder = self.of(stage)
        if not (folder / "stage.json").is_file():
            return None
        try:
            found = read_json(folder / "stage.json")
        except DamagedError as error:
            raise DamagedError(f"{error}: delete it, and run the build again") from error
        try:
            records = [Record.from_dict(line) for line in _lines(folder / "records.jsonl")]
            dropped = [Dropped(**line) for line in _lines(folder / "dropped.jsonl")]
            # A changed letter is no error of JSON.
            if any(sha256_of(folder / name) != found["files"][name] for name in _FILES):
                raise KeyError("files")
            return StageResult(records, dropped, found["inputs"], found["facts"])
        except (KeyError, TypeError, AttributeError) as error:
            raise DamagedError(f"{folder} is damaged: {AGAIN}") from error

    def write(self, stage: StageName, result: StageResult) -> None:
        """Write the result of a stage; `stage.json` is written last, so that it states that the others are complete.

        Raises:
            RunError: If it cannot be written.
        """
        folder = self.of(stage)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "stage.json").unlink(missing_ok=True)
            _write(folder / "records.jsonl", (one.to_dict() for one in result.records))
            _write(folder / "dropped.jsonl", map(asdict, result.dropped))
            # The texts of the benchmark have passed through these files.
            files = {name: sha256_of(folder / name) for name in _FILES}
        except OSError as error:
            raise explain_os_error(error, str(folder)) from error
        counts = {"records": len(result.records), "dropped": len(result.dropped), "files": files}
        write_json(folder / "stage.json", {"inputs": result.inputs, **counts, "facts": dict(result.facts)})

    def forget_after(self, stage: StageName) -> None:
        """Remove the results of later stages, which are those of an earlier result of this one.

        The benchmark that was built from it moves to `benchmark.earlier`, so that nobody takes it for the new one.

        Raises:
            RunError: If they cannot be removed.
        """
        after = list(STAGES)[list(STAGES).index(stage) + 1 :]
        for later in after:
            try:
                (self.of(later) / "stage.json").unlink(missing_ok=True)
            except OSError as error:
                raise explain_os_error(error, str(self.of(later))) from error
        earlier = self.benchmark.with_name("benchmark.earlier")
        for folder in (self.benchmark, self.benchmark.with_name("benchmark.rejected")):
            if after and folder.is_dir():
                try:
                    if earlier.exists():
                        shutil.rmtree(earlier)
                    folder.rename(earlier)
                except OSError as error:
                    raise explain_os_error(error, str(folder)) from error

    def has(self, files: Mapping[str, str]) -> bool:
        """Whether files, given by their paths in the folder, exist and have these SHA-256 digests."""
        paths = {self.path / name: sha256 for name, sha256 in files.items()}
        try:
            return all(path.is_file() and sha256_of(path) == sha256 for path, sha256 in paths.items())
        except OSError as error:
            raise explain_read_error(error, self.path) from error

    def check_name(self, name: str) -> None:
        """Check that the folder is that of this benchmark, and store its name.

        Raises:
            RunError: If it belongs to another one, whose answers would be mixed with this one's.
        """
        earlier = self.name()
        if earlier not in (None, name):
            raise RunError(
                f"{self.path} has the build of {shortened(earlier)}, and the config that of {name}: choose another "
                "folder with `out`, or correct the name"
            )
        if earlier is None:
            write_json(self.path / "build.json", {"name": name})

    def name(self) -> str | None:
        """The benchmark's name; None before the first start of the build."""
        path = self.path / "build.json"
        if not path.is_file():
            return None
        name = read_json(path).get("name")
        if not isinstance(name, str):
            raise DamagedError(f"{path} is damaged (it has no name): delete it, and run the build again")
        return name

    def check_models(self, names: Mapping[str, str]) -> None:
        """Check that each role's model is the one of earlier starts, and store it.

        Raises:
            RunError: If another model answers: its texts would be mixed with those of the first.
        """
        earlier = self.models()
        for role, name in names.items():
            if earlier.setdefault(role, name) != name:
                raise RunError(
                    f"the {role} was {earlier[role]} at earlier starts, and now is {name}: use the first, or another "
                    "place with `out`"
                )
        write_json(self.path / "models.json", earlier)

    def models(self) -> dict[str, str]:
        """The name of each role's model that has been called."""
        path = self.path / "models.json"
        return read_json(path) if path.is_file() else {}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    with replacing(path) as file:
        for line in lines:
            file.write(json_bytes(line) + b"\n")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DamagedError(f"{path} line {number} is damaged ({reason_of(error)}): {AGAIN}") from error
    except OSError as error:
        raise explain_read_error(error, path) from error
