"""Overlap of problems with the prompts of named benchmarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rmeval.benchmarks import find_benchmark, load_benchmark
from rmeval.benchmarks.locate import find_files
from rmeval.build.config import BuildConfig
from rmeval.build.problems.near import NearIndex, Signed
from rmeval.build.problems.options import OverlapOptions
from rmeval.build.problems.reading import digest_of
from rmeval.build.problems.words import sequences
from rmeval.errors import DataError

__all__ = ["KnownPrompts", "overlap_inputs"]

_LONG = 8
"""Of the 101 problems of HumanEval whose first words are in RM-Bench, 100 share at least 20% of their 8-word sequences
with one prompt of it, and 90 of their 13-word sequences; of 7,712 problems of other data sets none does."""


class KnownPrompts:
    """The prompts of benchmarks, in which overlapping problems are found."""

    def __init__(self, benchmarks: list[OverlapOptions], config: BuildConfig, threshold: float, share: float) -> None:
        """Read the benchmarks.

        Args:
            benchmarks: The benchmarks.
            config: The config, for paths.
            threshold: Jaccard index of 3-word sequences from which a prompt is the same problem.
            share: Share of a problem's 8-word sequences in a prompt from which it contains the problem.

        Raises:
            DataError: If a benchmark cannot be read.
        """
        self._near, self._share = NearIndex(threshold), share
        self._long: dict[str, list[str]] = {}
        for one in benchmarks:
            for name, text in _prompts(one, config):
                self._add(name, text)

    def _add(self, name: str, text: str) -> None:
        found = Signed.of(text)
        self._near.add(name, found)
        for one in _long(found):
            self._long.setdefault(one, []).append(name)

    def overlap(self, text: Signed) -> str | None:
        """Return which prompt a text overlaps, and how much; None if it overlaps none."""
        if near := self._near.nearest(text):
            return f"{near[0]}: Jaccard index {near[1]:.2f}"
        own = _long(text)
        counts = Counter(name for one in own for name in self._long.get(one, ()))
        if not counts:
            return None
        name, count = min(counts.items(), key=lambda one: (-one[1], one[0]))
        share = count / len(own)
        return f"{name}: contains {share:.0%} of the 8-word sequences" if share >= self._share else None


def _long(text: Signed) -> set[str]:
    """The long sequences of a text, without signs, which examples in another notation have differently."""
    found = [one for one in text.words if len(one) > 1 or one.isalnum()]
    return sequences(found, _LONG) if len(found) >= _LONG else set()


def _prompts(benchmark: OverlapOptions, config: BuildConfig) -> Iterator[tuple[str, str]]:
    """The name and the text of each different prompt: its last turn, which contains the problem."""
    data = None if benchmark.data is None else str(config.path(benchmark.data))
    seen: set[str] = set()
    for item in load_benchmark(benchmark.benchmark, data).load():
        text = item.prompt[-1].content
        if text not in seen:
            seen.add(text)
            yield f"{benchmark.benchmark} {item.id}", text


def overlap_inputs(benchmarks: list[OverlapOptions], config: BuildConfig) -> list[Any]:
    """What the benchmarks' prompts depend on: names, and digests of files or the pinned revision.

    Raises:
        DataError: If there is no such benchmark or file.
    """
    found: list[Any] = []
    for one in benchmarks:
        card = find_benchmark(one.benchmark).made.card
        if one.data is None:
            found.append([one.benchmark, card.revision])
            continue
        path = config.path(one.data)
        if not path.exists():
            raise DataError(f"there is no file {path}: correct `data` of the benchmark {one.benchmark} in `overlap`")
        files = find_files(path) if path.is_dir() else [path]
        found.append([one.benchmark, [[_name(file, path), digest_of(file)] for file in files]])
    return found


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix() if folder.is_dir() else file.name
