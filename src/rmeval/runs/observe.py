"""Scoring of the requests that a journal lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from rmeval.data.keys import KeyIndex
from rmeval.data.observations import ObservationTable
from rmeval.errors import RunError, reason_of
from rmeval.messages import count_of, shortened
from rmeval.models import RewardModel
from rmeval.models.served.raw import far_apart
from rmeval.redaction import redacted
from rmeval.store.journal import Journal
from rmeval.store.raw import RawTexts
from rmeval.store.requests import read_observations
from rmeval.types import Request

__all__ = [
    "Progress",
    "ShowsCost",
    "ShowsFailures",
    "WholeProgress",
    "check_served",
    "has_no_verdict",
    "observe_missing",
    "refuse_no_scores",
    "refuse_other_model",
    "silent",
]

Progress = Callable[[int, int], None]
"""Called with the number of requests that are done and the total, at the start and after each batch."""


@runtime_checkable
class ShowsFailures(Protocol):
    """A progress that also shows how many requests have no value."""

    def failed(self, count: int) -> None:
        """Show how many requests of this process have ended without a value."""


@runtime_checkable
class ShowsCost(Protocol):
    """A progress that also shows what a model costs."""

    def spent(self, dollars: float) -> None:
        """Show what this process has spent."""


@runtime_checkable
class _Spends(Protocol):
    """A model that is paid for."""

    @property
    def cost(self) -> float | None:
        """What its calls so far cost in dollars; None if nobody knows."""


@dataclass(frozen=True, slots=True)
class WholeProgress:
    """The progress of a part, shown as progress of the whole.

    Attributes:
        progress: The progress of the whole.
        total: The whole's number of requests.
    """

    progress: Progress
    total: int

    def __call__(self, done: int, total: int) -> None:
        """Show what is done of the whole."""
        self.progress(done, self.total)

    def failed(self, count: int) -> None:
        """Show how many requests have no value."""
        if isinstance(self.progress, ShowsFailures):
            self.progress.failed(count)

    def spent(self, dollars: float) -> None:
        """Show what this process has spent."""
        if isinstance(self.progress, ShowsCost):
            self.progress.spent(dollars)


def _show(progress: Progress, model: RewardModel, failed: int) -> None:
    """Show how many requests have no value, and what the model has cost."""
    if isinstance(progress, ShowsFailures):
        progress.failed(failed)
    if isinstance(progress, ShowsCost) and isinstance(model, _Spends) and (cost := model.cost) is not None:
        progress.spent(cost)


def silent(done: int, total: int) -> None:
    """Show no progress."""


def observe_missing(
    model: RewardModel,
    index: KeyIndex,
    requests: Iterable[Request],
    journal: Path,
    progress: Progress = silent,
    begin: Callable[[], None] = lambda: None,
    run: str | None = None,
    texts: Path | None = None,
) -> tuple[ObservationTable, int]:
    """Score the requests that the journal lacks, or has only as errors.

    Args:
        model: The model.
        index: The distinct requests.
        requests: All requests, in the order of the keys from which the index was built.
        journal: Folder of the journal.
        progress: Called with the number of requests that are done and the total.
        begin: Called before the first observation is written, if any request is missing.
        run: The run to which the journal belongs, from `run_id`.
        texts: Folder of the texts that a judge writes; None if they are not stored.

    Returns:
        The observations of the requests, and how many of them are new.

    Raises:
        RunError: If the model leaves a request without an observation.
    """
    observations = read_observations(index, journal, run)
    open_ = ~observations.settled
    missing, total = int(open_.sum()), len(index)
    done, failed = total - missing, 0
    progress(done, total)
    if missing:
        wanted = index.first & open_[index.rows]
        with Journal(journal, run) as writer, RawTexts(texts) if texts else nullcontext() as raw:
            for number, found in enumerate(model.observe(compress(requests, wanted))):
                # Errors of other packages may contain addresses with passwords.
                batch = [replace(one, error=redacted(one.error)) if one.error else one for one in found]
                if number == 0:
                    begin()
                # Values that the columns cannot hold raise an error before they are written.
                try:
                    observations.add(index.find([one.key for one in batch]), batch)
                    if raw is not None:
                        raw.append(batch)
                    writer.append(batch)
                except (AttributeError, OverflowError, TypeError, ValueError) as error:
                    raise RunError(
                        f"{model.name} returned an observation that cannot be stored ({reason_of(error)}): let its "
                        "values be finite floats or tuples of them, and its counts whole numbers; the others are kept"
                    ) from error
                done += len(batch)
                failed += sum(one.status != "ok" for one in batch)
                _show(progress, model, failed)
                progress(done, total)
        _refuse_missing(model, int((observations.status == 0).sum()))
        observations.share()
    return observations, missing


def _refuse_missing(model: RewardModel, left: int) -> None:
    if left:
        raise RunError(
            f"{model.name} returned no observation of {count_of(left, 'request')}: let its observe() return one "
            "for each, with a status where there is no value, and run again; the others are kept"
        )


def refuse_other_model(earlier: Iterable[Mapping[str, Any]], facts: Mapping[str, Any], where: Path) -> None:
    """Check that a server still serves the model whose scores exist, by the name in its answers and by canaries.

    Args:
        earlier: The facts of earlier processes.
        facts: The facts of this process.
        where: The existing scores, for the message.

    Raises:
        RunError: If the scores differ.
    """
    canary, named = facts.get("canary"), facts.get("answered_by")
    for one in earlier:
        if named is not None and one.get("answered_by", named) != named:
            raise RunError(
                f"{where} contains verdicts of {shortened(one['answered_by'], 80)}, and the same name is answered by "
                f"{shortened(named, 80)} now: name one model exactly, or choose another folder with `out`"
            )
        known = one.get("canary")
        if not isinstance(canary, Mapping) or not isinstance(known, Mapping) or known.get("of") != canary.get("of"):
            continue
        if known.get("changed_to"):
            raise RunError(
                f"{where} contains scores of several models, because the server served another one at the end of a "
                "run than at its beginning: choose another folder with `out`"
            )
        if far_apart(known["scores"], canary["scores"], canary.get("near")):
            shown = ["/".join(f"{score:.4g}" for score in own["scores"]) for own in (known, canary)]
            raise RunError(
                f"{where} contains scores of another model than the one that is served now (the same conversations got "
                f"{shown[0]} and get {shown[1]}): serve that model again, or choose another folder with `out`"
            )


def check_served(model: RewardModel, earlier: Sequence[Mapping[str, Any]], where: Path) -> None:
    """Check a server of which no score is missing: another model may have the same name there.

    Args:
        model: The model, of which this process has observed nothing.
        earlier: The facts of earlier processes.
        where: The existing scores, for the message.

    Raises:
        RunError: If it serves another model than the one whose scores exist.
    """
    if any("canary" in one for one in earlier):
        for _ in model.observe(()):  # Scores the same conversations, and nothing else.
            pass
        refuse_other_model(earlier, model.facts(), where)


_NO_VERDICT = {
    "unparsed": "run the judge with `store_text` into another folder, read there by rmeval errors what it writes, and "
    "give a `protocol` that reads this",
    "no_verdict": "give a larger `max_new_tokens`, or a `protocol` with shorter outputs",
    "refused": "give another judge, or a `protocol` that this one does not refuse",
}
"""What to do if no output states a verdict, by the status of the first; a run again would send none of them."""


def has_no_verdict(observations: ObservationTable) -> bool:
    """Whether each request of a judge is done and none has a verdict, so that nothing is left for another run."""
    reason = observations.why_missing(np.arange(len(observations.status)))
    return reason in _NO_VERDICT and bool(observations.settled.all() and not observations.has_value.any())


def refuse_no_scores(observations: ObservationTable) -> None:
    """Check that a run has at least one score.

    Raises:
        RunError: If there is no score, with the reason.
    """
    if not len(observations.status):
        raise RunError(
            "the protocol asks nothing about these items: choose other items, or another protocol, such as one that "
            "scores or rates each response"
        )
    if not observations.has_value.any():
        reason = observations.why_missing(np.arange(len(observations.status)))
        count = len(observations.status)
        if reason in _NO_VERDICT:
            raise RunError(f"none of {count} outputs states a verdict ({reason}): {_NO_VERDICT[reason]}")
        raise RunError(f"none of {count} responses got a score ({reason}): correct this and run again")
