"""Audits: what changes the verdicts of a judge or a reward model although the better response stays the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rmeval.benchmarks import BenchmarkLike, load_benchmark
from rmeval.benchmarks.base import PAIR
from rmeval.errors import DataError, RunError
from rmeval.messages import chosen_from, count_of, percent
from rmeval.models import RewardModel
from rmeval.models.judge.model import Judge
from rmeval.plugins import is_file_spec
from rmeval.protocols.judging.options import WORDINGS, Order
from rmeval.protocols.registry import load_protocol
from rmeval.results.frames import frame_of
from rmeval.results.notebook import html_of
from rmeval.robustness.effects import (
    Pending,
    Rate,
    position_effects,
    repeat_rates,
    self_preference_effects,
    verbosity_effects,
    wording_effects,
)
from rmeval.robustness.pairs import one_pair, own_pairs, padded_pairs
from rmeval.robustness.tested import AuditedEffect, tested
from rmeval.robustness.verdicts import verdicts_of
from rmeval.runs.observe import Progress, silent
from rmeval.runs.plan import Plan, plan
from rmeval.runs.runner import run
from rmeval.runs.select import Selection
from rmeval.store.manifest import finite
from rmeval.store.run import StoredRun, read_run
from rmeval.types import Item, Message, Response

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PROBES", "SMALLEST", "Audit", "AuditedEffect", "Probing", "audit_model"]

PROBES = ("position", "verbosity", "self-preference", "wording", "repeats")
SMALLEST = 0.05
"""Smallest effect that matters, unless the user states another one."""
Interval = tuple[float, float]


@dataclass(frozen=True)
class Audit:
    """What changes the verdicts of a model.

    Attributes:
        model: Name of the model.
        benchmark: The benchmark's id.
        smallest: The smallest effect that matters, as a share.
        effects: The effects and rates.
        runs: The run folder of each part.
        left_out: Why a probe was left out, by probe.
        accuracy: Accuracy on the unchanged pairs.
        notes: Notes for the reader, one sentence each.
    """

    model: str
    benchmark: str
    smallest: float
    effects: tuple[AuditedEffect, ...]
    runs: Mapping[str, Path]
    left_out: Mapping[str, str]
    accuracy: float
    notes: tuple[str, ...] = field(repr=False)

    @property
    def found(self) -> list[AuditedEffect]:
        """The effects that are found."""
        return [one for one in self.effects if one.conclusion == "found"]

    def effect(self, probe: str, name: str = "") -> AuditedEffect:
        """Return an effect; the first of its probe if no name is given.

        Raises:
            RunError: If there is none; the message lists the existing ones.
        """
        for one in self.effects:
            if one.probe == probe and name in ("", one.name):
                return one
        there = "; ".join(f"{one.probe}: {one.name}" for one in self.effects)
        raise RunError(f"there is no effect {' '.join(filter(None, (probe, name)))}: the effects are {there}")

    def to_dict(self) -> dict[str, Any]:
        """Return the audit as plain JSON types."""
        found: dict[str, Any] = finite(asdict(self) | {"runs": {name: str(path) for name, path in self.runs.items()}})
        return found

    def to_pandas(self) -> pd.DataFrame:
        """Return a table with a row for each effect."""
        return frame_of([asdict(one) for one in self.effects])

    def __repr__(self) -> str:
        lines = [
            f"  {one.probe}: {one.name} {_shown(one)} ({one.conclusion})" for one in self.effects if one.conclusion
        ]
        return "\n".join([f"audit of {self.model} on {self.benchmark}", *lines])

    def _repr_html_(self) -> str | None:
        return html_of(self)


def _shown(one: AuditedEffect) -> str:
    return percent(one.value) if one.unit == "share" else f"{one.value:+.2f}"


@dataclass(frozen=True)
class Probing:
    """What an audit probes.

    Attributes:
        probes: The probes, of `PROBES`.
        repeats: How often each request of the unchanged pairs is run.
        wordings: Number of other wordings of the prompt.
        family: A part of the names of sources that are of the judge's family.
        smallest: The smallest effect that matters, as a share.
    """

    probes: tuple[str, ...] = PROBES
    repeats: int = 2
    wordings: int = WORDINGS
    family: str | None = None
    smallest: float = SMALLEST

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            RunError: If one is not valid.
        """
        if not self.probes:
            raise RunError(f"`probes` is empty: choose from {', '.join(PROBES)}")
        for name in self.probes:
            if name not in PROBES:
                raise RunError(f"there is no probe {name!r} in `probes`: {chosen_from(name, PROBES)}")
        for name, number, ends in (("repeats", self.repeats, (2, 100)), ("wordings", self.wordings, (1, WORDINGS))):
            if type(number) is not int or not ends[0] <= number <= ends[1]:
                raise RunError(f"`{name}` must be a whole number from {ends[0]} to {ends[1]}, not {number!r}")
        if not (isinstance(self.smallest, int | float) and 0 < self.smallest < 0.5):
            raise RunError(
                f"`smallest` must be above 0 and below 0.5, such as 0.05 for 5 points, not {self.smallest!r}"
            )


