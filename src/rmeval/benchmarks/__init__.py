"""Benchmarks, one module each; other packages add benchmarks by entry points, users by `file.py:Class`."""

from __future__ import annotations

import copy
import inspect
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.benchmarks.built import BUILT, BuiltBenchmark, BuiltFolder, built_folder, why_not_built
from rmeval.benchmarks.card import Agreement, Card
from rmeval.benchmarks.hooks import Benchmark, BenchmarkLike, Option, adopted
from rmeval.data.unpacking import check_path
from rmeval.errors import DataError
from rmeval.faces import lazy
from rmeval.messages import alike, nearest, quoted
from rmeval.plugins import is_file_spec, load_object, registered

if TYPE_CHECKING:
    from rmeval.benchmarks.base import TableBenchmark, pair
    from rmeval.benchmarks.errata import Erratum, errata_of
else:  # These modules import this package.
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "rmeval.benchmarks.base": ("TableBenchmark", "pair"),
            "rmeval.benchmarks.errata": ("Erratum", "errata_of"),
        },
    )

__all__ = [
    "Agreement",
    "Benchmark",
    "BenchmarkLike",
    "Card",
    "Erratum",
    "FoundBenchmark",
    "Option",
    "TableBenchmark",
    "benchmark_names",
    "errata_of",
    "find_benchmark",
    "load_benchmark",
    "pair",
]

GENERATED = "rm-bench-synthetic"
"""The benchmark that needs no data: that of `rmeval demo`, and the default of `rmeval doctor`."""

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
    GENERATED: "rmeval.benchmarks.synthetic:RMBenchSynthetic",
    "pairs": "rmeval.benchmarks.pairs:Pairs",
    "best-of-n": "rmeval.benchmarks.best_of_n:BestOfN",
}


def benchmark_names() -> dict[str, str]:
    """Return all installed benchmarks, as a mapping from name to `module:Class`."""
    return registered("rmeval.benchmarks", BUILTIN)


@dataclass(frozen=True, slots=True)
class FoundBenchmark:
    """Return a benchmark class that was found by name and has no data or options yet.

    Attributes:
        name: The benchmark's name: its id, or `file.py:Class`.
        made: Its class, or a function that returns a benchmark.
        spec: The name by which runs find its class, if that is another.
    """

    name: str
    made: Any
    spec: str = ""

    @property
    def takes(self) -> Mapping[str, Option | None]:
        """Return the benchmark's options by name; None for a parameter of its constructor without an `Option`."""
        declared = {option.name: option for option in self._declared}
        return {name: declared.get(name) for name in (*declared, *self._parameters) if name not in ("data", "seed")}

    @property
    def generated(self) -> bool:
        """Return whether its items are made from a seed rather than read."""
        card = getattr(self.made, "card", None)
        return isinstance(card, Card) and card.generated

    @property
    def reads_data(self) -> bool:
        """Return whether its data can be elsewhere than its name says."""
        return not self.generated and not self.spec

    @property
    def _declared(self) -> tuple[Option, ...]:
        declared: Any = getattr(self.made, "takes", None) or ()
        if not isinstance(declared, tuple | list) or not all(isinstance(one, Option) for one in declared):
            raise DataError(
                f"{self.name} has the options {quoted(declared)}: make `takes` a tuple of rmeval.benchmarks.Option"
            )
        return tuple(declared)

    @property
    def _parameters(self) -> dict[str, inspect.Parameter]:
        found = inspect.signature(self.made).parameters
        return {name: one for name, one in found.items() if one.kind not in _ANY}

    @property
    def _takes_anything(self) -> bool:
        return any(
            one.kind is inspect.Parameter.VAR_KEYWORD for one in inspect.signature(self.made).parameters.values()
        )

    def load(self, data: Any = None, *, seed: int | None = None, **options: Any) -> Benchmark:
        """Load the benchmark with its data and options; see `load_benchmark`."""
        data = self._checked(data)
        given = {option: value for option, value in options.items() if value is not None}
        if self.generated:
            given["seed"] = seed or 0
        taken, anything = self._parameters, self._takes_anything
        # A class that generates its items need not have a parameter for data.
        wanted = given if data is None and "data" not in taken and not anything else {"data": data} | given
        if unknown := [option for option in wanted if option not in taken and not anything]:
            others = ", ".join(option for option in taken if option != "data")
            raise DataError(
                f"{self.name} has no option {quoted(unknown[0])}: "
                f"{f'choose from {others}' if others else 'leave it out'}"
            )
        if missing := [option for option, one in taken.items() if one.default is one.empty and option not in wanted]:
            raise DataError(f"{self.name} needs {' and '.join(f'`{option}`' for option in missing)}: give a value")
        # A function may return an object that is also used elsewhere: do not change it.
        found = copy.copy(adopted(self.made(**wanted)))
        if not isinstance(found.card, Card) or not isinstance(found.card.id, str) or not _ID.fullmatch(found.card.id):
            own = found.card.id if isinstance(found.card, Card) else found.card
            raise DataError(
                f"the card of {self.name} has the id {quoted(own)}: give it a name that begins with a letter or digit "
                "and consists of letters, digits, dots, dashes and underscores"
            )
        if is_file_spec(self.name) and found.card.errata:
            beside = Path(self.name.rpartition(":")[0]).parent / found.card.errata
            found.card = replace(found.card, errata=str(beside))
        found.spec, found.options = self.spec or self.name, found.options or given
        return found

    def _checked(self, data: Any) -> Any:
        """Return the data: a place as a string, or an object if the benchmark reads objects.

        Raises:
            DataError: If the place is not valid, or the benchmark reads files only.
        """
        if isinstance(data, str | Path):
            if not str(data):
                raise DataError("`data` is empty: give a file, a folder or a hub id")
            check_path(str(data))
            return str(data)
        own = inspect.isclass(self.made) and issubclass(self.made, Benchmark)
        if data is not None and own and not self.made.reads_objects:
            raise DataError(f"{self.name} reads files: give a path or a hub id as `data`, not {type(data).__name__}")
        return data


