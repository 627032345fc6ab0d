"""The runner, which scores the distinct requests of a benchmark with a model and stores the observations."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from rmeval._version import __version__
from rmeval.data.digests import gold_digest
from rmeval.data.memory import release_free
from rmeval.data.observations import ObservationTable
from rmeval.data.tables import Codes, ItemTable
from rmeval.errors import DamagedError, ModelError, RunError, explain_os_error
from rmeval.models import RewardModel
from rmeval.protocols import FoundProtocol, load_protocol
from rmeval.protocols.pointwise import Pointwise
from rmeval.redaction import redacted
from rmeval.results.result import Result, compute, write_derived
from rmeval.results.spending import unspent_note
from rmeval.runs.observe import (
    Progress,
    WholeProgress,
    check_served,
    has_no_verdict,
    observe_missing,
    refuse_no_scores,
    refuse_other_model,
    silent,
)
from rmeval.runs.plan import Plan
from rmeval.runs.requests import model_folder, planned_requests
from rmeval.runs.until import StoppingRule
from rmeval.store.items import StoredItems, add_tokens, read_items, write_items
from rmeval.store.leftovers import remove_leftovers, remove_unobserved
from rmeval.store.lock import Lock
from rmeval.store.manifest import SCHEMA, Manifest, Session, finite, read_manifest, run_id, write_json
from rmeval.store.requests import RequestTable, read_observations, requests_of
from rmeval.store.run import StoredRun

__all__ = ["RunWriter", "run"]

_DERIVED = ("scores.parquet", "metrics.json")
"""Files computed from the other files of a run folder, in the order in which they are written."""
_FILES = ("run.json", "items.parquet", *_DERIVED)


def run(
    model: RewardModel,
    planned: Plan,
    out: Path,
    *,
    store_text: bool = False,
    break_lock: bool = False,
    progress: Progress = silent,
    until: StoppingRule | None = None,
) -> Result:
    """Run a model on a benchmark, or continue an interrupted run.

    Args:
        model: The model.
        planned: The items to score, from `plan`.
        out: Folder of runs; this run is written to `<benchmark>/<model>/<identity>` in it.
        store_text: Whether to store prompts and responses in the run folder.
        break_lock: Whether to take a lock that another process seems to hold.
        progress: Called with the number of requests that are done and the total.
        until: The rule that stops the run early, from `stopping_rule`.

    Raises:
        RmevalError: If the user must change something. Existing scores are kept.
    """
    found = load_protocol(model.protocol)
    if until is not None:
        planned = until.plan
    elif not found.protocol.gives_scores:
        planned = planned.for_comparing()
    with RunWriter(model, planned, found, model.identity(), out, store_text, break_lock) as writer:
        return writer.ask(model, progress, until)


class RunWriter:
    """Writer of one run folder, a context manager that holds its lock.

    The folder keeps the numbers of its items. A selection that does not include all of them returns its own numbers,
    and its observations are added to the journal, but the folder's other files are not changed.
    """

    def __init__(
        self,
        model: RewardModel,
        planned: Plan,
        protocol: FoundProtocol,
        identity: Mapping[str, Any],
        out: Path,
        store_text: bool,
        break_lock: bool,
    ) -> None:
        card = planned.benchmark.card
        # As it is read from the manifest, where a tuple is a list.
        own: dict[str, Any] = finite(
            {"benchmark": card.id, "contents": planned.contents, **protocol.identity, **identity}
        )
        name = redacted(model.name)
        if redacted(own) != own:
            raise RunError(
                f"the identity of the model {name} contains what looks like a secret: give it another name or address"
            )
        self._id = run_id(own)
        self.folder = model_folder(out, card.id, name) / self._id
        self._plan = planned
        self._protocol = protocol.protocol
        self._store_text = store_text
        self._lock = Lock(self.folder / "lock", break_lock)
        self._earlier: Manifest | None = None
        self._kept: Manifest | None = None
        self.manifest: Manifest = {
            "schema": SCHEMA,
            "status": "running",
            "identity": own,
            "protocol": protocol.spec,
            "model": {"name": name, "kind": model.kind},
            "benchmark": {
                "id": card.id,
                "spec": planned.benchmark.spec,
                "data": planned.benchmark.data,
                "options": dict(planned.benchmark.options),
                "source": planned.benchmark.data or card.source,
                "revision": None if planned.benchmark.data else card.revision,
            },
            "selection": planned.selection.entry(),  # type: ignore[typeddict-item]
            "gold": gold_digest(planned.stored),
            "notes": list(planned.notes),
            "sessions": [],
        }
        if protocol.card is not None:
            self.manifest["protocol_card"] = dict(protocol.card)

    def __enter__(self) -> RunWriter:
        """Create or open the folder.

        Raises:
            RunError: If it cannot be written, is locked, or belongs to another identity.
        """
        self._lock.__enter__()
        try:
            remove_leftovers(self.folder, _FILES)
            self._open()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the lock; remove a folder that this process created if it has no observation."""
        try:
            if self._lock.made_folder:
                remove_unobserved(self.folder, _FILES)
        finally:
            self._lock.__exit__(kind, error, trace)

    def _open(self) -> None:
        """Read what the folder has; it stays as it is until the first observation."""
        if os.path.lexists(self.folder / "run.json"):
            earlier = read_manifest(self.folder)
            if changed := _differing(earlier["identity"], self.manifest["identity"]):
                raise RunError(
                    f"{self.folder} belongs to another run (they differ in {', '.join(changed)}): "
                    "move that folder away, or choose another with `out`"
                )
            self.manifest["sessions"] = earlier["sessions"]
            self._earlier = earlier
            self._keep_others()

    def _keep_others(self) -> None:
        """Keep the files of a folder that has items that are not selected."""
        self._kept = self._earlier if self._earlier is not None and self._holds_others() else None
        if self._kept is None and not self._store_text:
            for session in self.manifest["sessions"]:
                cast("dict[str, Any]", session).pop("first_rendered", None)

    def _begin(self) -> None:
        """Write manifest and items, and remove numbers that may change."""
        self._remove_derived()
        self._write_manifest()
        if self._kept is None:
            self._write_items()

    def _remove_derived(self) -> None:
        """Remove numbers that may change, so that a killed process does not leave outdated ones."""
        for name in _DERIVED:
            try:
                (self.folder / name).unlink(missing_ok=True)
            except OSError as error:
                raise explain_os_error(error, str(self.folder / name)) from error

    def _held(self) -> ItemTable:
        """The items that the folder has."""
        if not os.path.lexists(self.folder / "run.json"):
            return ItemTable.of(())
        try:
            return read_items(self.folder / "items.parquet", self._id).table
        except DamagedError:
            return ItemTable.of(())  # They are written again.

    def _holds_others(self) -> bool:
        """Whether the folder has items or cells that are not selected."""
        items, table = self._held(), self._plan.stored.table
        if self._plan.selection.cells and not set(items.tags) <= set(table.tags):
            return True
        held, wanted = items.ids, table.ids
        if len(held) == len(wanted) and all(map(str.__eq__, held, wanted)):
            return False
        return not set(held) <= set(wanted)

    def _write_manifest(self) -> None:
        write_json(self.folder / "run.json", self.manifest if self._kept is None else self._kept)

    def _write_items(self) -> None:
        file = self.folder / "items.parquet"
        try:
            write_items(
                self._plan.items(self._store_text), self._plan.stored.table.shape, file, self._store_text, self._id
            )
        except OSError as error:
            raise explain_os_error(error, str(file)) from error

    def ask(self, model: RewardModel, progress: Progress = silent, until: StoppingRule | None = None) -> Result:
        """Score the requests that the journal lacks, and write the metrics.

        Raises:
            RunError: If no response got a score.
        """
        session: Session = {
            "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "host": socket.gethostname(),
            "python": platform.python_version(),
            "rmeval": __version__,
        }
        start = time.perf_counter()
        if until is None:
            run, new = self._observe(model, session, progress)
        else:
            run, new = self._observe_until(until, model, session, progress)
        if "scored" not in session:
            check_served(model, cast("list[dict[str, Any]]", self.manifest["sessions"]), self.folder)
        if not new and self._kept is None:
            self._begin()
        if "scored" in session:
            session["seconds"] = round(time.perf_counter() - start, 3)
            session.update(cast("Session", self._facts(model)))
        if until is not None and (unspent := unspent_note(run, len(until.plan.stored.table))) is not None:
            self.manifest["notes"].append(unspent)
        self.manifest["status"] = "complete"
        self._write_manifest()
        result = compute(run)
        if self._kept is None:
            if run.observations.tokens is not None and isinstance(self._protocol, Pointwise):
                self._add_tokens(run.observations.tokens[run.requests.rows])
            write_derived(result, run)
        else:
            result = replace(result, notes=(*result.notes, *self._refresh()))
        # Such a run is complete: the same command would send nothing, and its numbers show what failed.
        refuse_no_scores(run.observations)
        return result

    def _observe(self, model: RewardModel, session: Session, progress: Progress) -> tuple[StoredRun, int]:
        """Score the requests of the plan that the journal lacks; return the run and how many they were."""
        requests, index = requests_of(self._protocol, self._plan.stored)
        release_free()
        every = planned_requests(self._protocol, self._plan, requests, index)

        def begin() -> None:
            # Before the first observation, so that a killed process leaves its versions.
            facts = self._facts(model)
            refuse_other_model(cast("list[dict[str, Any]]", self.manifest["sessions"]), facts, self.folder)
            session.update(cast("Session", facts))
            if "scored" not in session:
                self.manifest["sessions"].append(session)
            self._begin()

        try:
            texts = self.folder / "raw" if self._store_text else None
            observations, new = observe_missing(
                model, index, every, self.folder / "journal", progress, begin, self._id, texts
            )
        except ModelError:
            if session in self.manifest["sessions"]:  # Such as a server that changed its model, for the next process.
                session.update(cast("Session", self._facts(model)))
                self._write_manifest()
            raise
        del index  # It is as large as what is computed next.
        release_free()
        if not has_no_verdict(observations):
            refuse_no_scores(observations)
        if new:
            session["scored"] = session.get("scored", 0) + new
        return self._stored(self.manifest, self._plan.stored, requests, observations), new

    def _observe_until(
        self, until: StoppingRule, model: RewardModel, session: Session, progress: Progress
    ) -> tuple[StoredRun, int]:
        """Observe growing portions of the plan until one is enough, which becomes the plan."""
        total = len(requests_of(self._protocol, self._plan.stored)[1])
        for portion in until.portions(self.folder, self._held().ids):
            self._turn_to(portion.plan)
            run, new = self._observe(model, session, WholeProgress(progress, total))
            if until.reached(run, portion) or portion.last or has_no_verdict(run.observations):
                break
        self.manifest["notes"].append(until.note())
        if not portion.last:
            self.manifest["selection"]["stopped"] = until.stopped(portion)
        return run, new

    def _turn_to(self, portion: Plan) -> None:
        """Make a portion of the plan the plan of this run."""
        self._plan = portion
        self.manifest |= {"gold": gold_digest(portion.stored), "notes": list(portion.notes)}
        self._keep_others()

    def _stored(
        self, manifest: Manifest, stored: StoredItems, requests: RequestTable, observations: ObservationTable
    ) -> StoredRun:
        return StoredRun(self.folder, manifest, self._plan.benchmark, self._protocol, stored, requests, observations)

    def _add_tokens(self, tokens: Codes) -> None:
        file = self.folder / "items.parquet"
        try:
            add_tokens(file, tokens, self._id)
        except OSError as error:
            raise explain_os_error(error, str(file)) from error

    def _refresh(self) -> list[str]:
        """Update the derived files of a folder that keeps its own items; return notes for the reader."""
        assert self._kept is not None
        stored = read_items(self.folder / "items.parquet")
        if self._kept["status"] == "complete" and not (self.folder / _DERIVED[-1]).exists():
            requests, index = requests_of(self._protocol, stored)
            observations = read_observations(index, self.folder / "journal", self._id)
            run = self._stored(self._kept, stored, requests, observations)
            write_derived(compute(run), run)
        notes = [
            f"the run folder contains {len(stored.table)} items that are not all selected: its files keep their numbers"
        ]
        if self._store_text:
            notes.append("texts are not stored: to store them, select all items of the run folder")
        return notes

    def _facts(self, model: RewardModel) -> dict[str, Any]:
        """The model's facts, with texts of conversations only if texts are stored."""
        return {name: fact for name, fact in model.facts().items() if self._store_text or name != "first_rendered"}


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
