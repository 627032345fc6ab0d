"""The runner: asks a model what a benchmark wants to know, once, and writes down what came back."""

from __future__ import annotations

import platform
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from rmeval import __version__
from rmeval.benchmarks import Benchmark
from rmeval.digests import contents_digest, digest, gold_digest
from rmeval.errors import RunError, explain_os_error
from rmeval.models import RewardModel
from rmeval.protocols.pointwise import POINTWISE
from rmeval.runs.folder import SCHEMA, Result, compute, read_manifest, request_keys, write_derived, write_json
from rmeval.runs.items import StoredItems, read_items, store_items, write_items
from rmeval.runs.journal import Journal, read_journal
from rmeval.runs.lock import Lock
from rmeval.runs.selection import Selection, select
from rmeval.types import Observation, Request

__all__ = ["Plan", "Progress", "RunWriter", "observe_missing", "plan", "run", "silent"]

Progress = Callable[[int, int], None]
"""Called with the number of requests done and the number of all, at the start and after each batch."""


def silent(done: int, total: int) -> None:
    """Shows nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A benchmark's selected items, read, counted and digested: all that can go wrong with data has been tried.

    Attributes:
        benchmark: The benchmark.
        selection: Which of its items.
        contents: Digest of all its items, selected or not.
        stored: The selected ones.
        notes: What a reader of the numbers must know of them.
    """

    benchmark: Benchmark
    selection: Selection
    contents: str
    stored: StoredItems
    notes: tuple[str, ...] = ()


def plan(benchmark: Benchmark, selection: Selection = Selection()) -> Plan:  # noqa: B008  frozen
    """Reads a benchmark.

    Raises:
        DataError: If its data cannot be used, or nothing is selected.
    """
    everything = benchmark.load()
    chosen = select(everything, selection, benchmark.card)
    stored = store_items(everything)
    part = StoredItems(tuple(chosen), stored.digests, stored.counts)
    return Plan(benchmark, selection, contents_digest(stored.digests.items()), part, tuple(benchmark.notes(chosen)))


def run(
    model: RewardModel,
    planned: Plan,
    out: Path,
    *,
    store_text: bool = False,
    break_lock: bool = False,
    progress: Progress = silent,
) -> Result:
    """Runs a model on a benchmark, or continues where an earlier process stopped.

    Args:
        model: The model.
        planned: The items to ask about, from `plan`.
        out: Folder of runs; this one goes to `<benchmark>/<model>/<identity>` below it.
        store_text: Whether to keep prompts and answers in the run folder.
        break_lock: Whether to take a lock that another process seems to hold.
        progress: Told how far the run is.

    Raises:
        RmevalError: If something has to be changed first. What was scored is kept.
    """
    requests = POINTWISE.requests(planned.stored.items, planned.stored.digests)
    identity = {"protocol": POINTWISE.name, **model.identity()}
    with RunWriter(model, planned, identity, out, store_text, break_lock) as writer:
        return writer.ask(model, requests, progress)


