"""Writes a report of runs into a folder."""

from __future__ import annotations

import gc
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rmeval._version import __version__
from rmeval.errors import RunError, explain_os_error
from rmeval.extras import is_installed
from rmeval.files import folder_draft
from rmeval.report.page.body import body_html
from rmeval.report.page.contents import Contents, Figure
from rmeval.report.page.document import page_html
from rmeval.report.page.plain import csv_files, latex_document, markdown_document
from rmeval.report.page.reported import Reading, ReportedBenchmark, read_reported
from rmeval.report.page.sections import about_runs, benchmark_keys, report_sections
from rmeval.results.places import Place

__all__ = ["write_report"]

_LOG = logging.getLogger(__name__)
_PAGE = "report.html"
_STYLE = Path(__file__).with_name("assets") / "report.css"


def write_report(
    runs: Place | Iterable[Place],
    out: str | Path,
    *,
    title: str = "",
    examples: int = 5,
    figures: bool = True,
    overwrite: bool = False,
    command: str = "",
    wording: Callable[[str], str] = str,
    rule: str | None = None,
    variant: str | None = None,
    benchmark: str | None = None,
    protocol: str | None = None,
) -> list[Path]:
    """Write a report of runs: `report.html`, `report.md`, `report.tex`, figures, and tables as CSV.

    The page opens from the file and loads nothing. Neither the models nor torch are needed.

    Args:
        runs: Run folders, folders with runs in them, or results.
        out: The folder to write; it must not exist, or be empty.
        title: Title of the report; by default the benchmarks.
        examples: Number of misjudged comparisons of each run that are shown with their texts; 0 for none.
        figures: Whether to draw figures, which takes about half of the time and needs matplotlib.
        overwrite: Whether to replace a report in that folder.
        command: The command that made the report, which the report then states.
        wording: How notes name parameters: a function of a note, in which backticks mark them.
        rule: Name of another rule for ties and failures, such as `half-ties@1`.
        variant: Which of a model's scores to use, where it gives several; its first if None.
        benchmark: The `file.py:Class` of runs made with one.
        protocol: Likewise the `file.py:Class` of the runs' protocol.

    Returns:
        The files, the page first.

    Raises:
        RmevalError: If a run cannot be read, or the folder cannot be written.
    """
    out = Path(out)
    if examples < 0:
        raise RunError(f"`examples` must be 0 or more, not {examples}")
    _check(out, overwrite)
    reading = Reading(rule=rule, variant=variant, benchmark=benchmark, protocol=protocol)
    found, notes = read_reported(runs, reading, examples)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with folder_draft(out) as draft:
            drawn, more = _draw(found, draft / "figures") if figures else ([[] for _ in found], [])
            sections = report_sections(found, drawn, [command] if command else [])
            report = Contents(
                title or f"Reward models on {', '.join(dict.fromkeys(one.name for one in found))}",
                about_runs(found, __version__),
                tuple(section.worded(wording) for section in sections),
                tuple(map(wording, (*notes, *more))),
            )
            return _write(report, draft, out)
    except OSError as error:
        raise explain_os_error(error, str(out)) from error


def _check(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything but a report that may be replaced.

    Raises:
        RunError: If it does.
    """
    try:
        if not os.path.lexists(out):
            if (above := next(one for one in out.absolute().parents if os.path.lexists(one))).is_file():
                raise RunError(f"{above} is a file: give a folder with `out`")
            return
        if not out.is_dir():
            raise RunError(f"{out} is a file: give a folder with `out`")
        if not any(out.iterdir()):
            return
        is_report = (out / _PAGE).is_file() and (out / "tables").is_dir()
    except OSError as error:
        raise explain_os_error(error, str(out)) from error
    if not is_report:
        raise RunError(f"{out} has other files in it: give a new folder with `out`")
    if not overwrite:
        raise RunError(f"{out} has a report in it: give another folder with `out`, or `overwrite` to replace it")


def _draw(found: Sequence[ReportedBenchmark], folder: Path) -> tuple[list[list[Figure]], list[str]]:
    """Draw all figures; a note instead where matplotlib is missing."""
    if not is_installed("matplotlib"):
        note = "there are no figures, because matplotlib is missing: pip install 'rmeval[plots]'"
        _LOG.warning("%s", note)
        return [[] for _ in found], [note]
    from rmeval.report.page.drawings import draw_benchmark

    folder.mkdir()
    # Drawing creates many objects, and the collector would visit all results again and again.
    gc.freeze()
    try:
        keys = benchmark_keys(found)
        return [list(draw_benchmark(one, folder, key)) for one, key in zip(found, keys, strict=True)], []
    finally:
        gc.unfreeze()


def _write(report: Contents, folder: Path, out: Path) -> list[Path]:
    """Write the files beside the figures, and move the folder to its place."""
    drawn = {
        figure.name: (folder / "figures" / f"{figure.name}.svg").read_text(encoding="utf-8")
        for one in report.sections
        for section in one.walk()
        for figure in section.figures
    }
    texts = {
        _PAGE: page_html(report.title, body_html(report, drawn), _STYLE.read_text(encoding="utf-8")),
        "report.md": markdown_document(report),
        "report.tex": latex_document(report),
        **{f"tables/{path}": text for path, text in csv_files(report).items()},
    }
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    _replace(folder, out)
    return [out / path for path in sorted(paths, key=lambda path: (path != Path(_PAGE), path))]


def _replace(draft: Path, out: Path) -> None:
    """Move the finished report to its place; an old report is removed only then."""
    if out.is_dir() and any(out.iterdir()):
        old = draft.with_suffix(".old")
        out.rename(old)
        draft.rename(out)
        shutil.rmtree(old)
    else:
        draft.rename(out)
