"""Parses the values of options."""

from __future__ import annotations

import re
from collections.abc import Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.cli.flags import option_of
from rmeval.data.json_text import JSONError, parse_json
from rmeval.errors import RmevalError

if TYPE_CHECKING:
    from rmeval.benchmarks import Option
    from rmeval.data.conversations import MessageReader

__all__ = ["json_values", "key_values", "pairs_of", "places", "reader", "value_of", "words"]


def key_values(pairs: Sequence[str], option: str) -> dict[str, str]:
    """`["a=1", "b=2"]` as a dict.

    Raises:
        RmevalError: If one has no `=`.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise RmevalError(f"{option} takes NAME=VALUE, not {pair!r}")
        if key.strip() in found:
            raise RmevalError(f"{option} repeats {key.strip()}: give each key once")
        found[key.strip()] = value.strip()
    return found


def json_values(pairs: Sequence[str] | None, option: str) -> dict[str, Any]:
    """Values read as JSON where they are JSON (`4`, `false`, `{"": 0}`), else as text."""
    found: dict[str, Any] = {}
    flag = f"--{option.replace('_', '-')}"
    for key, value in key_values(pairs or (), flag).items():
        if right := _PYTHON.get(value):
            raise RmevalError(
                f"{flag} {key}={value} would be read as text, because values are JSON: write {key}={right}"
            )
        try:
            found[key] = parse_json(value, finite=True)
        except JSONDecodeError:
            found[key] = value
        except JSONError as error:
            raise RmevalError(f"{flag} {key} cannot be read as JSON: {error}") from error
    return found


_PYTHON = {"True": "true", "False": "false", "None": "null"}


def value_of(option: Option | None, value: Any) -> Any:
    """A value of a benchmark's own option, read as the benchmark says; as JSON or text where it says nothing."""
    if not isinstance(value, str):
        return value
    if option is None:
        return _json_or_text(value)
    flag = option_of(option.name)
    if option.kind == "number":
        if not _NUMBER.fullmatch(value):
            raise RmevalError(f"{flag} must be a whole number, not {value!r}")
        return int(value)
    if option.kind == "words":
        return words(value, flag)
    return pairs_of(value, flag) if option.kind == "pairs" else value


_NUMBER = re.compile(r"[+-]?\d{1,18}")


def _json_or_text(text: str) -> Any:
    try:
        return parse_json(text, finite=True)
    except JSONDecodeError:
        return text
    except JSONError as error:
        raise RmevalError(f"--set cannot be read as JSON: {error}") from error


def pairs_of(text: str | None, option: str) -> dict[str, str] | None:
    """`prompt=question,chosen=good` as a dict."""
    return None if text is None else key_values([part for part in text.split(",") if part], option)


def reader(roles: str | None, ignore_keys: str | None) -> MessageReader:
    """What reads a file's messages, from --roles and --ignore-keys."""
    from rmeval.data.conversations import MessageReader

    return MessageReader(pairs_of(roles, "--roles") or {}, words(ignore_keys, "--ignore-keys") or ())


def words(text: str | None, option: str) -> list[str] | None:
    """`en,zh` as a list.

    Raises:
        RmevalError: If there is none.
    """
    found = None if text is None else [part.strip() for part in text.split(",") if part.strip()]
    if found == []:
        raise RmevalError(f"{option} is empty: give at least one name, or leave it out for all")
    return found


def places(data: Sequence[str] | None, benchmarks: Sequence[str]) -> dict[str, str | None]:
    """Where each benchmark's data are: `NAME=PLACE` goes to the named one, a bare place to all others.

    Of a bare folder that has folders named after benchmarks, each of several benchmarks gets its own.

    Raises:
        RmevalError: If there are two bare places, or one of a benchmark that is not among them.
    """
    from rmeval.benchmarks import BUILTIN

    named: dict[str, str] = {}
    bare: list[str] = []
    for entry in data or ():
        name, equals, place = entry.partition("=")
        if equals and name in benchmarks:
            named[name] = place
        elif equals and name in BUILTIN:
            raise RmevalError(
                f"--data is for {name}, which is not among the benchmarks: leave it out, or add -b {name}"
            )
        else:
            bare.append(entry)
    if len(bare) > 1:
        raise RmevalError(f"--data is given {len(bare)} times: name the benchmark of each, as in rm-bench={bare[0]}")
    rest = bare[0] if bare else None
    if len(benchmarks) == 1:
        return {benchmarks[0]: named.get(benchmarks[0], rest)}
    # Among several benchmarks, a generated one takes no data.
    return {
        name: named[name] if name in named else None if name == "rm-bench-synthetic" else _own_folder(rest, name)
        for name in benchmarks
    }


def _own_folder(place: str | None, name: str) -> str | None:
    own = Path(place or "", name)
    return str(own) if place and own.is_dir() else place
