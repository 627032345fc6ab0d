"""Files with an accuracy for each subset, as leaderboards publish them, and numbers computed from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rmeval.benchmarks import load_benchmark
from rmeval.benchmarks.base import TableBenchmark
from rmeval.data.reading import read_json, stem_of
from rmeval.errors import DataError
from rmeval.messages import count_of, shortened, visible
from rmeval.metrics.composition import Measure, composition_of
from rmeval.metrics.scoring.sections import PRIOR_SETS, overall_with_prior, prior_score

__all__ = ["SOURCE", "SubsetNumber", "SubsetNumbers", "read_subset_file"]

SOURCE = "from published subset accuracies, no intervals"
BENCHMARKS = ("reward-bench", "reward-bench-2", "rmb", "llmbar", "preference-test-sets")
"""Benchmarks whose subsets are recognised; if several match equally well, the first is used."""
_PREFIXES = {"Pairwise_set/": "pairwise/", "BoN_set/": "bon/"}
_ABOUT = ("model", "model_type", "chat_template")


@dataclass(frozen=True, slots=True)
class SubsetNumber:
    """A number computed from subset accuracies.

    Attributes:
        benchmark: Benchmark id.
        metric: The metric, as in a run's records.
        scope: The scope, as in a run's records.
        value: The number, between 0 and 1.
        n_items: Number of items in the published data.
        formula: Name and version of the formula.
        source: Description of what the number was computed from.
    """

    benchmark: str
    metric: str
    scope: str
    value: float
    n_items: int
    formula: str
    source: str = SOURCE

    def to_dict(self) -> dict[str, Any]:
        """Return the number as plain JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SubsetNumbers:
    """Numbers computed from a file of subset accuracies.

    Attributes:
        benchmark: Id of the benchmark with these subsets.
        model: Name of the model, from the file's contents or the file's name.
        kind: The kind of model, if the file states it.
        numbers: Sections, their subsets and averages.
        notes: Notes for the reader, one sentence each.
    """

    benchmark: str
    model: str
    kind: str
    numbers: tuple[SubsetNumber, ...]
    notes: tuple[str, ...]


def read_subset_file(path: Path) -> SubsetNumbers:
    """Read a file of subset accuracies and compute the benchmark's sections and averages from them.

    Args:
        path: A JSON file with an object that has one number for each subset, or a list of such objects.

    Raises:
        DataError: If the file has no accuracies of a supported benchmark's subsets.
    """
    document = read_json(path)
    pairs = list(_numbers(document))
    stated = dict(pairs)
    benchmark, accuracy = _benchmark_of(stated, path)
    for name, (one, other) in _contradicted(pairs).items():
        if _subset(name) in accuracy:
            raise DataError(
                f"{path} has two numbers for {shortened(name)}, {one:g} and {other:g}: give a file of one model"
            )
    notes = []
    if above := [name for name, value in accuracy.items() if value > 1]:
        if below := [name for name, value in accuracy.items() if 0 < value < 1]:
            raise DataError(
                f"{path}: the accuracy of {above[0]} is above 1 and that of {below[0]} is below 1: give all as shares, "
                "or all in percent"
            )
        accuracy = {name: value / 100 for name, value in accuracy.items()}
        notes.append("the file's numbers are read as percent, because some are above 1")
    if wrong := [name for name, value in accuracy.items() if not 0 <= value <= 1]:
        raise DataError(
            f"{path}: the accuracy of {wrong[0]} is neither between 0 and 1 nor between 0 and 100: correct it"
        )
    found = _composed(benchmark, accuracy)
    about = document if isinstance(document, dict) else {}
    model, kind = (about.get(name) for name in ("model", "model_type"))
    return SubsetNumbers(
        benchmark.card.id,
        (visible(model).strip() if isinstance(model, str) else "") or stem_of(path),
        visible(kind).strip() if isinstance(kind, str) else "",
        tuple(found),
        (*notes, *_notes(benchmark, accuracy, stated, found)),
    )


def _numbers(document: Any) -> Iterator[tuple[str, float]]:
    """Yield the names and numbers of a document, at any depth."""
    if isinstance(document, list):
        for part in document:
            yield from _numbers(part)
    elif isinstance(document, dict):
        for name, value in document.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield name, _as_float(value)
            elif isinstance(value, dict):
                yield from _numbers(value)


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _contradicted(pairs: Sequence[tuple[str, float]]) -> dict[str, tuple[float, float]]:
    """Return the names with two different numbers, which occur in a file of several models."""
    found: dict[str, float] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return {name: (found[name], value) for name, value in pairs if value != found[name] and not math.isnan(value)}


def _benchmark_of(stated: Mapping[str, float], path: Path) -> tuple[TableBenchmark, dict[str, float]]:
    """Return the benchmark with the most subsets among the names, and their accuracies."""
    known: list[tuple[TableBenchmark, dict[str, float]]] = []
    for name in BENCHMARKS:
        benchmark = load_benchmark(name)
        if isinstance(benchmark, TableBenchmark):
            own = {_subset(key): value for key, value in stated.items()}
            known.append((benchmark, {key: value for key, value in own.items() if key in benchmark.card.counts}))
    benchmark, accuracy = max(known, key=lambda one: len(one[1]))
    if 2 * len(accuracy) <= len(stated) or not accuracy:
        raise DataError(
            f"{path} has no accuracies by subset of {', '.join(BENCHMARKS)}: {len(accuracy)} of its "
            f"{count_of(len(stated), 'number')} ({_few(list(stated)) or 'none has a name'}) have the name of a subset "
            "of one of these benchmarks"
        )
    return benchmark, accuracy


