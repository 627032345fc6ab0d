"""`rmeval view`."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from rmeval.cli import options as o
from rmeval.cli.output import echo
from rmeval.cli.signals import Stopped
from rmeval.errors import RunError
from rmeval.extras import need_extra
from rmeval.messages import alike

if TYPE_CHECKING:
    from rmeval.app.index import Source

__all__ = ["view_command"]


def view_command(
    runs: Annotated[Path, typer.Argument(help="Folder of runs, or a run folder.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; any other than loopback needs the token that is printed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 0,
    token: Annotated[
        bool, typer.Option("--token", help="Need a token also on loopback, for a machine with other users.")
    ] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address only; do not open the default browser.")
    ] = False,
    index: Annotated[
        Path | None,
        typer.Option(help="SQLite file for the index of runs and items. Default: in the user's cache."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="File, folder or hub id to read texts from that runs do not store. BENCHMARK=PLACE for one of several."
        ),
    ] = None,
    token_scores: Annotated[
        list[Path] | None,
        typer.Option(help="File of rmeval token-scores, to show the score at each token. Repeatable."),
    ] = None,
    run_model: Annotated[
        list[str] | None,
        typer.Option(help="Model to load, so that pages of items can compute the score at each token. Repeatable."),
    ] = None,
    benchmark: o.OwnBenchmark = None,
    protocol: o.OwnProtocol = None,
) -> None:
    """Show runs in the browser: leaderboard, models, every item with its responses, comparisons. Ctrl-C ends it.

    rmeval view runs/
    """
    from rmeval.cli.logs import show_warnings

    show_warnings()
    try:
        from rmeval.app.index import Source
    except ImportError as error:
        raise need_extra(error, "the viewer", "app") from error
    if not runs.is_dir():
        raise RunError(f"{runs} is not a folder: give a folder of runs, such as the -o of rmeval run")
    source = Source(runs, _places(data or ()), benchmark, protocol)
    _view(source, index, _Tokens(token_scores or (), run_model or ()), _Place(host, port, token, not no_browser))


class _Place(NamedTuple):
    """Where the pages are."""

    host: str
    port: int
    with_token: bool
    browser: bool


class _Tokens(NamedTuple):
    """Where scores at single tokens come from: files, and models to load."""

    files: Sequence[Path]
    models: Sequence[str]


def _view(source: Source, index: Path | None, tokens: _Tokens, place: _Place) -> None:
    from rmeval.app.index import Index, IndexBuilder, index_file

    try:
        from rmeval.app.application import viewer_application
        from rmeval.app.token_store import TokenStore
        from rmeval.app.viewer import Viewer
        from rmeval.app.watch import Watch
        from rmeval.web.server import PageServer
    except ImportError as error:
        raise need_extra(error, "the viewer", "app") from error
    from rmeval.models import load_model

    file = index or index_file(source.runs)
    # Loaded before the index is made, so that a wrong name is known at once.
    store = TokenStore(file.with_name("token-scores"), tokens.files, [load_model(model) for model in tokens.models])
    with (
        IndexBuilder(file, source, is_cache=index is None) as builder,
        Watch(builder) as watch,
        closing(Index(file)) as found,
    ):
        pages = viewer_application(Viewer(source, found, watch, store))
        server = PageServer(pages, "view", place.host, place.port, place.with_token)
        echo(f"{source.runs}: {server.address} (Ctrl-C ends it)")
        sys.stdout.flush()
        if place.browser and _has_display():
            webbrowser.open(server.address)
        with suppress(Stopped):
            server.run()
        # The server also ends if the caller ignores the signal, which then is no `Stopped`.
        echo("ended")


def _has_display() -> bool:
    """Whether a browser opens a window of its own; without a display, some open in the terminal and wait there."""
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _places(data: Sequence[str]) -> dict[str, str]:
    """Where texts are read, by benchmark; under "" for all others."""
    from rmeval.benchmarks import benchmark_names

    known = benchmark_names()
    found: dict[str, str] = {}
    for entry in data:
        name, equals, place = entry.partition("=")
        own = next((one for one in known if alike(one, name)), None) if equals else None
        if (key := own or "") in found:
            raise RunError(f"--data is given twice for {own or 'all benchmarks'}: name the benchmark of each")
        found[key] = place if own else entry
    return found