def audit_model(
    model: RewardModel,
    benchmark: BenchmarkLike,
    selection: Selection,
    out: Path,
    probing: Probing = Probing(),
    *,
    store_text: bool = False,
    break_lock: bool = False,
    progress: Progress = silent,
) -> Audit:
    """Audit a judge or a reward model.

    Args:
        model: The model.
        benchmark: The benchmark whose responses are used.
        selection: The selection of its items, of each of which one pair is used.
        out: Folder of runs; an interrupted audit is continued.
        probing: What is probed.
        store_text: Whether run folders contain texts.
        break_lock: Whether to override a lock that another process seems to hold.
        progress: Called with the number of requests of a part that are done and their total.

    Raises:
        RmevalError: If the user must change something.
    """

    def observe(one: RewardModel, planned: Plan) -> Path:
        return run(one, planned, out, store_text=store_text, break_lock=break_lock, progress=progress).path

    return _Auditing(model, plan(benchmark, selection), probing).audit(observe)


class _Auditing:
    """The parts of an audit, and what they show."""

    def __init__(self, model: RewardModel, planned: Plan, probing: Probing) -> None:
        self._model, self._planned, self._probing = model, planned, probing
        self._left_out: dict[str, str] = {}
        self._probes = [name for name in PROBES if name in probing.probes and self._possible(name)]
        self._runs: dict[str, Path] = {}
        self._read: dict[str, StoredRun] = {}
        self._notes: list[str] = []

    def _possible(self, probe: str) -> bool:
        """Whether a probe applies to the model; if not, note why."""
        judge = isinstance(self._model, Judge)
        reason = ""
        if probe == "position" and len(_presented_first(self._variation())) < 2:
            reason = "the model scores single responses, or its protocol has one order only"
        elif probe == "wording" and not judge:
            reason = "the model has no prompt"
        elif probe == "repeats" and not judge:
            reason = "the model has no votes"
        elif probe == "repeats" and isinstance(self._model, Judge) and self._model.asking.form != "text":
            reason = "the judge reads probabilities, and draws nothing"
        elif probe == "self-preference" and self._probing.family is None:
            reason = "`family` is not given, a part of the names of sources that are the judge's own"
        if reason:
            self._left_out[probe] = reason
        return not reason

    def audit(self, observe: Callable[[RewardModel, Plan], Path]) -> Audit:
        """Run all parts, and return what they show."""
        pairs = self._pairs()
        votes = self._probing.repeats if "repeats" in self._probes else 1

        own_code = self._model.protocol if is_file_spec(self._model.protocol) else None

        def part(name: str, model: RewardModel, items: Iterable[Item]) -> StoredRun:
            path = observe(model, self._plan(items))
            self._runs[name] = path
            self._read[name] = read_run(path, protocol=own_code)
            return self._read[name]

        plain = part("pairs", self._variation(votes=votes), pairs)
        found: list[Pending | Rate] = []
        if "position" in self._probes:
            found += position_effects(plain)
        if "verbosity" in self._probes:
            padded = [own for pair in pairs for own in padded_pairs(pair)]
            found += verbosity_effects(part("padded pairs", self._variation(), padded)) if padded else []
            self._notes += [_padding_note(pairs, padded)] if padded else []
        if "self-preference" in self._probes and (own := self._own_pairs(len(pairs))):
            found += self_preference_effects(part("own responses", self._variation(), own))
        if "wording" in self._probes:
            others = {
                number: part(f"wording {number}", self._variation(wording=number), pairs)
                for number in range(1, self._probing.wordings + 1)
            }
            found += wording_effects(plain, others)
        if "repeats" in self._probes:
            found += repeat_rates(plain)
        effects = tuple(tested(found, self._probing.smallest))
        return Audit(
            self._model.name,
            self._planned.benchmark.card.id,
            self._probing.smallest,
            effects,
            self._runs,
            self._left_out,
            _accuracy(plain),
            (*self._notes, *_failures(self._read)),
        )

    def _pairs(self) -> list[Item]:
        seed = self._planned.selection.seed
        found = [pair for one in self._planned.items() if (pair := one_pair(one.item, seed)) is not None]
        if not found:
            raise DataError(f"no item of {self._planned.benchmark.card.id} has a better and a worse response")
        return found

    def _own_pairs(self, count: int) -> list[Item]:
        """Pairs with one response of the judge's family, from all items of the benchmark."""
        assert self._probing.family is not None
        family = self._probing.family.lower()
        whole = self._planned.everything or self._planned
        seed = self._planned.selection.seed
        found = own_pairs((one.item for one in whole.items()), lambda source: family in source.lower(), seed, count)
        if not found:
            self._left_out["self-preference"] = (
                f"there are no pairs of a response of {self._probing.family} and one of another source, with either of "
                "them better"
            )
        return found

    def _plan(self, items: Iterable[Item]) -> Plan:
        source = self._planned.benchmark.card.id
        planned = plan(load_benchmark("pairs"), Selection(), list(items))
        return replace(planned, notes=(*planned.notes, f"pairs of {source} for an audit"))

    def _variation(self, votes: int = 1, wording: int = 0) -> RewardModel:
        """The judge with other votes or another wording, in both orders; any other model unchanged."""
        if not isinstance(self._model, Judge):
            return self._model
        own = self._model
        order: Order | None = "both" if "both" in own.asking.card.orders else None
        return Judge(own.backend, own.asking.varied(votes, order, wording), own.name)


