"""What a benchmark is: its card, its options, and the hooks that it may override."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol, get_args

from rmeval.benchmarks.card import Card
from rmeval.data.tables import ItemTable
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.composition import Composition, Counts, Measure, by_subset
from rmeval.metrics.outcomes import Outcomes, outcomes
from rmeval.types import Evidence, Item, Record, ScoreRule

__all__ = ["Benchmark", "BenchmarkLike", "Option", "adopted"]


Kind = Literal["text", "number", "words", "mapping"]


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a benchmark's own, which its constructor takes by this name.

    Attributes:
        name: The constructor's parameter.
        kind: What text on the command line stands for: itself, a whole number, `words` separated by commas (a list), or
            `mapping`, such as `prompt=question,chosen=good`.
        help: What it is, in a phrase.
    """

    name: str
    kind: Kind
    help: str

    def __post_init__(self) -> None:
        """Refuses a kind that does not exist, whose text would be passed on as it is.

        Raises:
            DataError: If the kind does not exist.
        """
        if self.kind not in get_args(Kind):
            raise DataError(
                f"the option {self.name} has the kind {quoted(self.kind)}: use one of {', '.join(get_args(Kind))}"
            )


class BenchmarkLike(Protocol):
    """The least that a benchmark from outside has; what else `Benchmark` has is added to it."""

    card: Card

    def load(self) -> Iterable[Item]:
        """Reads the items."""
        ...

    def aggregate(self, items: Any, evidence: Any, rule: Any, intervals: bool = True) -> list[Record]:
        """Computes the benchmark's numbers."""
        ...


class Benchmark(ABC):
    """Items with known answers, and the official way to average a model's successes on them. It never plans.

    Attributes:
        card: What it is.
        data: The file, folder or hub id that is read instead of the pinned source, if any.
        spec: The name that finds it again: its id, or `file.py:Class`.
        options: What else it was made with, such as a seed.
        takes: The options that its constructor takes beside `data` and `seed`.
        reads_objects: Whether its data may be a Python object, such as a data frame, instead of a place.
    """

    card: Card
    data: str | None = None
    spec: str = ""
    options: Mapping[str, Any] = MappingProxyType({})
    takes: tuple[Option, ...] = ()
    reads_objects = False

    @abstractmethod
    def load(self) -> Iterable[Item]:
        """Reads the items; an iterator does, and lets them be more than fit into memory.

        Raises:
            DataError: If the data are not there or not of the expected form.
        """

    @abstractmethod
    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule, intervals: bool = True
    ) -> list[Record]:
        """Computes the benchmark's numbers.

        Args:
            items: The items that were asked about, without their texts: an `rmeval.data.tables.ItemTable`.
            evidence: By item id: an `rmeval.data.tables.EvidenceTable`.
            rule: How ties and failures count.
            intervals: Whether to compute confidence intervals.
        """

    def outcomes(self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule) -> Outcomes:
        """Who won what; credits need not be 0 and 1, as where the rank of the right answer decides."""
        return outcomes(items, evidence, rule)

    def composition(self, counts: Counts) -> Composition:
        """What the numbers are made of: accuracy by subset, and of all comparisons."""
        return by_subset(counts)

    def chance(self, items: ItemTable) -> Mapping[Measure, float]:
        """What random scores get, of numbers of which equal scores with ties shared get something else; none here."""
        return {}

    def notes(self, items: Sequence[Item]) -> list[str]:
        """What a reader of the numbers must know, such as parts that are missing; a sentence each."""
        return []


_HOOKS = ("outcomes", "composition", "chance", "notes")


class _Outside(Benchmark):
    """A benchmark of a class that does not derive from `Benchmark`, with the defaults of what it lacks."""

    def __init__(self, made: Any) -> None:
        card = getattr(made, "card", None)
        if not isinstance(card, Card) or not all(callable(getattr(made, name, None)) for name in ("load", "aggregate")):
            raise DataError(
                f"{quoted(made)} is no benchmark: it needs a card of the class rmeval.benchmarks.Card, and the methods "
                "load() and aggregate(items, evidence, rule, intervals)"
            )
        self.card, self._made = card, made
        self.data = getattr(made, "data", None)
        self.spec, self.options = getattr(made, "spec", ""), getattr(made, "options", self.options)
        for hook in _HOOKS:
            if callable(own := getattr(made, hook, None)):
                setattr(self, hook, own)

    def load(self) -> Iterable[Item]:
        found: Iterable[Item] = self._made.load()
        return found

    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule, intervals: bool = True
    ) -> list[Record]:
        found: list[Record] = self._made.aggregate(items, evidence, rule, intervals)
        return found


def adopted(benchmark: BenchmarkLike) -> Benchmark:
    """The benchmark with all hooks, of any object that has a card, `load` and `aggregate`; the object stays as it is.

    Raises:
        DataError: If it has not.
    """
    return benchmark if isinstance(benchmark, Benchmark) else _Outside(benchmark)
