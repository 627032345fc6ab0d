"""Shows names of parameters in messages as the command-line options that set them.

Everywhere else a message names a parameter in backticks, as in "`n_items` must be at least 1", and that is what Python
users see. The command line shows "--n-items must be at least 1".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

__all__ = ["option_of", "with_options"]

_PARAMETER = re.compile("`([a-z][a-z0-9_]*)`")
_WITH_BENCHMARK = "run"
"""A command with the options of benchmarks."""
_SHORT = ("out",)
"""Parameters whose option is shown by its short name."""


def option_of(name: str) -> str:
    """The command-line option that sets a benchmark's own option."""
    return _by_command()[_WITH_BENCHMARK].get(name, f"--set {name}")


def with_options(message: str) -> str:
    """Returns the message with options in place of parameters; other words in backticks are unchanged."""
    if not _PARAMETER.search(message):
        return message
    return _PARAMETER.sub(lambda found: _options().get(found[1], found[0]), message)


@cache
def _options() -> dict[str, str]:
    """The option of each parameter of each command."""
    found: dict[str, str] = {}
    for own in _by_command().values():
        found = own | found
    return found


@cache
def _by_command() -> dict[str, dict[str, str]]:
    """The option of each parameter, by command."""
    import typer
    import typer.main

    from rmeval.cli.app import app

    found: dict[str, dict[str, str]] = {}
    for name, own in _commands(typer.main.get_command(app)):
        options = found.setdefault(name, {})
        for parameter in own.get_params(typer.Context(own)):
            if parameter.param_type_name == "option" and parameter.name:
                short = parameter.name in _SHORT
                names = (one for one in parameter.opts if one.startswith("--") != short)
                options.setdefault(parameter.name, next(names, parameter.opts[0]))
    return found


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """The commands of a group with their names, and those of the groups in it."""
    for name, own in getattr(group, "commands", {}).items():
        yield before + name, own
        yield from _commands(own, f"{before}{name} ")
