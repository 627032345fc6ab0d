"""Construction of benchmarks: problems, responses, styles, review and assembly, as in RM-Bench (arXiv 2410.16184)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rmeval.faces import lazy

if TYPE_CHECKING:
    from rmeval.build.config import BuildConfig, load_config
    from rmeval.build.folder import BuildFolder, StageResult
    from rmeval.build.pipeline import BuildResult, build
    from rmeval.build.records import Candidate, Change, Check, Dropped, Problem, Record, Source

__all__ = [
    "BuildConfig",
    "BuildFolder",
    "BuildResult",
    "Candidate",
    "Change",
    "Check",
    "Dropped",
    "Problem",
    "Record",
    "Source",
    "StageResult",
    "build",
    "load_config",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "rmeval.build.config": ("BuildConfig", "load_config"),
        "rmeval.build.folder": ("BuildFolder", "StageResult"),
        "rmeval.build.pipeline": ("BuildResult", "build"),
        "rmeval.build.records": ("Candidate", "Change", "Check", "Dropped", "Problem", "Record", "Source"),
    },
)
