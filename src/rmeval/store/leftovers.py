"""Files that killed processes leave behind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from rmeval.files import sweep

__all__ = ["remove_leftovers"]

_EARLIER = re.compile(r"(?:run|metrics|model)\.json\.\d+\.tmp|(?:items|scores)\.tmp")
"""Names of drafts of earlier versions."""


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Removes drafts that no process writes any more. Only who holds the folder's lock may do so.

    Args:
        folder: The folder.
        names: The files that are written in it.
    """
    for name in names:
        sweep(folder / name)
    with suppress(OSError):
        for entry in os.scandir(folder):
            if _EARLIER.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                Path(entry.path).unlink(missing_ok=True)
