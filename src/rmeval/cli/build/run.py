"""`rmeval build CONFIG`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rmeval.cli.build.extra import need_build
from rmeval.cli.output import complain, echo, echo_json
from rmeval.cli.views import write_views

if TYPE_CHECKING:
    from rmeval.build.config import BuildConfig
    from rmeval.build.registry import StageName

__all__ = ["build_command"]

logger = logging.getLogger(__name__)

_BUDGET = "Budget"


def _budget(text: str, minimum: int | None = None) -> Any:
    return typer.Option(help=text, min=minimum, rich_help_panel=_BUDGET)


def build_command(
    config: Annotated[Path, typer.Argument(help="Config in YAML, see `rmeval build init`.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder of the build. Default: named after the benchmark.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Last stage to run: problems, responses, styles, review or assemble.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count calls, tokens and cost by stage and model; send nothing.")
    ] = False,
    max_cost: Annotated[
        float | None, _budget("Maximum cost of this command, in dollars; needs prices. Default: the config's.")
    ] = None,
    max_requests: Annotated[
        int | None, _budget("Maximum number of calls of this command. Default: the config's.", 1)
    ] = None,
    max_tokens: Annotated[
        int | None, _budget("Maximum number of tokens of this command. Default: the config's.", 1)
    ] = None,
    prices: Annotated[
        Path | None, _budget("TOML file with dollars per million tokens for each model. Default: the config's.")
    ] = None,
    accept_failures: Annotated[
        bool, typer.Option("--accept-failures", help="Go on without the answers of calls that failed.")
    ] = False,
    break_lock: Annotated[
        bool, typer.Option("--break-lock", help="Take a lock that another process seems to hold.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all fields as JSON.")] = False,
) -> None:
    """Run all stages that have no result yet; killed at any moment, it continues where it stopped.

    rmeval build my-bench.yaml --dry-run

    rmeval build my-bench.yaml -o my-bench --until styles
    """
    from rmeval.cli.logs import show_warnings

    show_warnings()
    need_build()
    from rmeval.build.assemble.stage import missing_licence
    from rmeval.build.config import load_config

    last = _stage(until)
    loaded = load_config(config).with_budget(max_cost, max_requests, max_tokens, prices)
    folder = out or Path(loaded.name)
    if (note := missing_licence(loaded)) is not None:
        logger.warning(note)
    if dry_run:
        _count(loaded, folder, last, as_json)
        return
    _build(loaded, folder, last, accept_failures, break_lock, as_json)


def _build(
    config: BuildConfig, out: Path, until: StageName | None, accept_failures: bool, break_lock: bool, as_json: bool
) -> None:
    from rmeval.build.pipeline import build
    from rmeval.cli.build.progress import build_progress

    with build_progress(config.name) as progress:
        found = build(
            config, out, until=until, accept_failures=accept_failures, break_lock=break_lock, progress=progress
        )
    if as_json:
        echo_json(found.to_dict(), indent=1)
    else:
        from rmeval.report.build_stages import build_view

        write_views([build_view(config.name, found)])
        if found.waits:
            echo(f"waiting: {found.waits}")
    if found.rejected:
        complain(found.rejected)
        raise typer.Exit(1)


def _count(config: BuildConfig, out: Path, until: StageName | None, as_json: bool) -> None:
    """Print what a build would send."""
    from rmeval.build.dry_run import plan_build

    found = plan_build(config, out, until)
    if as_json:
        echo_json(found.to_dict(), indent=1)
        return
    from rmeval.report.build_stages import planned_build_view

    write_views([planned_build_view(found)])


def _stage(name: str | None) -> StageName | None:
    """The last stage to run.

    Raises:
        RmevalError: If there is no such stage.
    """
    from rmeval.build.registry import STAGES
    from rmeval.errors import RmevalError
    from rmeval.messages import chosen_from

    if name is not None and name not in STAGES:
        raise RmevalError(f"`until` is {name!r}, which is no stage: {chosen_from(name, STAGES)}")
    return name
