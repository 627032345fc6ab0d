"""The file of candidates, which replaces only a file that rmeval wrote and nobody has changed since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rmeval.build.folder import sha256_of
from rmeval.candidates.outcomes import Draft, Found
from rmeval.candidates.tasks import Task, log_folder
from rmeval.data.writing import RowWriter, row_writer, write_rows
from rmeval.errors import RunError, explain_os_error, explain_read_error
from rmeval.store.manifest import read_json, write_json

__all__ = ["check_out", "quality", "row_of", "store"]

_RECORD = "written.json"


def check_out(out: Path, overwrite: bool, read: Path) -> RowWriter:
    """Return what writes a file, and make sure that it may be written before calls are paid.

    Args:
        out: The file to write.
        overwrite: Whether to replace a file that rmeval did not write.
        read: The file that is read.

    Raises:
        RunError: If it is the file that is read, its ending is wrong, or it exists and is not what rmeval wrote last.
    """
    if out.exists() and out.resolve() == read.resolve():
        raise RunError(f"{out} is the file that is read: choose another file with `out`")
    write = row_writer(out)
    if out.suffix.lower() == ".csv":
        raise RunError(f"{out}: cells of CSV hold no lists of responses: choose .jsonl, .json or .parquet with `out`")
    if out.is_dir():
        raise RunError(f"{out} is a folder: give the path of a file with `out`")
    if overwrite or not out.exists():
        return write
    record = log_folder(out) / _RECORD
    try:
        known = record.is_file() and read_json(record).get("contents") == sha256_of(out)
    except OSError as error:
        raise explain_read_error(error, out) from error
    if not known:
        since = "has changed since rmeval wrote it" if record.is_file() else "exists"
        raise RunError(f"{out} {since}: give `overwrite` to replace it, or choose another file with `out`")
    return write


def store(out: Path, rows: Iterable[Mapping[str, Any]], write: RowWriter) -> None:
    """Write the file, and remember its contents.

    Raises:
        RunError: If it cannot be written.
    """
    write_rows(out, rows, write)
    try:
        digest = sha256_of(out)
    except OSError as error:
        raise explain_os_error(error, str(out)) from error
    write_json(log_folder(out) / _RECORD, {"contents": digest})


def row_of(task: Task, drafts: Sequence[Draft], found: Sequence[Found] | None, writer: str) -> dict[str, Any]:
    """The row of a problem with its candidates; without `gold` where nothing was verified."""
    problem = task.problem
    optional = {
        "subset": task.subset,
        "cluster": task.cluster,
        "reference": problem.answer or None,
        "tests": dict(problem.tests) or None,
    }
    row: dict[str, Any] = {"id": problem.id, "prompt": problem.prompt}
    row |= {name: value for name, value in optional.items() if value is not None}
    row |= {"writer": writer, "responses": [one.text for one in drafts]}
    return row if found is None else row | quality(found)


def quality(found: Sequence[Found]) -> dict[str, Any]:
    """The columns of what was found of candidates; without `answers` where none has one."""
    answers = {"answers": [one.answer for one in found]} if any(one.answer is not None for one in found) else {}
    return {"gold": [one.gold for one in found], **answers, "outcomes": [one.outcome for one in found]}
