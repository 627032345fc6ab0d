"""Sentences for what the command line's parser refuses; typer and pydantic word their own as programs do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rmeval.messages import chosen_from, nearest, shortened

__all__ = ["usage_sentence"]

_NAMES = r"'(?P<names>[^']+(?:' / '[^']+)*)'"
_GIVEN = re.compile(r"input_value=(.+), input_type=", re.DOTALL)


def usage_sentence(error: Any) -> str | None:
    """The sentence for a usage error of typer; None if it has printed the help instead."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return None
    message = " ".join(error.format_message().split()).replace("Value error, ", "")
    given = _GIVEN.search(str(error.__cause__))
    value = shortened(given[1].strip("'"), 60) if given else ""
    path = error.ctx.command_path if error.ctx else "rmeval"
    for pattern, sentence in _SENTENCES:
        if found := re.fullmatch(pattern, message):
            return f"{sentence(found, value)}; see {path} -h"
    # pydantic's reasons name its own parser.
    message = message.replace("Input should be ", "it must be ").partition(", unable to parse")[0]
    return f"{message[:1].lower()}{message[1:].rstrip('.')}; see {path} -h"


def _name(found: re.Match[str]) -> str:
    """The longest name of an option, or the name of an argument in capitals, as the help shows it."""
    name = found["names"].split("' / '")[-1]
    return name if name.startswith("-") else name.upper()


def _choice(found: re.Match[str], value: str) -> str:
    names = re.findall(r"'([^']*)'", found["choices"])
    return f"{_name(found)} {found['value']!r} is unknown: {chosen_from(found['value'], names)}"


def _number(found: re.Match[str], value: str) -> str:
    kind = "a whole number" if found["kind"] == "integer" else "a number"
    return f"{_name(found)} must be {kind}, not {value!r}"


def _option(found: re.Match[str], value: str) -> str:
    there = re.findall(r"-[\w-]+", found["there"] or "")
    meant = nearest(found["name"], there)
    return f"no such option: {found['name']}" + (f"; did you mean {meant}?" if meant else "")


def _command(found: re.Match[str], value: str) -> str:
    there = re.findall(r"'([\w-]+)'", found["there"])
    return f"no such command '{found['name']}'" + (f": did you mean {' or '.join(there)}?" if there else "")


_SENTENCES: tuple[tuple[str, Callable[[re.Match[str], str], str]], ...] = (
    (rf"Invalid value for {_NAMES}: '(?P<value>.*)' is not one of (?P<choices>'.*?)\.?", _choice),
    (rf"Invalid value for {_NAMES}: Input should be a valid (?P<kind>integer|number).*", _number),
    (
        rf"Invalid value for {_NAMES}: Input should be greater than or equal to (?P<least>\S+?)\.?",
        lambda found, value: f"{_name(found)} must be at least {found['least']}, not {value}",
    ),
    (r"No such option: (?P<name>\S+)(?P<there> .*)?", _option),
    (r"No such command '(?P<name>.*?)'\.(?P<there>.*)", _command),
    (rf"Missing (?:option|argument) {_NAMES}\.?.*", lambda found, value: f"{_name(found)} is missing"),
    (rf"Option {_NAMES} requires an argument\.?", lambda found, value: f"{_name(found)} needs a value"),
)
"""Messages of typer, and the sentence for each from its match and the given value."""
