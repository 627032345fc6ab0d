"""The first stage: problems from files, filtered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rmeval.build.config import BuildConfig
from rmeval.build.problems.filters import check_languages, left_out
from rmeval.build.problems.near import NearIndex, Signed
from rmeval.build.problems.overlap import KnownPrompts, overlap_inputs
from rmeval.build.problems.reading import ReadProblem, digest_of, read_problems
from rmeval.build.records import Dropped, Record
from rmeval.build.stage import PlannedCalls
from rmeval.build.tools import Tools
from rmeval.data.digests import digest
from rmeval.errors import DataError

__all__ = ["ProblemStage"]

_SAME = 0.8
"""Jaccard index from which a prompt of a named benchmark is the same problem, where near-duplicates are kept."""


class ProblemStage:
    """Reads the problems of each domain, and leaves out those that its filters name."""

    def run(self, records: Sequence[Record], config: BuildConfig, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield a record without candidates for each problem that is kept."""
        duplicates = _Duplicates(config)
        for name in config.domains:
            kept, dropped = _filtered(name, config, tools, duplicates)
            kept, undrawn = _drawn(kept, config.domains[name].problems.limit, config.seed)
            if not kept:
                reasons = Counter(one.reason for one in dropped).most_common()
                raise DataError(
                    f"the domain {name} has no problem left ({', '.join(f'{n} {one}' for one, n in reasons)}): change "
                    "its filters or files"
                )
            yield from dropped
            yield from undrawn
            yield from kept

    def options(self, config: BuildConfig) -> Any:
        """The options of each domain, with digests of its files."""
        return {
            name: {
                "problems": own.problems.model_dump(),
                "filters": own.filters.model_dump(),
                "licence": own.licence or config.licence,
                "language": config.language,
                "files": [digest_of(config.path(file)) for file in own.problems.files],
                "overlap": overlap_inputs(own.filters.benchmarks, config),
            }
            for name, own in config.domains.items()
        }

    def planned(self, records: Sequence[Record], config: BuildConfig) -> list[PlannedCalls]:
        """No calls."""
        return []


def _filtered(
    name: str, config: BuildConfig, tools: Tools, duplicates: _Duplicates
) -> tuple[list[Record], list[Dropped]]:
    """The records of a domain, and what its filters leave out."""
    domain = config.domains[name]
    filters = domain.filters
    check_languages(filters)
    known = None
    if filters.benchmarks:
        near = _SAME if filters.near_duplicates is None else filters.near_duplicates
        known = KnownPrompts(filters.benchmarks, config, near, filters.containment)
    kept: list[Record] = []
    dropped: list[Dropped] = []
    for one in read_problems(name, domain, config, tools.prompts):
        if isinstance(one, Dropped):
            dropped.append(one)
        elif out := left_out(one, filters) or _known(one, known, duplicates, filters.near_duplicates):
            dropped.append(out)
        else:
            kept.append(Record(one.problem))
    return kept, dropped


def _known(
    found: ReadProblem, benchmarks: KnownPrompts | None, duplicates: _Duplicates, threshold: float | None
) -> Dropped | None:
    """Why a problem is not new."""
    key, text = found.problem.key, Signed.of(found.text)
    if benchmarks is not None and (where := benchmarks.overlap(text)):
        return Dropped(key, "in a named benchmark", where)
    return duplicates.of(found, text, threshold)


class _Duplicates:
    """The texts of all problems so far."""

    def __init__(self, config: BuildConfig) -> None:
        thresholds = {own.filters.near_duplicates for own in config.domains.values()} - {None}
        self._near = {one: NearIndex(one) for one in thresholds if one is not None}
        self._seen: dict[tuple[str, str], str] = {}
        self._languages: dict[str, str] = {}

    def of(self, found: ReadProblem, signed: Signed, threshold: float | None) -> Dropped | None:
        """Why a problem is a duplicate of an earlier one; one that is none is remembered.

        The same task for programs in two languages is no duplicate.
        """
        key, language = found.problem.key, found.problem.tests.get("language", "")

        def counts(name: str) -> bool:
            return self._languages[name] in ("", language) or not language

        if (earlier := self._seen.setdefault((found.text.strip(), language), key)) != key:
            return Dropped(key, "duplicate", f"equals {earlier}")
        if threshold is not None and (near := self._near[threshold].nearest(signed, counts)):
            return Dropped(key, "near-duplicate", f"{near[0]}: Jaccard index {near[1]:.2f}")
        self._languages[key] = language
        for index in self._near.values():
            index.add(key, signed)
        return None


def _drawn(records: list[Record], limit: int | None, seed: int) -> tuple[list[Record], Iterator[Dropped]]:
    """The records that a seed chooses; a further record replaces at most one of them."""
    if limit is None or limit >= len(records):
        return records, iter(())
    order = sorted(records, key=lambda one: digest([seed, one.key]))
    return order[:limit], (Dropped(one.key, "not drawn", f"`limit` is {limit}") for one in order[limit:])
