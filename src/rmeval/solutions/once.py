"""Results of work on this machine that are kept, so that the same job is done once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

__all__ = ["Once", "Result"]

Job = TypeVar("Job")


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a job that runs on this machine.

    Attributes:
        key: The job's key.
        value: The result, in JSON types.
        lasts: Whether it holds for all later starts.
    """

    key: str
    value: Any
    lasts: bool = True


class Once(Protocol):
    """A log of results."""

    def once(
        self, jobs: Mapping[str, Job], run: Callable[[Iterable[tuple[str, Job]]], Iterator[Result]], what: str
    ) -> dict[str, Any]:
        """Do the jobs that have no result yet, and return all results by key.

        Args:
            jobs: The jobs by a digest of all that the result depends on.
            run: Does jobs, and yields their results in any order.
            what: What is done, for the progress bar.
        """
        ...
