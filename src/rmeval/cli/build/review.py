"""`rmeval build review`."""

from __future__ import annotations

import sys
import webbrowser
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from rmeval.cli.output import echo
from rmeval.cli.signals import Stopped
from rmeval.errors import RunError
from rmeval.extras import need_extra

__all__ = ["Stage", "review_command"]


class Stage(StrEnum):
    """The stage whose texts are shown."""

    styles = "styles"
    responses = "responses"


class Mode(StrEnum):
    """How texts are shown."""

    blind = "blind"
    verify = "verify"


def review_command(
    folder: Annotated[Path, typer.Argument(help="Folder of the build.")],
    reviewer: Annotated[str, typer.Option("-r", "--reviewer", help="Your name: lower-case letters and digits.")],
    stage: Annotated[
        Stage, typer.Option(help="Texts to show: in all styles, or the responses before style control.")
    ] = Stage.styles,
    mode: Annotated[
        Mode,
        typer.Option(
            help="Hide which response is claimed correct, or show it together with the injected error and the checks."
        ),
    ] = Mode.blind,
    adjudicate: Annotated[
        bool, typer.Option("--adjudicate", help="Show only items on which others disagree, with their verdicts.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Show also items that the config does not require a review of.")
    ] = False,
    items: Annotated[
        Path | None, typer.Option(help="File with the keys of the items to show, one in each line.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any other than loopback needs the token that is printed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    token: Annotated[
        bool, typer.Option("--token", help="Need a token also on loopback, for a machine with other users.")
    ] = False,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in the default browser.")] = False,
) -> None:
    """Open a local web page on which people judge the items of a build; Ctrl-C ends it, and nothing is lost.

    rmeval build review my-bench --reviewer anna
    """
    from rmeval.cli.logs import show_warnings

    show_warnings()
    way = _Way(stage.value, mode.value, adjudicate, everything, items)
    _judge(folder, reviewer, way, _Place(host, port, token, browser))


class _Way(NamedTuple):
    """What is shown, and how."""

    stage: Literal["styles", "responses"]
    mode: Literal["blind", "verify"]
    adjudicates: bool
    everything: bool
    items: Path | None


class _Place(NamedTuple):
    """Where the page is."""

    host: str
    port: int
    with_token: bool
    browser: bool


def _judge(folder: Path, reviewer: str, way: _Way, place: _Place) -> None:
    from rmeval.build.folder import BuildFolder
    from rmeval.build.review.log import ReviewLog
    from rmeval.build.review.selection import base_records, records_to_review

    build = BuildFolder(folder)
    records = records_to_review(build, way.stage, way.everything, way.items)
    bases = base_records(build) if way.stage == "styles" else None
    try:
        from rmeval.build.review.page.application import review_application
        from rmeval.build.review.page.session import Session
        from rmeval.web.server import PageServer
    except ImportError as error:
        raise need_extra(error, "the review page", "app") from error
    with ReviewLog(build.review, reviewer) as log:
        name = folder.absolute().name
        session = Session(name, records, build.review, log, way.mode, way.adjudicates, bases)
        if not session.numbers("all"):
            what = "no item on which others disagree" if way.adjudicates else "no item"
            raise RunError(f"{folder} has {what}: there is nothing to judge, so run the build again to go on")
        server = PageServer(review_application(session), "review", place.host, place.port, place.with_token)
        echo(f"review by {reviewer}: {server.address} (Ctrl-C ends it)")
        sys.stdout.flush()
        if place.browser:
            webbrowser.open(server.address)
        with suppress(Stopped):
            server.run()
        # The server also ends if the caller ignores the signal, which then is no `Stopped`.
        progress = session.progress()
        echo(f"{progress.judged} of {progress.total} judged: all verdicts are stored")
