"""The parts of an audit: which pairs are run, with how many votes and which wording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.base import PAIR
from rmeval.data.families import family_of
from rmeval.errors import DataError, RunError
from rmeval.messages import chosen_from
from rmeval.protocols import ProtocolLike
from rmeval.protocols.judging import JudgeProtocol
from rmeval.protocols.judging.options import WORDINGS, Order
from rmeval.robustness.pairs import one_pair, own_pairs, padded_pairs
from rmeval.runs.plan import Plan, plan
from rmeval.runs.select import Selection
from rmeval.types import Item, Message, Response

__all__ = ["OWN", "PADDED", "PAIRS", "PROBES", "SMALLEST", "WORDING", "Part", "Parts", "Probing"]

PROBES = ("position", "verbosity", "self-preference", "wording", "repeats")
SMALLEST = 0.05
"""Smallest effect that matters, unless the user states another one."""
PAIRS, PADDED, OWN, WORDING = "pairs", "padded pairs", "own responses", "wording"
"""Names of the parts; those of other wordings have a number."""


@dataclass(frozen=True)
class Probing:
    """What an audit probes.

    Attributes:
        probes: The probes, of `PROBES`.
        repeats: How often each request of the unchanged pairs is run.
        wordings: Number of other wordings of the prompt.
        family: A part of the names of sources that are of the judge's family; by default the sources whose names state
            the same family as the model's name.
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


@dataclass(frozen=True)
class Part:
    """A run of an audit.

    Attributes:
        name: Its name.
        plan: Its items.
        votes: How often each request is run.
        wording: The wording of the prompt; 0 is the protocol's own.
    """

    name: str
    plan: Plan
    votes: int = 1
    wording: int = 0


class Parts:
    """The parts of an audit of one model.

    Attributes:
        probes: The probes that apply to it.
        left_out: Why the others do not.
        notes: Notes for the reader.
    """

    def __init__(self, name: str, asking: ProtocolLike, planned: Plan, probing: Probing) -> None:
        """Find the probes that apply.

        Args:
            name: The model's name.
            asking: The model's protocol.
            planned: The benchmark's items.
            probing: What is to be probed.

        Raises:
            RunError: If the judge runs by batch files.
        """
        if isinstance(asking, JudgeProtocol) and (asking.options.batch_out or asking.options.batch_in):
            raise RunError(
                "an audit has several runs, each with calls of its own: leave `batch_out` and `batch_in` out"
            )
        self._asking, self._planned, self._probing = asking, planned, probing
        self._family = family_of(name)
        self.left_out: dict[str, str] = {}
        self.notes: list[str] = []
        self.probes = [name for name in PROBES if name in probing.probes and self._applies(name)]

    @property
    def benchmark(self) -> str:
        """The benchmark's id."""
        return self._planned.benchmark.card.id

    def _applies(self, probe: str) -> bool:
        """Whether a probe applies to the model; if not, note why."""
        own = self._asking if isinstance(self._asking, JudgeProtocol) else None
        reason = ""
        if probe == "position" and len(_presented_first(self._varied(1, 0) or self._asking)) < 2:
            reason = "the model scores single responses, or its protocol has one order only"
        elif probe == "wording" and own is None:
            reason = "the model has no prompt"
        elif probe == "repeats" and own is None:
            reason = "the model has no votes"
        elif probe == "repeats" and own is not None and own.form != "text":
            reason = "the judge reads probabilities, and draws nothing"
        elif probe == "self-preference" and self._probing.family is None and self._family is None:
            reason = "the model's name states no family: give `family`, a part of the names of sources that are its own"
        if reason:
            self.left_out[probe] = reason
        return not reason

    def varied(self, part: Part) -> JudgeProtocol | None:
        """The protocol of a part; None for a model that is no judge."""
        return self._varied(part.votes, part.wording)

    def _varied(self, votes: int, wording: int) -> JudgeProtocol | None:
        if not isinstance(self._asking, JudgeProtocol):
            return None
        card = self._asking.card
        order: Order | None = "both" if "both" in card.orders and card.kind != "rate" else None
        return self._asking.varied(votes, order, wording)

    @cached_property
    def every(self) -> list[Part]:
        """All parts, the unchanged pairs first.

        Raises:
            DataError: If no item has a better and a worse response.
        """
        return list(self._parts())

    def _parts(self) -> Iterator[Part]:
        seed = self._planned.selection.seed
        pairs = [pair for one in self._planned.items() if (pair := one_pair(one.item, seed)) is not None]
        if not pairs:
            raise DataError(f"no item of {self.benchmark} has a better and a worse response")
        plain = self._plan(pairs)
        yield Part(PAIRS, plain, self._probing.repeats if "repeats" in self.probes else 1)
        padded = [own for pair in pairs for own in padded_pairs(pair)] if "verbosity" in self.probes else []
        if padded:
            self.notes.append(_padding_note(pairs, padded))
            yield Part(PADDED, self._plan(padded))
        if "self-preference" in self.probes and (own := self._own_pairs(len(pairs))):
            yield Part(OWN, self._plan(own))
        for number in range(1, self._probing.wordings + 1) if "wording" in self.probes else ():
            yield Part(f"{WORDING} {number}", plain, wording=number)

    def _own_pairs(self, count: int) -> list[Item]:
        """Pairs with one response of the judge's family, from all items of the benchmark."""
        whole = self._planned.everything or self._planned
        seed = self._planned.selection.seed
        found = own_pairs((one.item for one in whole.items()), self._is_own, seed, count)
        if not found:
            self.left_out["self-preference"] = (
                f"there are no pairs of a response of {self._probing.family or self._family} and one of another "
                "source, with either of them better"
            )
        return found

    def _is_own(self, source: str) -> bool:
        """Whether a source is of the model's family: by the given part of its name, or else by both names."""
        given = self._probing.family
        return family_of(source) == self._family if given is None else given.lower() in source.lower()

    def _plan(self, items: Iterable[Item]) -> Plan:
        planned = plan(load_benchmark("pairs"), Selection(), list(items))
        return replace(planned, notes=(*planned.notes, f"pairs of {self.benchmark} for an audit"))


def _presented_first(asking: ProtocolLike) -> set[int]:
    """The responses of a pair that are presented first in some request; empty if each is read alone."""
    pair = Item("pair", "pair", (Message("user", "?"),), (Response("a"), Response("b")), PAIR, "pair")
    return {question.members[0] for question in asking.questions(pair) if len(question.members) == 2}


def _padding_note(pairs: Sequence[Item], padded: Sequence[Item]) -> str:
    """What padding adds: each pair occurs with one of its responses padded, and with the other."""
    plain, longer = (sum(len(one.text) for item in items for one in item.responses) for items in (pairs, padded))
    return (
        f"padding, which says nothing, makes a response {longer / max(plain, 1) - 1:.1f} times as long on average: a "
        "preference against it may also be one for concise responses"
    )