def _presented_first(model: RewardModel) -> set[int]:
    """The responses of a pair that are presented first in some request; empty if each is read alone."""
    pair = Item("pair", "pair", (Message("user", "?"),), (Response("a"), Response("b")), PAIR, "pair")
    questions = load_protocol(model.protocol).protocol.questions(pair)
    return {question.members[0] for question in questions if len(question.members) == 2}


def _padding_note(pairs: Sequence[Item], padded: Sequence[Item]) -> str:
    """What padding adds: each pair occurs with one of its responses padded, and with the other."""
    plain, longer = (sum(len(one.text) for item in items for one in item.responses) for items in (pairs, padded))
    return (
        f"padding, which says nothing, makes a response {longer / max(plain, 1) - 1:.1f} times as long on average: a "
        "preference against it may also be one for concise responses"
    )


def _accuracy(plain: StoredRun) -> float:
    better = verdicts_of(plain).better
    return float(np.nanmean(better)) if not np.isnan(better).all() else math.nan


def _failures(runs: Mapping[str, StoredRun]) -> Iterator[str]:
    for name, read in runs.items():
        missing = int((~read.observations.has_value[read.requests.rows]).sum())
        if missing:
            yield f"{name}: {count_of(missing, 'request')} of {len(read.requests.rows)} without a verdict, left out"
