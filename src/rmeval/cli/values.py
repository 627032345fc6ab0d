"""Parses the values of options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from json import JSONDecodeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rmeval.cli.flags import option_of
from rmeval.data.json_text import JSONError, parse_json
from rmeval.errors import RmevalError
from rmeval.messages import alike

if TYPE_CHECKING:
    from rmeval.benchmarks import Option
    from rmeval.data.conversations import MessageReader

__all__ = [
    "json_values",
    "key_values",
    "numbers_of",
    "pairs_of",
    "places",
    "reader",
    "share_of",
    "shares_of",
    "until_of",
    "value_of",
    "words",
]


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
            raise RmevalError(f"{option} repeats {key.strip()}: give each name once")
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
    return pairs_of(value, flag) if option.kind == "mapping" else value


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


def numbers_of(text: str | None, option: str) -> list[int] | None:
    """`1,4,16` as a list.

    Raises:
        RmevalError: If a part is not a whole number from 1.
    """
    found = words(text, option)
    if wrong := next((part for part in found or () if not _NUMBER.fullmatch(part) or int(part) < 1), None):
        raise RmevalError(f"{option} must be whole numbers from 1, such as 1,4,16, not {wrong!r}")
    return None if found is None else [int(part) for part in found]


def shares_of(given: Sequence[str] | None, option: str) -> str | dict[str, str] | None:
    """`["0.85"]` as a text, `["chat=0.9", "code=8/10"]` as a dict.

    Raises:
        RmevalError: If both forms are mixed, or one is repeated.
    """
    if not given:
        return None
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    if any("=" not in one for one in given):
        raise RmevalError(f"{option} is given {len(given)} times: name the subset of each, as in SUBSET={given[0]}")
    return key_values(given, option)


def places(data: Sequence[str] | None, benchmarks: Mapping[str, bool]) -> dict[str, str | None]:
    """Where each benchmark's data are: `NAME=PLACE` goes to the named one, a bare place to all others.

    If a bare folder has folders named after benchmarks, each of several benchmarks gets its own.

    Args:
        data: Values of `--data`.
        benchmarks: The benchmarks' names, and whether each reads data.

    Raises:
        RmevalError: If there are two bare places, or one of a benchmark that is not among them.
    """
    from rmeval.benchmarks import BUILTIN

    named: dict[str, str] = {}
    bare: list[str] = []
    for entry in data or ():
        name, equals, place = entry.partition("=")
        if equals and (own := next((one for one in benchmarks if alike(one, name)), None)):
            named[own] = place
        elif equals and any(alike(one, name) for one in BUILTIN):
            raise RmevalError(
                f"--data is for {name}, which is not among the benchmarks: leave it out, or add -b {name}"
            )
        else:
            bare.append(entry)
    if len(bare) > 1:
        raise RmevalError(f"--data is given {len(bare)} times: name the benchmark of each, as in rm-bench={bare[0]}")
    rest = bare[0] if bare else None
    if len(benchmarks) == 1:
        return {name: named.get(name, rest) for name in benchmarks}
    # A bare place is for those of several benchmarks that read data.
    shared = [name for name, reads in benchmarks.items() if reads and name not in named]
    return dict.fromkeys(benchmarks) | dict.fromkeys(shared, rest) | _own_folders(rest, shared) | named


def _own_folders(place: str | None, names: Sequence[str]) -> dict[str, str]:
    """The folders in a folder that are named after benchmarks, if there are any.

    Raises:
        RmevalError: If there are folders for some of the benchmarks only.
    """
    if place is None or not Path(place).is_dir():
        return {}
    folders = sorted(path for path in Path(place).iterdir() if path.is_dir())
    found = {name: str(path) for path in reversed(folders) for name in names if alike(path.name, name)}
    if found and (missing := [name for name in names if name not in found]):
        raise RmevalError(
            f"{place} has a folder for {', '.join(sorted(found))}, but none for {', '.join(missing)}: add one, give "
            f"--data {missing[0]}=PLACE as well, or name the benchmarks that are there with -b"
        )
    return found


def share_of(percents: float | None, name: str) -> float | None:
    """A percentage as a share.

    Raises:
        RmevalError: If it is not between 0 and 100.
    """
    if percents is not None and not 0 <= percents <= 100:
        raise RmevalError(f"`{name}` must be a percentage from 0 to 100, not {percents:g}")
    return None if percents is None else round(percents / 100, 12)


def until_of(text: str) -> float | str:
    """The value of --until: `decided`, or a width in points as a share.

    Raises:
        RmevalError: If it is neither.
    """
    if text == "decided":
        return text
    try:
        width = float(text.removesuffix("%"))
    except ValueError:
        width = 0.0
    if not 0 < width < 100:
        raise RmevalError(f"--until must be decided, or a width in points between 0 and 100, such as 3, not {text!r}")
    return width / 100
