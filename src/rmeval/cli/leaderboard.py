"""`rmeval leaderboard`: boards as files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli.flags import with_options
from rmeval.cli.output import echo
from rmeval.errors import RmevalError
from rmeval.messages import count_of

if TYPE_CHECKING:
    from rmeval.leaderboard.site import Site

__all__ = ["leaderboard_app"]

_PAUSE = 2.0
"""Seconds between two looks for new bundles and runs."""

leaderboard_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""
Make a leaderboard as files, which any static host serves and which opens from disk.

    rmeval leaderboard build bundles/ -o site
""",
)


@leaderboard_app.callback()
def root() -> None:
    """The group has one command, which needs its name."""


@leaderboard_app.command("build", no_args_is_help=True)
def build_command(
    places: Annotated[list[Path], typer.Argument(help="Bundles, run folders, or folders that contain them.")],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder of the site; files of an earlier build are replaced.")
    ] = Path("site"),
    title: Annotated[str, typer.Option(help="Title of the site.")] = "Leaderboard",
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="BENCHMARK=PLACE, data to compare items and labels with. Default: the digests that come with rmeval. "
            "Repeatable."
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published/--no-published", help="Add the published results that come with rmeval.")
    ] = True,
    with_bundles: Annotated[
        bool, typer.Option("--bundles/--no-bundles", help="Put the bundles on the site, for readers to verify.")
    ] = True,
    worst: Annotated[
        int,
        typer.Option(
            min=0, help="Show this number of the worst misjudged comparisons of each run, with texts from --data."
        ),
    ] = 0,
    watch: Annotated[bool, typer.Option("--watch", help="Build again whenever bundles or runs land.")] = False,
) -> None:
    """Verify bundles and runs, and write a static site with a board for each benchmark and a page for each run.

    Bundles and runs with a check that does not hold are listed below the boards, with the reason.

    rmeval leaderboard build bundles/ -o site
    """
    from rmeval.cli.logs import show_warnings

    show_warnings()
    if missing := [place for place in places if not place.exists() and not watch]:
        raise RmevalError(f"there is no file or folder {missing[0]}: check the path")
    given = {"title": title, "published": published, "with_bundles": with_bundles, "worst": worst, "data": _data(data)}
    _build(places, out, watch, given)


def _build(places: Sequence[Path], out: Path, watch: bool, given: Mapping[str, Any]) -> None:
    """Build the site; if `watch`, again whenever a file of the places changes, until the process ends."""
    from rmeval.leaderboard.site import build_site, state_of_places

    before = None
    while True:
        # In a watched place, bundles come and go, also while a site is built.
        there = [place for place in places if not watch or place.exists()]
        if (now := state_of_places(there)) != before:
            try:
                made = build_site(there, out, **given)
            except RmevalError as error:
                if not watch or before is None:
                    raise
                echo(f"not built: {with_options(str(error))}", err=True)
            else:
                _show(made)
            before = now
        if not watch:
            return
        time.sleep(_PAUSE)


def _data(data: Sequence[str] | None) -> dict[str, str]:
    """The data by benchmark, from values like `rm-bench=folder`."""
    from rmeval.benchmarks import benchmark_name

    found: dict[str, str] = {}
    for one in data or ():
        name, equals, place = one.partition("=")
        if not equals or not place:
            raise RmevalError(f"--data is {one}: give it as BENCHMARK=PLACE, such as rm-bench=my-data")
        found[benchmark_name(name)] = place
    return found


def _show(site: Site) -> None:
    """Prints what was written, and what was left out."""
    for note in site.notes:
        echo(f"note: {with_options(note)}", err=True)
    for found in site.refused:
        why = "; ".join(f"{one.name}: {one.detail}" for one in found.checks if str(one.state) == "does not hold")
        echo(f"not verified: {found.source.name}: {why}", err=True)
    echo(
        f"written: {site.folder / 'index.html'} ({count_of(site.runs, 'run')} on {count_of(len(site.boards), 'board')})"
    )
