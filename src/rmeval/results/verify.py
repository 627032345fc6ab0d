"""Verification of runs and bundles: every number is computed again from the scores, and compared.

Nothing in a run or bundle is trusted: its files are read within limits, and no code that it names runs.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rmeval._version import __version__
from rmeval.baselines import NULL_SCORES
from rmeval.errors import RmevalError, RunError
from rmeval.files import json_bytes
from rmeval.messages import count_of
from rmeval.metrics.records import null_evidence
from rmeval.metrics.stats.intervals import INTERVALS
from rmeval.redaction import redacted
from rmeval.results.bundle import description_of, is_bundle, opened_bundle
from rmeval.results.bundled_items import refuse_large_items
from rmeval.results.checks import Check, State, holds, unknown, wrong
from rmeval.results.result import Result, compute
from rmeval.results.verified_items import item_checks
from rmeval.results.verified_numbers import metrics_differences, scores_difference, stated_metrics
from rmeval.store.journal import read_journal
from rmeval.store.manifest import only_run, read_manifest, run_id
from rmeval.store.run import StoredRun, read_run

__all__ = ["Verification", "verified", "verify_run"]

_OF_WRITER = {"schema", "rmeval", "intervals", "files"}
"""Entries of `bundle.json` that the version of rmeval decides, and the sums, which are compared on opening."""
_SHOWN = 3
"""Differences that a check lists."""


@dataclass(frozen=True)
class Verification:
    """The checks of a run.

    Attributes:
        source: The bundle or run folder.
        model: The model's name; empty if the manifest cannot be read.
        benchmark: The benchmark's id.
        run: The run's id.
        checks: The checks.
        result: The computed numbers; None if they cannot be computed. Its path is a temporary folder for a bundle.
    """

    source: Path
    model: str
    benchmark: str
    run: str
    checks: tuple[Check, ...]
    result: Result | None = None

    @property
    def holds(self) -> bool:
        """Whether no check fails."""
        return all(check.state is not State.WRONG for check in self.checks)

    @property
    def complete(self) -> bool:
        """Whether all checks hold, so that none was left out."""
        return all(check.state is State.HOLDS for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the checks as plain JSON types."""
        return {
            "source": str(self.source),
            "model": self.model,
            "benchmark": self.benchmark,
            "run": self.run,
            "holds": self.holds,
            "complete": self.complete,
            "checks": [{"name": one.name, "state": str(one.state), "detail": one.detail} for one in self.checks],
        }


def verify_run(
    path: str | Path,
    *,
    data: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
    further: Callable[[StoredRun], Check] | None = None,
) -> Verification:
    """Check a bundle or a run folder.

    Args:
        path: A bundle, a run folder, or a folder with one run in it.
        data: The benchmark's data, to compare items and labels with; None for the digests that come with rmeval.
        benchmark: The `file.py:Class` of a run made with one; no code that a run names runs without it.
        protocol: Likewise the `file.py:Class` of the run's protocol.
        further: Another check of the run, such as one that scores items again.

    Raises:
        RunError: If there is no such file or folder.
    """
    with verified(path, data=data, benchmark=benchmark, protocol=protocol, further=further) as found:
        return found


@contextmanager
def verified(
    path: str | Path,
    *,
    data: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
    further: Callable[[StoredRun], Check] | None = None,
) -> Iterator[Verification]:
    """Check a bundle or a run folder like `verify_run`; the files of a bundle stay unpacked until the block ends."""
    path = Path(path)
    if not os.path.lexists(path):
        raise RunError(f"there is no file or folder {path}: check the path")
    given = _Given(path, data, benchmark, protocol, further)
    if not is_bundle(path) and path.is_dir():
        yield given.verified(only_run(path), None)
        return
    with ExitStack() as stack:
        try:
            bundle = stack.enter_context(opened_bundle(path))
            refuse_large_items(bundle.folder / "items.parquet")
            found = given.verified(bundle.folder, bundle.description)
        except RunError as error:
            found = Verification(path, "", "", "", (wrong("files", str(error).replace(str(path), path.name)),))
        yield found


