"""Benchmarks: what is known to be better. One file each; others add theirs by entry point or `file.py:Class`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from rmeval.data.tables import ItemTable
from rmeval.data.unpacking import check_path
from rmeval.errors import DataError
from rmeval.messages import quoted
from rmeval.metrics.outcomes import OFFICIAL
from rmeval.plugins import is_file_spec, load_object, registered
from rmeval.types import Evidence, Item, Record, ScoreRule

__all__ = ["BUILTIN", "Benchmark", "Card", "benchmark_names", "load_benchmark"]

BUILTIN = {
    "rm-bench": "rmeval.benchmarks.rm_bench:RMBench",
    "reward-bench": "rmeval.benchmarks.reward_bench:RewardBench",
    "reward-bench-2": "rmeval.benchmarks.reward_bench_2:RewardBench2",
    "judgebench": "rmeval.benchmarks.judgebench:JudgeBench",
    "reward-math": "rmeval.benchmarks.reward_math:RewardMath",
    "m-reward-bench": "rmeval.benchmarks.m_reward_bench:MRewardBench",
    "llmbar": "rmeval.benchmarks.llmbar:LLMBar",
    "evalbiasbench": "rmeval.benchmarks.evalbiasbench:EvalBiasBench",
    "hhh-alignment": "rmeval.benchmarks.hhh_alignment:HHHAlignment",
    "rmb": "rmeval.benchmarks.rmb:RMB",
    "preference-test-sets": "rmeval.benchmarks.preference_test_sets:PreferenceTestSets",
    "ppe-preference": "rmeval.benchmarks.ppe_preference:PPEPreference",
    "ppe-correctness": "rmeval.benchmarks.ppe_correctness:PPECorrectness",
    "rm-bench-synthetic": "rmeval.benchmarks.synthetic:RMBenchSynthetic",
    "pairs": "rmeval.benchmarks.pairs:Pairs",
}


@dataclass(frozen=True, slots=True)
class Card:
    """What a reader wants to know of a benchmark before trusting a number from it.

    Attributes:
        id: Name on the command line.
        title: Name in prose.
        measures: One sentence: what a correct answer means.
        source: Hub id of the data set, or where the data come from.
        revision: Commit of the source that the counts belong to.
        licence: Licence of the data, as their authors state it.
        paper: Where the benchmark is described.
        citation: BibTeX.
        counts: Expected number of items by subset; empty where any number will do.
        sections: Names for groups of subsets, usable wherever a subset is.
        formulas: Names and versions of its official formulas.
        generated: Whether the items are made from a seed rather than read.
        analyses: Groups of subsets whose accuracies tell something side by side, by name and group, such as `refusals`
            with `should-respond` and `should-refuse`.
        rule: How ties and failures count in the published numbers.
        variant: Which of several scores that a model gives the published numbers are of, such as `orders/net`; where it
            gives none of this name, or this is empty, its first.
        verified: What published number was reproduced from what; empty if none was.
        needs_scores: Subsets whose metrics need a score of each answer; models that only compare are not asked about
            them.
        errata: A JSONL file of items that are known to be wrong, with `item`, `wrong` and `source`; a relative path is
            from a `file.py:Class` on. rmeval has its own of the benchmarks that come with it.
    """

    id: str
    title: str
    measures: str
    source: str
    revision: str | None
    licence: str
    paper: str
    citation: str
    counts: Mapping[str, int] = field(default_factory=dict)
    sections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    formulas: tuple[str, ...] = ()
    generated: bool = False
    analyses: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    rule: ScoreRule = OFFICIAL
    variant: str = ""
    verified: str = ""
    needs_scores: tuple[str, ...] = ()
    errata: str = ""


class Benchmark(Protocol):
    """Items with known answers, and the official way to average a model's successes on them. It never plans.

    Attributes:
        card: What it is.
        data: The file, folder or hub id that is read instead of the pinned source, if any.
        spec: The name that finds it again: its id, or `file.py:Class`; `load_benchmark` sets it.
        options: What else it was made with, such as a seed; `load_benchmark` sets it where the benchmark does not.
    """

    card: Card
    data: str | None
    spec: str
    options: Mapping[str, Any]

    def load(self) -> Iterable[Item]:
        """Reads the items; an iterator does, and lets them be more than fit into memory.

        Raises:
            DataError: If the data are not there or not of the expected form.
        """
        ...

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
        ...

    def notes(self, items: Sequence[Item]) -> list[str]:
        """What a reader of the numbers must know, such as parts that are missing; a sentence each."""
        ...


def benchmark_names() -> dict[str, str]:
    """All known benchmarks: name to `module:Class`."""
    return registered("rmeval.benchmarks", BUILTIN)


def load_benchmark(name: str, data: str | None = None, *, seed: int | None = None, **options: Any) -> Benchmark:
    """Finds a benchmark and tells it where its data are.

    Args:
        name: A name from `rmeval list benchmarks`, or `file.py:Class`.
        data: A file, a folder or a hub id to read instead of the pinned source.
        seed: Where a benchmark that is generated begins; others have no use for it.
        **options: What the benchmark itself understands, such as `columns` for `pairs`, `size` for
            `rm-bench-synthetic`, or `languages` for that and `m-reward-bench`.

    Raises:
        DataError: If there is no such benchmark, or it does not understand an option.
    """
    if not isinstance(name, str):
        raise DataError(f"a benchmark is named by a text, not {quoted(name)}: see rmeval list benchmarks")
    if data == "":
        raise DataError("`data` is empty: give a file, a folder or a hub id")
    if data is not None:
        check_path(data)
    if is_file_spec(name):
        target = name
    elif name in BUILTIN:
        target = BUILTIN[name]
    else:
        names = benchmark_names()
        if name not in names:
            raise DataError(
                f"there is no benchmark {quoted(name)}: choose one of {', '.join(sorted(names))}, or give file.py:Class"
            )
        target = names[name]
    made = load_object(target)
    given = {option: value for option, value in options.items() if value is not None}
    if getattr(getattr(made, "card", None), "generated", False):
        given["seed"] = seed or 0
    taken = inspect.signature(made).parameters
    anything = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values())
    if unknown := [option for option in ("data", *given) if option not in taken and not anything]:
        others = ", ".join(option for option in taken if option != "data")
        raise DataError(
            f"{name} has no option {quoted(unknown[0])}: {f'choose from {others}' if others else 'leave it out'}"
        )
    benchmark: Benchmark = made(data=data, **given)
    if is_file_spec(name) and benchmark.card.errata:
        beside = Path(name.rpartition(":")[0]).parent / benchmark.card.errata
        benchmark.card = replace(benchmark.card, errata=str(beside))
    benchmark.spec, benchmark.options = name, getattr(benchmark, "options", None) or given
    return benchmark


def missing_counts(card: Card, items: Sequence[Item] | Mapping[str, int], whole: bool = False) -> list[str]:
    """A sentence for subsets whose number of items differs from the card's, empty if none does.

    Args:
        card: The benchmark's card.
        items: Its items, or how many there are of each subset.
        whole: Whether a subset without any items counts too.
    """
    found = dict.fromkeys(card.counts, 0) | dict(items if isinstance(items, Mapping) else ItemTable.of(items).counts)
    wrong = [
        f"{name} {found[name]} instead of {want}"
        for name, want in card.counts.items()
        if found[name] != want and (whole or found[name])
    ]
    return [f"not the whole of {card.title}: {', '.join(wrong)} items"] if wrong else []


def check_counts(card: Card, items: Sequence[Item] | Mapping[str, int]) -> None:
    """Refuses what was read from the card's source, if it has other numbers of items than the card says.

    Raises:
        DataError: If it has.
    """
    if wrong := missing_counts(card, items, whole=True):
        pinned = re.fullmatch(r"[0-9a-f]{7,40}", card.revision or "")
        advice = "clear the hub cache and try again" if pinned else "it may have changed: give a copy with `data`"
        raise DataError(f"{card.source} at {card.revision} is {wrong[0]}: {advice}")
