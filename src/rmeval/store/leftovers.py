"""Temporary files that killed processes leave behind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from rmeval.files import sweep

__all__ = ["remove_leftovers"]

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