_ID = re.compile(r"\w[\w.-]*")
"""Ids are names of folders."""
_ANY = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def benchmark_name(name: str) -> str:
    """Return the name of the benchmark that is meant: `RM-Bench`, `rmbench` and `rm_bench` are `rm-bench`.

    Args:
        name: A name as the user wrote it; `file.py:Class` and the folder of a finished benchmark are returned
            unchanged.

    Raises:
        DataError: If there is no such benchmark.
    """
    if not isinstance(name, str):
        raise DataError(
            f"the name of a benchmark must be a string, not {quoted(name)}: choose one from rmeval list benchmarks"
        )
    if is_file_spec(name) or name in BUILTIN:
        return name
    names = benchmark_names()
    if name in names or name == BUILT or built_folder(name) is not None:
        return name
    if len(same := [own for own in names if alike(own, name)]) == 1:
        return same[0]
    if os.path.isdir(name):  # noqa: PTH112  It returns False for names that are no paths.
        raise DataError(why_not_built(Path(name)))
    if meant := nearest(name, names):
        raise DataError(f"there is no benchmark {quoted(name)}: did you mean {meant}? (rmeval list shows all)")
    raise DataError(
        f"there is no benchmark {quoted(name)}: choose one of {', '.join(sorted(names))}, or give file.py:Class or the "
        "folder of a finished benchmark"
    )


def find_benchmark(name: str) -> FoundBenchmark:
    """Find a benchmark by name.

    Args:
        name: A name from `rmeval list benchmarks`, in any case and with any separators, `file.py:Class`, or the folder
            of a finished benchmark of `rmeval build`.

    Raises:
        DataError: If there is no such benchmark.
    """
    name = benchmark_name(name)
    if is_file_spec(name):
        return FoundBenchmark(name, load_object(name))
    if name == BUILT:
        return FoundBenchmark(name, BuiltBenchmark)
    if name not in BUILTIN and name not in benchmark_names():
        return FoundBenchmark(name, BuiltFolder.at(name), BUILT)
    return FoundBenchmark(name, load_object(BUILTIN[name] if name in BUILTIN else benchmark_names()[name]))


def load_benchmark(name: str, data: Any = None, *, seed: int | None = None, **options: Any) -> Benchmark:
    """Load a benchmark by name.

    Args:
        name: A name from `rmeval list benchmarks`, `file.py:Class`, or the folder of a finished benchmark of
            `rmeval build`.
        data: A file, a folder or a hub id to read instead of the pinned source; for `pairs` also a data frame, a
            `datasets.Dataset`, a list of dictionaries or a dictionary of lists.
        seed: Seed of a generated benchmark; other benchmarks ignore it.
        **options: Options of the benchmark, such as `columns` for `pairs`, `size` for `rm-bench-synthetic`, or
            `languages` for `rm-bench-synthetic` and `m-reward-bench`.

    Raises:
        DataError: If there is no such benchmark, or it does not have an option.
    """
    return find_benchmark(name).load(data, seed=seed, **options)
