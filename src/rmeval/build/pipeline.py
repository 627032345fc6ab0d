"""Runs the stages of a build one after the other, each once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rmeval._version import __version__
from rmeval.build.answers import AnswerLog
from rmeval.build.config import BuildConfig
from rmeval.build.folder import BuildFolder, StageResult, state_of
from rmeval.build.records import Dropped, Record
from rmeval.build.registry import STAGES, StageName
from rmeval.build.review.log import review_state
from rmeval.build.stage import Stage, find_stage
from rmeval.build.tools import Progress, Tools
from rmeval.data.digests import digest
from rmeval.errors import DataError
from rmeval.store.lock import Lock
from rmeval.transport.budget import shared_budgets

__all__ = ["BuildResult", "build"]


@dataclass(frozen=True)
class BuildResult:
    """What a build has reached.

    Attributes:
        folder: Its folder.
        stages: The results by stage, in their order.
        calls: Number of calls of this process.
        cost: Their cost in dollars; None without prices.
        waits: Why the build has not finished although nothing failed, such as a review that is not complete.
        rejected: Why the finished benchmark may not be used: the gates that it did not pass.
    """

    folder: BuildFolder
    stages: dict[StageName, StageResult]
    calls: int
    cost: float | None
    waits: str | None = None
    rejected: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        stages = {
            name: {
                "kept": len(one.records),
                "dropped": Counter(dropped.reason for dropped in one.dropped),
                "facts": dict(one.facts),
            }
            for name, one in self.stages.items()
        }
        return {
            "folder": str(self.folder.path),
            "stages": stages,
            "calls": self.calls,
            "cost": self.cost,
            "waits": self.waits,
            "rejected": self.rejected,
        }


def silent(done: int, total: int, what: str) -> None:
    """Show no progress."""


def build(
    config: BuildConfig,
    out: Path,
    *,
    until: StageName | None = None,
    accept_failures: bool = False,
    break_lock: bool = False,
    progress: Progress = silent,
) -> BuildResult:
    """Run the stages that have no result yet, or whose result depended on something that has changed.

    Args:
        config: The config.
        out: The build's folder.
        until: The last stage to run; by default all.
        accept_failures: Whether calls that failed count as answers without a text.
        break_lock: Whether to take a lock that another process seems to hold.
        progress: Called with the number of calls that are done, their total, and what is running.

    Raises:
        RmevalError: If the user must change something. Answers and finished stages are kept.
    """
    for name in STAGES:
        find_stage(name).options(config)  # A misspelt option is found before the first call.
    folder = BuildFolder(out)
    with (
        Lock(out / "lock", break_lock),
        AnswerLog(out / "answers") as answers,
        AnswerLog(out / "verdicts") as verdicts,
        shared_budgets(),
    ):
        folder.check_name(config.name)
        tools = Tools(config, folder, answers, verdicts, progress, accept_failures)
        found: dict[StageName, StageResult] = {}
        records: Sequence[Record] = ()
        for name in STAGES:
            tools.earlier = dict(found)
            found[name] = _stage(name, folder, records, config, tools)
            records = found[name].records
            if name == until or found[name].facts.get("waits"):
                break
        last = found[name].facts
        return BuildResult(folder, found, tools.calls, tools.cost, last.get("waits"), last.get("rejected"))


def _stage(
    name: StageName, folder: BuildFolder, records: Sequence[Record], config: BuildConfig, tools: Tools
) -> StageResult:
    """The result of a stage: the stored one if nothing that it depends on has changed."""
    stage = find_stage(name)
    models = {
        role: own.model_dump(exclude={"model", "options"}) | {"name": own.name, "options": own.writing}
        for role, own in config.models.items()
    }
    inputs = digest(
        {
            "records": [one.to_dict() for one in records],
            "earlier": [_lasting(one) for one in tools.earlier.values()],
            "options": stage.options(config),
            "seed": config.seed,
            "models": models,
            "prompts": tools.prompts.versions(),
            "accept_failures": tools.accept_failures,
            "rmeval": __version__,
            **({"reviews": review_state(folder.review)} if name == "review" else {}),
        }
    )
    earlier = folder.read(name)
    if earlier is not None and earlier.inputs == inputs and _is_complete(earlier, folder):
        return earlier
    started, calls = time.monotonic(), tools.calls
    kept, dropped = _run(stage, records, config, tools)
    facts: dict[str, Any] = {
        "calls": tools.calls - calls,
        "seconds": round(time.monotonic() - started, 3),
        "rmeval": __version__,
        "before": state_of(records),
        **tools.take_facts(),
    }
    result = StageResult(kept, dropped, inputs, facts)
    if earlier is None or _handed_on(earlier) != _handed_on(result):
        folder.forget_after(name)
    folder.write(name, result)
    if not kept and not facts.get("waits"):
        reasons = sorted({one.reason for one in dropped})
        raise DataError(
            f"the stage {name} has left no problem over ({'; '.join(reasons) or 'there were none'}): see "
            f"{folder.of(name) / 'dropped.jsonl'}"
        )
    return result


def _is_complete(result: StageResult, folder: BuildFolder) -> bool:
    """Whether a stage that runs again with the same inputs would have the same result."""
    open_ends = result.facts.get("waits") or result.facts.get("unavailable")
    return bool(result.records) and not open_ends and folder.has(result.facts.get("files", {}))


def _handed_on(result: StageResult) -> str:
    """Digest of what later stages read."""
    return digest([[one.to_dict() for one in result.records], _lasting(result)])


def _lasting(result: StageResult) -> list[Any]:
    """What an earlier stage has left out, and its facts, without those of the process that ran it."""
    facts = {name: fact for name, fact in result.facts.items() if name not in ("calls", "seconds")}
    return [[asdict(one) for one in result.dropped], facts]


def _run(
    stage: Stage, records: Sequence[Record], config: BuildConfig, tools: Tools
) -> tuple[list[Record], list[Dropped]]:
    kept: list[Record] = []
    dropped: list[Dropped] = []
    for one in stage.run(records, config, tools):
        (kept if isinstance(one, Record) else dropped).append(one)  # type: ignore[arg-type]
    return sorted(kept, key=lambda one: one.key), sorted(dropped, key=lambda one: one.key)
