"""Writes views to standard output or a file, in a given format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rmeval.cli.flags import with_options
from rmeval.cli.options import Format
from rmeval.cli.output import echo, json_text
from rmeval.cli.printed import check_files
from rmeval.errors import RmevalError, explain_os_error
from rmeval.files import STANDARD

if TYPE_CHECKING:
    from rmeval.report.views import View

__all__ = ["check_output", "write_views"]


_ENDINGS = {".md": Format.md, ".tex": Format.latex, ".csv": Format.csv, ".json": Format.json, ".txt": Format.table}
"""The format of a file without --format."""


def check_output(
    form: Format | None, out: Path | None, as_json: bool, overwrite: bool, plot: Path | None = None
) -> tuple[Format, Path | None]:
    """Finds format and file of the output, before anything is computed.

    Args:
        form: The format that was given, if any; the ending of the file says which otherwise.
        out: The file that was given, if any; `-` is standard output.
        as_json: Whether all fields are printed instead.
        overwrite: Whether files may be replaced.
        plot: Another file that will be written.

    Raises:
        RmevalError: If options contradict each other, the format is unknown, or a file exists or cannot be one.
    """
    if as_json and (form not in (None, Format.table) or out is not None):
        raise RmevalError("--json prints all fields to standard output: leave it out, or leave --format and -o out")
    out = None if out == STANDARD else out
    if out is not None:
        from rmeval.runs.score_file import output_file

        out = output_file(out)
        form = form or _format_of(out)
    check_files(out, plot, overwrite=overwrite)
    return form or Format.table, out


def _format_of(out: Path) -> Format:
    if out.suffix and out.suffix.lower() not in _ENDINGS:
        raise RmevalError(
            f"{out}: the ending {out.suffix} is not one of a format of tables: choose {', '.join(_ENDINGS)}, or give "
            "--format"
        )
    return _ENDINGS.get(out.suffix.lower(), Format.table)


def write_views(views: Sequence[View], form: Format = Format.table, out: Path | None = None) -> None:
    """Writes views to a file, or prints them.

    Args:
        views: The views.
        form: The format.
        out: The file; standard output if None.

    Raises:
        RmevalError: If the file cannot be written.
    """
    from rmeval.report.views import worded

    views = [worded(view, with_options) for view in views]
    if form is Format.table and out is None:
        from rmeval.report.terminal import print_views

        print_views(views)
        return
    text = _text(views, form)
    if form is Format.csv:  # A CSV file of numbers has no notes.
        for note in (note for view in views for note in view.remarks):
            echo(f"note: {note}", err=True)
    if out is None:
        echo(*text.removesuffix("\n").split("\n"))
        return
    from rmeval.files import replacing_text

    try:
        with replacing_text(out) as file:
            file.write(text)
    except OSError as error:
        raise explain_os_error(error, str(out)) from error
    echo(f"written: {out}", err=True)


def _text(views: Sequence[View], form: Format) -> str:
    if form is Format.md:
        from rmeval.report.markdown import markdown_text

        return markdown_text(views)
    if form is Format.latex:
        from rmeval.report.latex import latex_text

        return latex_text(views)
    if form is Format.csv:
        from rmeval.report.csv_ import csv_text

        return csv_text(views)
    if form is Format.json:
        from rmeval.report.json_ import json_value

        return json_text(json_value(views), indent=1)
    from rmeval.report.terminal import views_text

    return views_text(views)