def _subset(name: str) -> str:
    """Translate a subset's name in a file to rmeval's name."""
    for prefix, own in _PREFIXES.items():
        if name.startswith(prefix):
            return own + name.removeprefix(prefix)
    return name


def _composed(benchmark: TableBenchmark, accuracy: Mapping[str, float]) -> list[SubsetNumber]:
    """Compute the benchmark's numbers: sums of accuracies with the benchmark's weights."""
    card = benchmark.card
    counts = {(name, "published"): card.counts[name] for name in card.counts if name in accuracy}
    values: dict[Measure, tuple[float, set[str]]] = {}
    for measure, shares in composition_of(benchmark, counts).items():
        subsets = {subset for subset, _ in shares}
        values[measure] = math.fsum(share * accuracy[subset] for (subset, _), share in shares.items()), subsets
    values |= _whole(benchmark, accuracy)
    return [
        SubsetNumber(
            card.id, *measure, value, sum(card.counts[subset] for subset in subsets), benchmark.formula(measure)
        )
        for measure, (value, subsets) in values.items()
    ]


def _whole(benchmark: TableBenchmark, accuracy: Mapping[str, float]) -> dict[Measure, tuple[float, set[str]]]:
    """Compute RewardBench 2's overall with the value of Ties from the file, as it is not computed from accuracies."""
    if benchmark.card.id != "reward-bench-2" or "Ties" not in accuracy:
        return {}
    found: dict[Measure, tuple[float, set[str]]] = {("composite", "Ties"): (accuracy["Ties"], {"Ties"})}
    if accuracy.keys() >= benchmark.card.counts.keys():
        mean = math.fsum(accuracy[name] for name in benchmark.card.counts) / len(benchmark.card.counts)
        found["overall", "all"] = mean, set(benchmark.card.counts)
    return found


def _notes(
    benchmark: TableBenchmark, accuracy: Mapping[str, float], stated: Mapping[str, float], found: list[SubsetNumber]
) -> Iterator[str]:
    yield from _missing(benchmark, accuracy)
    half = [name for name, value in accuracy.items() if _is_half(value * benchmark.card.counts[name])]
    if half and benchmark.card.id == "reward-bench":
        yield (
            f"half points in {count_of(len(half), 'subset')} ({_few(half)}): RewardBench's generative script counts an "
            "unreadable verdict one half"
        )
    sums = {number.scope: number.value for number in found if number.metric == "section"}
    if len(sums) == 1:
        sums |= dict.fromkeys(_WHOLE_PART, *sums.values())
    sums |= {number.metric: number.value for number in found if number.metric == "overall"}
    for name, value in stated.items():
        own = sums.get(name)
        if own is not None and min(abs(value - own), abs(value / 100 - own)) > _ROUNDED:
            yield f"the file states {value:g} for {name}, and its subsets give {own:.4f}"
    used = {*_ABOUT, *sums}
    if benchmark.card.id == "reward-bench" and (prior := prior_score(stated)) is not None:
        sections = {number.scope: number.value for number in found if number.metric == "section"}
        if (whole := overall_with_prior(sections, prior)) is not None:
            yield f"with the file's prior sets the score is {whole:.4f} (reward-bench/overall-with-prior@1)"
        used.update(PRIOR_SETS)
    if left := [name for name in stated if _subset(name) not in accuracy and name not in used]:
        yield f"excluded, because they are not subsets of {benchmark.card.title}: {_few(left)}"


def _missing(benchmark: TableBenchmark, accuracy: Mapping[str, float]) -> Iterator[str]:
    """Yield notes on missing and incomplete parts."""
    parts = benchmark.parts or benchmark.card.sections or {name: (name,) for name in benchmark.card.counts}
    missing = {part: [name for name in subsets if name not in accuracy] for part, subsets in parts.items()}
    if whole := [part for part, names in missing.items() if len(names) == len(parts[part])]:
        yield f"no averages that need {_few(whole)}: the file has no subset of {'it' if len(whole) == 1 else 'them'}"
    for part, names in missing.items():
        if names and part not in whole:
            yield f"{part} is not comparable with published numbers, because it lacks {_few(names)}"


_WHOLE_PART = ("Overall_accuracy", "BoN Final Accuracy")
"""Names in RM-R1's files for the accuracy over a whole part of RMB."""
_ROUNDED = 6e-4
"""Largest difference that rounding to three digits can cause."""


def _is_half(points: float) -> bool:
    """Return whether a number of points is a whole number plus one half."""
    return abs(points - round(points)) > _SLACK and abs(2 * points - round(2 * points)) < _SLACK


_SLACK = 1e-6


def _few(names: list[str]) -> str:
    return ", ".join(shortened(name) for name in names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
