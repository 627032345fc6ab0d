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
_SHORT = ("out",)
"""Parameters whose option is shown by its short name."""


def option_of(name: str) -> str:
    """The command-line option that sets a benchmark's own option."""
    return _options().get(name, f"--set {name}")


def with_options(message: str) -> str:
    """Returns the message with options in place of parameters; other words in backticks are unchanged."""
    if not _PARAMETER.search(message):
        return message
    return _PARAMETER.sub(lambda found: _options().get(found[1], found[0]), message)


@cache
def _options() -> dict[str, str]:
    """The option of each parameter of each command."""
    import typer
    import typer.main

    from rmeval.cli.app import app

    found: dict[str, str] = {}
    for own in _commands(typer.main.get_command(app)):
        for parameter in own.get_params(typer.Context(own)):
            if parameter.param_type_name == "option" and parameter.name:
                short = parameter.name in _SHORT
                names = (name for name in parameter.opts if name.startswith("--") != short)
                found.setdefault(parameter.name, next(names, parameter.opts[0]))
    return found


def _commands(group: Any) -> Iterator[Any]:
    """The commands of a group, and those of the groups in it."""
    for own in getattr(group, "commands", {}).values():
        yield own
        yield from _commands(own)
