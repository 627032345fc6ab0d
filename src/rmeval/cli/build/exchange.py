"""`rmeval build export` and `rmeval build import`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rmeval.cli.build.review import Stage
from rmeval.cli.output import echo
from rmeval.errors import RmevalError
from rmeval.messages import count_of

__all__ = ["export_items_command", "import_reviews_command"]


class Tool(StrEnum):
    """An annotation tool."""

    label_studio = "label-studio"
    argilla = "argilla"


FromStage = Annotated[Stage, typer.Option(help="Texts: in all styles, or the responses before style control.")]


def export_items_command(
    folder: Annotated[Path, typer.Argument(help="Folder of the build.")],
    tool: Annotated[Tool, typer.Option("--for", help="The annotation tool.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="JSON file for Label Studio, or folder for Argilla.")],
    stage: FromStage = Stage.styles,
    everything: Annotated[
        bool, typer.Option("--all", help="Export also items that the config does not require a review of.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
) -> None:
    """Write the items of a build for Label Studio or Argilla; which response is claimed correct is not in the files.

    rmeval build export my-bench --for label-studio -o tasks.json
    """
    from rmeval.build.folder import BuildFolder
    from rmeval.build.review.exchange.argilla import write_argilla
    from rmeval.build.review.exchange.label_studio import write_label_studio
    from rmeval.build.review.exchange.tasks import tasks_of
    from rmeval.build.review.selection import records_to_review
    from rmeval.cli.logs import show_warnings

    show_warnings()
    if out.exists() and not overwrite and not (out.is_dir() and not any(out.iterdir())):
        raise RmevalError(f"{out} exists: choose another `out`, or give `overwrite`")
    tasks = list(tasks_of(records_to_review(BuildFolder(folder), stage.value, everything)))
    name = folder.absolute().name
    files = write_label_studio(tasks, out) if tool is Tool.label_studio else write_argilla(tasks, out, name)
    echo(f"{count_of(len(tasks), 'item')}: {', '.join(map(str, files))}")


def import_reviews_command(
    folder: Annotated[Path, typer.Argument(help="Folder of the build.")],
    reviews: Annotated[Path, typer.Argument(help="JSON export of Label Studio or Argilla, or a folder of Argilla.")],
    reviewer: Annotated[str, typer.Option("-r", "--reviewer", help="Name of the reviewer who gets the verdicts.")],
    by: Annotated[
        str | None, typer.Option(help="Whose annotations, as the tool names the person, if there are several.")
    ] = None,
    stage: FromStage = Stage.styles,
) -> None:
    """Import the annotations of one person as verdicts of a reviewer: all of them, or after an error none.

    rmeval build import my-bench project-1.json --reviewer anna
    """
    from rmeval.build.folder import BuildFolder
    from rmeval.build.review.exchange.argilla import read_argilla
    from rmeval.build.review.exchange.fields import read_json_list
    from rmeval.build.review.exchange.label_studio import read_label_studio
    from rmeval.build.review.exchange.tasks import import_reviews, one_annotator
    from rmeval.build.review.log import ReviewLog
    from rmeval.build.review.selection import records_to_review
    from rmeval.cli.logs import show_warnings

    show_warnings()
    build = BuildFolder(folder)
    records = records_to_review(build, stage.value, everything=True)
    is_argilla = reviews.is_dir() or any("fields" in one for one in read_json_list(reviews)[:1])
    found = one_annotator(read_argilla(reviews) if is_argilla else read_label_studio(reviews), by)
    with ReviewLog(build.review, reviewer) as log:
        stored, known = import_reviews(found, records, log)
    more = f", and {known} were there already" if known else ""
    echo(f"{count_of(stored, 'verdict')} of {count_of(len(found), 'item')} stored for {reviewer}{more}")
