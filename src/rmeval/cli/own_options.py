"""Flags for the options that benchmarks define themselves."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand

from rmeval.cli.options import DATA

__all__ = ["ItemCommand"]


class ItemCommand(TyperCommand):
    """A command with a flag for each option that a benchmark of the package defines.

    `--size 40` is short for `--set size=40`. The flags are found when the command line is parsed, because only then
    are benchmarks imported.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the command's own parameters, then those flags."""
        found = super().get_params(ctx)
        taken = {parameter.name for parameter in found}
        return [*found, *(flag for flag in _flags() if flag.name not in taken)]

    def invoke(self, ctx: Any) -> Any:
        """Call the command, with the flags' values among those of `--set`."""
        own = {flag.name: ctx.params.pop(flag.name, None) for flag in _flags()}
        short = [f"{name}={value}" for name, value in own.items() if value is not None]
        ctx.params["set"] = [*short, *(ctx.params["set"] or ())]
        return super().invoke(ctx)


@cache
def _flags() -> list[Any]:
    """One flag for each name of an option; benchmarks whose options have the same name share it."""
    from rmeval.benchmarks import BUILTIN, find_benchmark

    texts: dict[str, list[str]] = {}
    for name in BUILTIN:
        for option in find_benchmark(name).takes.values():
            if option is not None:
                texts.setdefault(option.name, []).append(f"For {name}: {option.help}.")
    flags = {
        name: Annotated[str | None, typer.Option(help=" ".join(own), rich_help_panel=DATA)]
        for name, own in texts.items()
    }

    def command(**own: str | None) -> None:
        """Only here because typer makes flags from a function's signature."""

    command.__annotations__ = flags
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=flags[name])
            for name in flags
        ]
    )
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return typer.main.get_command(app).params
