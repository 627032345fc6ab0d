"""Output files of commands: standard output in place of one, and files that exist."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rmeval.cli.output import echo_json
from rmeval.files import STANDARD

__all__ = ["check_files", "named", "printed", "refuse_shared_files"]


def check_files(*files: Path | None, overwrite: bool) -> None:
    """Refuses files that exist, unless they may be replaced.

    Raises:
        RmevalError: If one exists.
    """
    from rmeval.runs.score_file import refuse_existing

    for file in files:
        if file is not None and not overwrite:
            refuse_existing(file)


def refuse_shared_files(outputs: Mapping[str, Path | None], inputs: Iterable[Path]) -> None:
    """Refuse outputs that would replace an input or each other, even where files may be replaced.

    Args:
        outputs: The files to write, by option.
        inputs: The files and folders that are read.

    Raises:
        RmevalError: If two are the same file.
    """
    from rmeval.errors import RmevalError

    taken = {path.resolve(): "is also read" for path in inputs if path.is_file()}
    for option, path in outputs.items():
        if path is None or path == STANDARD:
            continue
        if use := taken.get(path.resolve()):
            raise RmevalError(f"{option} {path} {use}: choose another file")
        taken[path.resolve()] = f"is also the file of {option}"


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
