"""The stage assemble."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rmeval.build.config import BuildConfig, Options
from rmeval.build.records import Dropped, Record
from rmeval.build.stage import PlannedCalls
from rmeval.build.tools import Tools

__all__ = ["AssembleOptions", "AssembleStage"]


class AssembleOptions(Options):
    """Options of the stage."""


class AssembleStage:
    """The stage assemble."""

    def run(self, records: Sequence[Record], config: BuildConfig, tools: Tools) -> Iterable[Record | Dropped]:
        """Yield the records."""
        return records

    def options(self, config: BuildConfig) -> Any:
        """The options of the stage."""
        return config.part(AssembleOptions, "assemble").model_dump()

    def planned(self, records: Sequence[Record], config: BuildConfig) -> list[PlannedCalls]:
        """No calls."""
        return []