class RunWriter:
    """Writes one run folder: a context manager that holds its lock.

    The folder keeps the numbers of the items it was made for: a selection that does not include them all gives its own
    numbers, and its answers go to the journal, but the folder's files stay those of its items.
    """

    def __init__(
        self,
        model: RewardModel,
        planned: Plan,
        identity: Mapping[str, Any],
        out: Path,
        store_text: bool,
        break_lock: bool,
    ) -> None:
        card = planned.benchmark.card
        identity = {"benchmark": card.id, "contents": planned.contents, **identity}
        name = re.sub(r"[^\w.-]+", "-", model.name).strip("-.") or "model"
        self.folder = out / card.id / name / digest(identity)[:12]
        self._plan = planned
        self._store_text = store_text
        self._lock = Lock(self.folder / "lock", break_lock)
        self._kept: dict[str, Any] | None = None
        self.manifest: dict[str, Any] = {
            "schema": SCHEMA,
            "status": "running",
            "identity": identity,
            "protocol": identity["protocol"],
            "model": {"name": model.name, "kind": model.kind},
            "benchmark": {
                "id": card.id,
                "spec": planned.benchmark.spec,
                "data": planned.benchmark.data,
                "options": dict(planned.benchmark.options),
                "source": planned.benchmark.data or card.source,
                "revision": None if planned.benchmark.data else card.revision,
            },
            "selection": asdict(planned.selection),
            "gold": gold_digest(planned.stored.items, planned.stored.digests),
            "notes": list(planned.notes),
            "sessions": [],
        }

    def __enter__(self) -> RunWriter:
        """Makes or opens the folder.

        Raises:
            RunError: If it cannot be written, is locked, or belongs to another identity.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain_os_error(error, str(self.folder)) from error
        self._lock.__enter__()
        try:
            self._open()
        except BaseException as error:
            self._lock.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.__exit__(kind, error, trace)

    def _open(self) -> None:
        if (self.folder / "run.json").exists():
            earlier = read_manifest(self.folder)
            if changed := _differing(earlier["identity"], self.manifest["identity"]):
                raise RunError(
                    f"{self.folder} belongs to another run (it differs in {', '.join(changed)}): "
                    "move that folder away, or choose another with -o"
                )
            self.manifest["sessions"] = earlier["sessions"]
            if self._holds_others():
                self._kept = earlier
                return
            if not self._store_text:
                for session in self.manifest["sessions"]:
                    session.pop("first_rendered", None)
        try:
            for name in ("metrics.json", "scores.parquet"):
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise explain_os_error(error, str(self.folder)) from error
        self._write_manifest()
        self._write_items({})

    def _holds_others(self) -> bool:
        """Whether the folder is of items that are not among the selected ones."""
        wanted = {item.id for item in self._plan.stored.items}
        try:
            return not {item.id for item in read_items(self.folder / "items.parquet").items} <= wanted
        except RunError:
            return False  # Damaged or not there, it is written anew.

    def _write_manifest(self) -> None:
        write_json(self.folder / "run.json", self.manifest if self._kept is None else self._kept)

    def _write_items(self, tokens: Mapping[str, int]) -> None:
        file = self.folder / "items.parquet"
        try:
            write_items(self._plan.stored, file, self._store_text, tokens)
        except OSError as error:
            raise explain_os_error(error, str(file)) from error

    def ask(self, model: RewardModel, requests: Sequence[Request], progress: Progress = silent) -> Result:
        """Asks what the journal does not know, and writes the numbers.

        Raises:
            RunError: If nothing got a score.
        """
        session: dict[str, Any] = {
            "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "host": socket.gethostname(),
            "python": platform.python_version(),
            "rmeval": __version__,
        }
        start = time.perf_counter()

        def begin() -> None:
            # Before the first answer, so that a process that is killed has left its versions.
            session.update(self._facts(model))
            self.manifest["sessions"].append(session)
            self._write_manifest()

        seen, scored = observe_missing(model, requests, self.folder / "journal", progress, begin)
        answers = [seen[request.key] for request in requests]
        if not any(answer.values for answer in answers):
            error = next((answer.error for answer in answers if answer.error), answers[0].status)
            raise RunError(
                f"none of {len(answers)} answers got a score ({error}): mend that and give the same command again"
            )
        if scored:
            session.update({"scored": scored, "seconds": round(time.perf_counter() - start, 3), **self._facts(model)})
        self.manifest["status"] = "complete"
        self._write_manifest()
        result = compute(self.folder, self.manifest, self._plan.stored, seen, self._plan.benchmark)
        if self._kept is None:
            if tokens := self._tokens(seen):
                self._write_items(tokens)
            write_derived(result, self._plan.stored, seen)
            return result
        return replace(result, notes=(*result.notes, *self._refresh(seen, scored)))

    def _refresh(self, seen: Mapping[str, Observation], scored: int) -> list[str]:
        """Brings the files of a folder that keeps its own items up to the journal; what the reader must know of it."""
        assert self._kept is not None
        stored = read_items(self.folder / "items.parquet")
        if scored and self._kept["status"] == "complete":
            write_derived(compute(self.folder, self._kept, stored, seen, self._plan.benchmark), stored, seen)
        notes = [
            f"the run folder holds {len(stored.items)} items that are not all selected: its own numbers stay theirs"
        ]
        if self._store_text:
            notes.append("texts are not stored: for that, select all that the run folder holds")
        return notes

    def _facts(self, model: RewardModel) -> dict[str, Any]:
        """What the model says of itself; texts of conversations only where texts are stored."""
        return {name: fact for name, fact in model.facts().items() if self._store_text or name != "first_rendered"}

    def _tokens(self, seen: Mapping[str, Observation]) -> dict[str, int]:
        """Length of each rendered conversation by its digest, where the protocol asks about one at a time."""
        keys = request_keys(self.manifest, self._plan.stored)
        digests = self._plan.stored.digests
        return {
            content: seen[key].usage["tokens"]
            for item, own in keys.items()
            for key, content in zip(own, digests[item], strict=False)
            if key in seen and "tokens" in seen[key].usage
        }


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def observe_missing(
    model: RewardModel,
    requests: Sequence[Request],
    journal: Path,
    progress: Progress = silent,
    begin: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Observation], int]:
    """Asks what the journal does not know yet, or knows only as an error.

    Args:
        model: Whom to ask.
        requests: What to ask.
        journal: Folder of the journal.
        progress: Told how far it is.
        begin: Called before the first answer is written, if there is anything to ask.

    Returns:
        All that the journal knows now, by request key, and how many requests were answered now.
    """
    seen = read_journal(journal)
    missing = [request for request in requests if (old := seen.get(request.key)) is None or old.status == "error"]
    done = len(requests) - len(missing)
    progress(done, len(requests))
    if missing:
        with Journal(journal) as writer:
            for number, batch in enumerate(model.observe(missing)):
                if number == 0:
                    begin()
                writer.append(batch)
                seen.update((observation.key, observation) for observation in batch)
                done += len(batch)
                progress(done, len(requests))
    return seen, len(missing)