@dataclass(frozen=True, slots=True)
class _Given:
    """What the caller gives, see `verify_run`."""

    path: Path
    data: str | None
    benchmark: str | None
    protocol: str | None
    further: Callable[[StoredRun], Check] | None

    def verified(self, folder: Path, description: Mapping[str, Any] | None) -> Verification:
        """Verify an unpacked run.

        Args:
            folder: The run folder.
            description: The contents of a bundle's `bundle.json`; None for a run folder.
        """
        try:
            manifest = read_manifest(folder)
        except RmevalError as error:
            return Verification(self.path, "", "", "", (wrong("files", str(error)),))
        own = run_id(manifest["identity"])
        named = (self.path, str(manifest["model"]["name"]), str(manifest["benchmark"]["id"]), own)
        try:
            run = read_run(folder, self.benchmark, self.protocol)
            result = compute(run)
        except RmevalError as error:
            return Verification(*named, (wrong("files", str(error).replace(f"{folder}{os.sep}", "")),))
        return Verification(*named, tuple(self._checks(run, result, own, description)), result)

    def _checks(
        self, run: StoredRun, result: Result, own: str, description: Mapping[str, Any] | None
    ) -> Iterator[Check]:
        yield holds("files", "the sums of all files match, and all parts belong to this run")
        yield _identity(run, result, own, description)
        yield _complete(run)
        yield from item_checks(run, self.data)
        yield from _number_checks(run, result, description)
        yield _model(run)
        if self.further is not None:
            yield self.further(run)


def _identity(run: StoredRun, result: Result, own: str, description: Mapping[str, Any] | None) -> Check:
    stated = run.folder.name if description is None else str(description["run"])
    if stated != own:
        return wrong("identity", f"the run is {own} by its manifest, but {stated} by its name")
    if run.manifest["identity"].get("benchmark") != run.manifest["benchmark"]["id"]:
        return wrong("identity", "the manifest names another benchmark than the identity")
    if description is not None and (name := _other_description(run, result, description)) is not None:
        return wrong("identity", f"bundle.json states another {name} than the files that it describes")
    return holds("identity", f"run {own}, the digest of its identity")


def _other_description(run: StoredRun, result: Result, description: Mapping[str, Any]) -> str | None:
    """The first entry of `bundle.json` that does not follow from the other files; None if all do."""
    made = description_of(result, run.folder, len(run.items.table))
    own = json.loads(json_bytes(redacted(made)))
    return next(
        (name for name in sorted({*own, *description} - _OF_WRITER) if own.get(name) != description.get(name)), None
    )


def _complete(run: StoredRun) -> Check:
    if run.manifest["status"] != "complete" or run.note:
        return wrong("journal", run.note or "the run is unfinished")
    if twice := _observed_twice(run):
        return wrong("journal", f"{count_of(twice, 'request')} with several observations that differ: one is chosen")
    return holds("journal", f"an observation of each of {count_of(len(run.requests.rows), 'request')}")


def _observed_twice(run: StoredRun) -> int:
    """The number of requests with observations that differ; a run repeats a request only after an error."""
    seen: dict[str, tuple[object, ...]] = {}
    twice: set[str] = set()
    for batch in read_journal(run.folder / "journal", run=run_id(run.manifest["identity"])):
        for one in batch:
            what = (one.status, one.choice, sorted(one.values.items()))
            if one.status != "error" and seen.setdefault(one.key, what) != what:
                twice.add(one.key)
    return len(twice)


