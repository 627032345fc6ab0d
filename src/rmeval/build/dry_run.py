"""What a build would send and cost, without sending anything.

The first stage runs. The others run as far as the log has their answers; the calls at which they stop are known
exactly, and those after them are estimated by the recipes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.build.answers import Answer, AnswerLog
from rmeval.build.config import BuildConfig, Role
from rmeval.build.folder import BuildFolder
from rmeval.build.records import Dropped, Record
from rmeval.build.registry import STAGES, StageName
from rmeval.build.stage import PlannedCalls, Stage, by_domain, find_stage
from rmeval.build.tools import Ask, Tools
from rmeval.models import is_address
from rmeval.models.judge.any_llm import model_of
from rmeval.transport import Usage
from rmeval.transport.budget import price_of, read_prices

if TYPE_CHECKING:
    from rmeval.sandbox import Sandbox

__all__ = ["PlannedBuild", "PlannedStage", "plan_build"]

_BYTES_OF_A_TOKEN = 4
_TWICE = 3
"""The tokens of an answer that is cut off, and of the second one with twice the limit, in limits."""
_RUN: tuple[StageName, ...] = ("responses", "styles")
"""Stages that make calls and write nothing themselves."""


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """The calls of one model in one stage.

    Attributes:
        stage: The stage.
        role: The model's role.
        model: Its name; empty if only its server knows it.
        problems: Number of problems that reach the stage.
        done: Number of calls whose answers the log has.
        calls: Number of further calls, if none fails and no text is rejected.
        most_calls: Number of further calls if every attempt is needed.
        input_tokens: Tokens of the prompts of `calls`.
        output_tokens: Tokens of their answers.
        cost: Dollars that are expected; NaN without prices.
        most_cost: Dollars if every attempt is needed, and each answer is cut off and sent again; NaN without prices.
    """

    stage: StageName
    role: Role
    model: str
    problems: int
    done: int
    calls: int
    most_calls: int
    input_tokens: float
    output_tokens: float
    cost: float
    most_cost: float


@dataclass(frozen=True)
class PlannedBuild:
    """What a build would send.

    Attributes:
        name: The benchmark's name.
        stages: The calls by stage and role.
        kept: Number of problems after each stage that was computed.
        dropped: Number of problems that each of these left out, by reason.
        rates: Share of problems that each other stage is assumed to keep: that of an earlier result, or 1.
    """

    name: str
    stages: tuple[PlannedStage, ...]
    kept: Mapping[StageName, int]
    dropped: Mapping[StageName, Mapping[str, int]]
    rates: Mapping[StageName, float]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; a number that is not known is null."""
        stages = [
            {name: None if value != value else value for name, value in asdict(one).items()} for one in self.stages
        ]
        return {**asdict(self), "stages": stages}


def plan_build(config: BuildConfig, out: Path, until: StageName | None = None) -> PlannedBuild:
    """Count the calls of a build; nothing is sent or written, and no key is needed.

    Args:
        config: The config.
        out: The build's folder, whose log may have answers.
        until: The last stage; by default all.

    Raises:
        RmevalError: If the config or a file is wrong, or a price is missing.
    """
    for name in STAGES:
        find_stage(name).options(config)
    return _Planner(config, out).plan(until)


@dataclass
class _Calls:
    """Calls of one role that are known, and those that a recipe plans beyond them."""

    done: int = 0
    missing: int = 0
    tokens: float = 0.0
    done_tokens: int = 0
    usage: Usage = field(default_factory=lambda: Usage(0, 0))
    further: int = 0
    further_most: int = 0
    further_output: float = 0.0

    def add_planned(self, planned: PlannedCalls, seen: int) -> None:
        """Add what a recipe plans beyond the calls that are known."""
        further = max(planned.calls - seen, 0)
        self.further += further
        self.further_most += max(planned.most - seen, 0)
        each = 1 / max(planned.calls, 1)
        self.tokens += planned.input_tokens * further * each
        self.further_output += planned.output_tokens * (further + seen) * each


class _UnsentError(Exception):
    """A stage needs an answer or a verdict that does not exist yet."""


