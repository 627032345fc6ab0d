"""Benchmarks, one module each; other packages add benchmarks by entry point, users by `file.py:Class`."""

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
    """Description of a benchmark.

    Attributes:
        id: Name on the command line.
        title: Name in prose.
        measures: The meaning of a correct decision, in one sentence.
        source: Hub id of the data set, or another source of the data.
        revision: Commit of the source that the counts belong to.
        licence: Licence of the data, as their authors state it.
        paper: The paper that describes the benchmark.
        citation: BibTeX.
        counts: Expected number of items by subset; empty if any number is valid.
        sections: Names of groups of subsets, accepted wherever a subset is.
        formulas: Names and versions of its official formulas.
        generated: Whether the items are generated from a seed instead of read.
        analyses: Groups of subsets to compare, by name and group, such as `refusals` with `should-respond` and
            `should-refuse`.
        rule: The score rule of the published numbers.
        variant: The score of the published numbers for models with several, such as `orders/net`; the model's first
            score if it has none of this name, or if this is empty.
        verified: The published number that rmeval reproduces, and the data for it; empty without one.
        needs_scores: Subsets whose metrics need a score of each response; they are skipped for models that only
            compare.
        errata: A JSONL file of wrong items, with `item`, `wrong` and `source`; a relative path starts at the folder of
            the `file.py:Class`. rmeval has files for its own benchmarks.
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
    """Items with gold, and the official aggregation of a model's results on them.

    Attributes:
        card: Its description.
        data: The file, folder or hub id to read instead of the pinned source, if any.
        spec: The name that loads it again: its id, or `file.py:Class`; `load_benchmark` sets it.
        options: Its other options, such as a seed; `load_benchmark` sets it unless the benchmark does.
    """

    card: Card
    data: str | None
    spec: str
    options: Mapping[str, Any]

    def load(self) -> Iterable[Item]:
        """Read the items; may return an iterator, for more items than fit into memory.

        Raises:
            DataError: If the data are missing or do not have the expected form.
        """
        ...

    def aggregate(
        self, items: Sequence[Item], evidence: Mapping[str, Evidence], rule: ScoreRule, intervals: bool = True
    ) -> list[Record]:
        """Compute the benchmark's numbers.

        Args:
            items: The selected items without their texts, an `rmeval.data.tables.ItemTable`.
            evidence: The evidence by item id, an `rmeval.data.tables.EvidenceTable`.
            rule: The score rule.
            intervals: Whether to compute confidence intervals.
        """
        ...

    def notes(self, items: Sequence[Item]) -> list[str]:
        """Return notes for the reader of the numbers, such as missing parts, one sentence each."""
        ...


def benchmark_names() -> dict[str, str]:
    """Return all installed benchmarks, as a mapping from name to `module:Class`."""
    return registered("rmeval.benchmarks", BUILTIN)


def load_benchmark(name: str, data: str | None = None, *, seed: int | None = None, **options: Any) -> Benchmark:
    """Load a benchmark.

    Args:
        name: A name from `rmeval list benchmarks`, or `file.py:Class`.
        data: A file, a folder or a hub id to read instead of the pinned source.
        seed: Seed of generated benchmarks; other benchmarks ignore it.
        **options: Options of the benchmark, such as `columns` for `pairs`, `size` for
            `rm-bench-synthetic`, or `languages` for that and `m-reward-bench`.

    Raises:
        DataError: If there is no such benchmark, or it does not have an option.
    """
    if not isinstance(name, str):
        raise DataError(
            f"the name of a benchmark must be a string, not {quoted(name)}: choose one from rmeval list benchmarks"
        )
    if data == "":
        raise DataError("--data is empty: give a file, a folder or a hub id")
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
    """Return a note on subsets whose number of items differs from the card's; empty if none does.

    Args:
        card: The benchmark's card.
        items: Its items, or their number in each subset.
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
    """Raise an error if the data from the card's source have other numbers of items than the card.

    Raises:
        DataError: If a number differs.
    """
    if wrong := missing_counts(card, items, whole=True):
        pinned = re.fullmatch(r"[0-9a-f]{7,40}", card.revision or "")
        advice = (
            "clear the hub cache and try again" if pinned else "the source may have changed: give a copy with --data"
        )
        raise DataError(f"{card.source} at {card.revision} is {wrong[0]}: {advice}")