def _number_checks(run: StoredRun, result: Result, description: Mapping[str, Any] | None) -> Iterator[Check]:
    try:
        stated = stated_metrics(run.folder)
    except RunError as error:
        yield wrong("numbers", str(error).replace(f"{run.folder}{os.sep}", ""))
        return
    yield _versions(stated["records"], result, description)
    same_version = _written_here(run, description)
    found = metrics_differences(stated, result, same_version)
    count = count_of(found.numbers, "number")
    if found.found:
        more = f" and {len(found.found) - _SHOWN} more" if len(found.found) > _SHOWN else ""
        yield wrong("numbers", f"{'; '.join(found.found[:_SHOWN])}{more}")
    else:
        digits = f"; {found.rounded} differ by rounding" if found.rounded else ""
        yield holds("numbers", f"{count} of metrics.json computed again, equal to the last digit{digits}")
    if not same_version:
        yield unknown("notes", "another version of rmeval made the notes, and what is said of a judge")
    if not found.intervals and same_version:
        yield wrong("intervals", f"this version of rmeval wrote them, but not by its method (version {INTERVALS})")
    elif not found.intervals:
        yield unknown("intervals", f"another version of their method made them (this is version {INTERVALS})")
    if description is None and os.path.lexists(run.folder / "scores.parquet"):
        try:
            difference = scores_difference(run)
        except RunError as error:
            difference = str(error).replace(f"{run.folder}{os.sep}", "")
        yield (
            holds("scores", "scores.parquet has the observations of the journal")
            if difference is None
            else wrong("scores", difference)
        )


def _written_here(run: StoredRun, description: Mapping[str, Any] | None) -> bool:
    """Whether this version of rmeval wrote the numbers, as far as the files state it."""
    if description is not None:
        return description.get("rmeval") == __version__
    sessions = run.manifest["sessions"]
    return bool(sessions) and sessions[-1].get("rmeval") == __version__


def _versions(records: list[dict[str, Any]], result: Result, description: Mapping[str, Any] | None) -> Check:
    """Compare the names and versions of formulas and score rules."""
    parts = []
    for name, key in (("formula", "formulas"), ("rule", "rules")):
        own = {getattr(record, name) for record in result.records}
        stated = {str(record.get(name)) for record in records}
        if description is not None and isinstance(also := description.get(key), list):
            stated |= set(map(str, also))
        if other := sorted(stated - own):
            return wrong("versions", f"the {name} {other[0]} is stated, this version computes {', '.join(sorted(own))}")
        parts.append(", ".join(sorted(own)))
    return holds("versions", "; ".join(filter(None, parts)) or "no numbers")


def _model(run: StoredRun) -> Check:
    """Compare the model's name with its identity, and compute the scores of null baselines again."""
    name, identity = str(run.manifest["model"]["name"]), str(run.manifest["identity"].get("model", ""))
    scheme, _, rest = identity.partition(":")
    if scheme == "baseline" or name.startswith("baseline:"):
        return _baseline(run, name, identity)
    if scheme == "hub":
        place, _, commit = rest.partition("@")
        if place != name and not name.startswith(f"{place} "):
            return wrong("model", f"named {name}, but the identity is that of {place}")
        if not re.fullmatch("[0-9a-f]{7,64}", commit):
            return unknown("model", f"the identity states no commit of {place}")
        return holds("model", f"{place} at commit {commit[:12]}, as far as the submitter states it")
    what = f"the name {name} stands for {identity}" if identity else f"the identity of {name} states no weights"
    return unknown("model", f"{what}: only scoring items again can show that the scores are those of this model")


def _baseline(run: StoredRun, name: str, identity: str) -> Check:
    if identity != f"{name}@1":
        return wrong("model", f"named {name}, but the identity is that of {identity}")
    rule = name.partition(":")[2]
    if rule not in NULL_SCORES or rule == "random":
        return unknown("model", f"the scores of {name} are not computed again")
    own = run.evidence(run.variant(None)).scores
    if not np.array_equal(own, null_evidence(rule, run.items.table, run.items.counts).scores):
        return wrong("model", f"the scores are not those of {name}")
    return holds("model", f"the scores are those of {name}, computed again")
