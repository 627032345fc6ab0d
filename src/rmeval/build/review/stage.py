"""The stage review."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rmeval.build.config import BuildConfig, Options
from rmeval.build.records import Dropped, Record
from rmeval.build.stage import PlannedCalls
from rmeval.build.tools import Tools

__all__ = ["ReviewOptions", "ReviewStage"]


class ReviewOptions(Options):
    """Options of the stage."""


class ReviewStage:
    """The stage review."""

    def run(self, records: Sequence[Record], config: BuildConfig, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield the records."""
        return records

    def options(self, config: BuildConfig) -> Any:
        """The options of the stage."""
        return config.part(ReviewOptions, "review").model_dump()

    def planned(self, records: Sequence[Record], config: BuildConfig) -> list[PlannedCalls]:
        """No calls."""
        return []
