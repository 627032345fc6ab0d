"""Output files of commands: standard output in place of one, and files that exist."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rmeval.cli.output import echo_json
from rmeval.files import STANDARD

__all__ = ["check_files", "named", "printed"]


def check_files(*files: Path | None, overwrite: bool) -> None:
    """Refuses files that exist, unless they may be replaced.

    Raises:
        RmevalError: If one exists.
    """
    from rmeval.runs.score_file import refuse_existing

    for file in files:
        if file is not None and not overwrite:
            refuse_existing(file)


def named(out: Path) -> str:
    """The name of an output file in messages."""
    return "standard output" if out == STANDARD else str(out)


@contextmanager
def printed(out: Path) -> Iterator[Path]:
    """The file to write: `out`, or for `-` a temporary file, whose rows are printed at the end."""
    if out != STANDARD:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="rmeval-") as folder:
        file = Path(folder) / "rows.jsonl"
        yield file
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                echo_json(json.loads(line))
