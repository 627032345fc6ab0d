"""A benchmark as Python users give it: a name with data and options, data alone, or a loaded benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rmeval.benchmarks import BenchmarkLike, load_benchmark
from rmeval.errors import DataError

__all__ = ["given_benchmark"]


def given_benchmark(
    benchmark: str | BenchmarkLike | None, data: object, seed: int, options: Mapping[str, Any]
) -> BenchmarkLike:
    """Load a benchmark with its data and options, or return one that is loaded.

    Args:
        benchmark: Name, `file.py:Class`, or a loaded benchmark; None for preference pairs that are given as an object.
        data: File, folder, hub id or object; None for the pinned source.
        seed: Seed of a generated benchmark.
        options: The benchmark's own options by name; None stands for an option that is not given.

    Raises:
        DataError: If there is no benchmark, or data and options are for one that is already loaded.
    """
    given = {name: value for name, value in options.items() if value is not None}
    is_object = data is not None and not isinstance(data, str | Path)
    if benchmark is None:
        if not is_object:
            raise DataError("no benchmark is given: name one, such as 'pairs' for preference pairs of your own")
        benchmark = "pairs"
    if isinstance(benchmark, str):
        place = str(data) if isinstance(data, Path) else data
        return load_benchmark(benchmark, place, seed=seed, **given)
    if isinstance(benchmark, Iterable):
        raise DataError(
            f"the benchmark is of the type {type(benchmark).__name__}: give data as `data`, and a name here"
        )
    if useless := [*([] if data is None else ["data"]), *given]:
        raise DataError(f"the benchmark is already loaded: give {', '.join(useless)} to load_benchmark")
    return benchmark