class _Reader(Tools):
    """Answers and verdicts of the log; it counts what is missing, sends nothing, and runs no code of models."""

    def __init__(self, config: BuildConfig, folder: BuildFolder, answers: AnswerLog, verdicts: AnswerLog) -> None:
        super().__init__(config, folder, answers, verdicts, lambda done, total, what: None)
        self.found: dict[Role, _Calls] = {}

    def ask(self, asks: Sequence[Ask], what: str) -> list[Answer]:
        """Count the calls, and return their answers if all exist."""
        for key, one in {self.key(one): one for one in asks}.items():
            self._count(one, self._answers.get(key))
        return super().ask(asks, what)

    def _count(self, ask: Ask, answer: Answer | None) -> None:
        calls = self.found.setdefault(ask.role, _Calls())
        size = sum(len(one.content.encode("utf-8", "replace")) for one in ask.prompt.messages(ask.values))
        tokens = -(-size // _BYTES_OF_A_TOKEN)
        if answer is None:
            calls.missing += 1
            calls.tokens += tokens
            return
        calls.done += 1
        if counted := answer.usage.get("tokens"):
            calls.done_tokens += tokens
            calls.usage += Usage(counted, answer.usage.get("output_tokens", 0))

    def _sent(self, wanted: Mapping[str, Ask]) -> Iterator[list[Answer]]:
        if wanted:
            raise _UnsentError
        return iter(())

    def _keep(self, results: Sequence[Answer]) -> None:
        """Write nothing: what is computed here, such as whether a key can be compared, is computed again."""

    def need_sandbox(self) -> None:
        """Need none: verdicts of the log are enough, and the answers before them are counted without."""

    @property
    def sandbox(self) -> Sandbox:
        """None: a verdict that does not exist yet ends what can be computed."""
        raise _UnsentError


class _Planner:
    """Goes through the stages, with records that are known or estimated."""

    def __init__(self, config: BuildConfig, out: Path) -> None:
        self._config, self._folder = config, BuildFolder(out)
        self._logs = AnswerLog(out / "answers"), AnswerLog(out / "verdicts")
        prices = None if config.prices is None else str(config.path(config.prices))
        self._prices = read_prices(prices) if prices else {}
        self._where = prices or ""
        self._kept: dict[StageName, int] = {}
        self._dropped: dict[StageName, Mapping[str, int]] = {}
        self._rates: dict[StageName, float] = {}

    def plan(self, until: StageName | None) -> PlannedBuild:
        """Plan all stages up to one."""
        records: list[Record] = []
        found: list[PlannedStage] = []
        for name in STAGES:
            calls: dict[Role, _Calls] = {}
            after = self._run(name, records, calls)
            found += [self._stage(name, len(records), role, own) for role, own in calls.items()]
            records = self._estimate(name, records) if after is None else after
            if name == until:
                break
        return PlannedBuild(self._config.name, tuple(found), self._kept, self._dropped, self._rates)

    def _run(self, name: StageName, records: list[Record], calls: dict[Role, _Calls]) -> list[Record] | None:
        """Run a stage for each domain as far as its answers exist, and add its calls.

        Returns:
            The records after it; None if they depend on answers that do not exist.
        """
        stage = find_stage(name)
        runs = name == "problems" or (not self._rates and name in _RUN)
        ran: list[Record | Dropped] = []
        ended = runs
        for own in list(by_domain(records).values()) or [[]]:
            reader = _Reader(self._config, self._folder, *self._logs)
            found = _ran(stage, own, self._config, reader) if runs else None
            planned = stage.planned(own, self._config) if found is None else []
            _add(calls, reader.found, planned)
            ran += found or []
            ended = ended and found is not None
        if not ended:
            return None
        kept = sorted((one for one in ran if isinstance(one, Record)), key=lambda one: one.key)
        self._kept[name] = len(kept)
        self._dropped[name] = Counter(one.reason for one in ran if isinstance(one, Dropped))
        return kept

    def _estimate(self, name: StageName, records: list[Record]) -> list[Record]:
        """The records that a stage is assumed to keep: the share of an earlier result, or all."""
        earlier = self._folder.read(name)
        ended = 0 if earlier is None else len(earlier.records) + len(earlier.dropped)
        self._rates[name] = len(earlier.records) / ended if earlier is not None and ended else 1.0
        return records[: math.ceil(self._rates[name] * len(records))]

    def _stage(self, name: StageName, problems: int, role: Role, own: _Calls) -> PlannedStage:
        calls, most = own.missing + own.further, own.missing + max(own.further_most, own.further)
        factor = own.usage.input / own.done_tokens if own.done_tokens else 1.0
        each = own.further_output / max(own.done + own.missing + own.further, 1)
        if own.usage.output:
            each = own.usage.output / own.done
        used = Usage(math.ceil(own.tokens * factor), math.ceil(each * calls))
        limit = _TWICE * self._config.role(role).max_new_tokens
        worst = Usage(math.ceil(2 * used.input / max(calls, 1) * most), limit * most)
        model = self._model(role)
        price = price_of(self._prices, model or None, self._where) if self._prices else None
        costs = [math.nan if price is None else price.of(one) for one in (used, worst)]
        return PlannedStage(
            name, role, model, problems, own.done, calls, most, used.input, used.output, costs[0], costs[1]
        )

    def _model(self, role: Role) -> str:
        own = self._config.role(role)
        return own.served_model or ("" if is_address(own.model) else model_of(own.model))


def _ran(
    stage: Stage, records: Sequence[Record], config: BuildConfig, reader: _Reader
) -> list[Record | Dropped] | None:
    """What a stage returns for some records; None if it needs answers that do not exist."""
    try:
        return list(stage.run(records, config, reader))
    except _UnsentError:
        return None


def _add(calls: dict[Role, _Calls], known: Mapping[Role, _Calls], planned: Sequence[PlannedCalls]) -> None:
    """Add the calls of one domain to those of all."""
    for role in dict.fromkeys([*known, *(one.role for one in planned)]):
        own, total = known.get(role, _Calls()), calls.setdefault(role, _Calls())
        plans = [one for one in planned if one.role == role]
        if plans:
            sums = [
                sum(getattr(one, each) for one in plans) for each in ("calls", "most", "input_tokens", "output_tokens")
            ]
            total.add_planned(PlannedCalls(role, *sums), own.done + own.missing)
        total.done += own.done
        total.missing += own.missing
        total.tokens += own.tokens
        total.done_tokens += own.done_tokens
        total.usage += own.usage
