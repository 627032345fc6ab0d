"""The first stage: problems from files, filtered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rmeval.build.config import BuildConfig, DomainConfig
from rmeval.build.records import Dropped, Problem, Record, Source
from rmeval.build.stage import PlannedCalls
from rmeval.build.tools import Tools
from rmeval.data.rows import Row, read_rows

__all__ = ["ProblemStage"]


class ProblemStage:
    """Reads the problems of each domain."""

    def run(self, records: Sequence[Record], config: BuildConfig, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield a record without candidates for each problem that is kept."""
        for name, domain in config.domains.items():
            rows = read_rows(config.path(domain.problems.file))
            for row in rows[: domain.problems.limit]:
                yield Record(_problem(row, name, domain, config))

    def options(self, config: BuildConfig) -> Any:
        """The options of problems of each domain."""
        return {name: domain.problems.model_dump() for name, domain in config.domains.items()}

    def planned(self, records: Sequence[Record], config: BuildConfig) -> list[PlannedCalls]:
        """No calls."""
        return []


def _problem(row: Row, name: str, domain: DomainConfig, config: BuildConfig) -> Problem:
    return Problem(
        row.name("id"),
        name,
        row.text("prompt"),
        Source(domain.problems.file, row.where, domain.licence or config.licence),
        config.language,
        row.text("answer"),
    )
