"""Consistent reads of a run folder that another process may be writing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rmeval.errors import DamagedError, RunError
from rmeval.files import stamp
from rmeval.store.lock import holder

__all__ = ["steadily"]

T = TypeVar("T")
_TRIES = 8
_MOMENT = 0.05
_FILES = ("run.json", "items.parquet", "scores.parquet", "metrics.json")


def steadily(folder: Path, read: Callable[[], T]) -> T:
    """Read a run folder at a time when none of its files is replaced, with retries.

    A process that writes a run replaces its files one after the other. Files read in between do not match, although
    none is damaged.

    Args:
        folder: The run folder.
        read: Reads the folder.

    Raises:
        RunError: The error of `read`, or an error that the folder is being written if that may be the cause.
    """
    error: RunError | None = None
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_MOMENT * attempt)
        writer, before = holder(folder / "lock"), _state(folder)
        try:
            found = read()
        except RunError as own:
            error = own
        else:
            if _state(folder) == before:
                return found
            error = None
        if error is not None and _state(folder) == before and (writer is None or not isinstance(error, DamagedError)):
            raise error
    writer = holder(folder / "lock") or "another process"
    raise RunError(f"{folder} is being written by {writer} and cannot be read now: try again later") from error


def _state(folder: Path) -> list[tuple[int, ...] | None]:
    return [stamp(folder / name) for name in _FILES]
