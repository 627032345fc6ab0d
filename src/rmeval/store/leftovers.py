"""Files that ended processes leave behind: temporary ones, and those of a run that was refused."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from rmeval.files import sweep
from rmeval.store.journal import has_observations, remove_journal
from rmeval.store.raw import remove_raw

__all__ = ["remove_leftovers", "remove_unobserved"]

_EARLIER = re.compile(r"(?:run|metrics|model)\.json\.\d+\.tmp|(?:items|scores)\.tmp")
"""Names of temporary files of earlier versions."""


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Remove temporary files of ended processes. The caller must hold the folder's lock.

    Args:
        folder: The folder.
        names: Names of the files whose temporary files are removed.
    """
    for name in names:
        sweep(folder / name)
    with suppress(OSError):
        for entry in os.scandir(folder):
            if _EARLIER.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)


def remove_unobserved(folder: Path, names: Iterable[str]) -> None:
    """Remove the files of a folder whose journal has no observation. The caller must hold the folder's lock.

    Args:
        folder: The folder.
        names: Names of the files beside the journal.
    """
    with suppress(OSError):
        if has_observations(folder / "journal"):
            return
        remove_journal(folder / "journal")
        remove_raw(folder / "raw")
        for name in names:
            (folder / name).unlink(missing_ok=True)
