"""Reads cards of judges' protocols: those that come with rmeval, TOML files of users, and those in run folders."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from rmeval.errors import ModelError, RmevalError, reason_of
from rmeval.messages import chosen_from, quoted
from rmeval.metrics.outcomes import SCORE_RULES
from rmeval.protocols.judging.asked import Form, Sampling
from rmeval.protocols.judging.card import JudgeCard, Kind, Several
from rmeval.protocols.judging.card_checks import check_card, check_prompt
from rmeval.protocols.judging.options import Order
from rmeval.redaction import secret_in

__all__ = ["built_in_cards", "card_of", "find_card", "read_card"]

_FILES = {"prompt_file": "prompt", "system_file": "system"}
"""Keys of a TOML file that name a file with a text, and the fields that get it."""
_LARGEST = 1_000_000
"""Bytes of a file."""


@cache
def built_in_cards() -> Mapping[str, JudgeCard]:
    """The cards that come with rmeval, by name."""
    folder = files("rmeval.protocols") / "cards"
    found = {}
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            table = tomllib.loads(file.read_text(encoding="utf-8"))
            texts = {own: (folder / table.pop(key)).read_text("utf-8") for key, own in _FILES.items() if key in table}
            card = card_of(table | texts, file.name)
            found[card.name] = card
    return MappingProxyType(found)


def find_card(name: str) -> JudgeCard | None:
    """The card of a name with or without its version (then the newest); None if there is none."""
    own = built_in_cards()
    versions = [one for one in own if one.rpartition("@")[0] == name]
    newest = max(versions, key=lambda one: int(one.rpartition("@")[2]), default=name)
    return own.get(name) or own.get(newest)


def read_card(file: Path) -> JudgeCard:
    """Read a user's card.

    Raises:
        ModelError: If the file cannot be read, or a part of it is missing or wrong; the message names the part.
    """
    try:
        table = tomllib.loads(_text(file))
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"the protocol {file} is not TOML ({reason_of(error)}): correct it") from error
    table = _extended(table, str(file))
    for key, own in _FILES.items():
        if key in table:
            name = table.pop(key)
            if own in table:
                raise _wrong(str(file), f"has {own} and {key}: leave one out")
            if not isinstance(name, str):
                raise _wrong(str(file), f"has {quoted(name)} as {key}: give the path of a file")
            table[own] = _text(file.parent / name)
    card = card_of(table, str(file))
    check_prompt(card, lambda why: _wrong(str(file), why))
    if card.name in built_in_cards():
        raise _wrong(str(file), f"has the name {card.name}, which comes with rmeval: choose another")
    if secret := secret_in(card.to_dict()):
        raise _wrong(str(file), f"has what looks like a secret in {secret}, and runs store the protocol: leave it out")
    return card


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise ModelError(f"{file} has more than {_LARGEST} bytes: give the TOML file of a protocol")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{file} cannot be read ({error.strerror}): give the path of a protocol's file") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{file} is not UTF-8 ({reason_of(error)}): give the TOML file of a protocol") from error


def _extended(table: dict[str, Any], where: str) -> dict[str, Any]:
    """The table with what it leaves out from the card that it names as `like`; variables are joined."""
    if (like := table.pop("like", None)) is None:
        return table
    card = find_card(like) if isinstance(like, str) else None
    if card is None:
        raise _wrong(where, f"is like {quoted(like)}, which does not exist: {chosen_from(like, built_in_cards())}")
    base = card.to_dict() | {"variables": {**card.variables}}
    del base["name"]
    for key, text in _FILES.items():
        if key in table:
            base.pop(text, None)
    if isinstance(own := table.get("variables"), Mapping):
        table["variables"] = base["variables"] | dict(own)
    return base | table


def card_of(table: Mapping[str, Any], where: str) -> JudgeCard:
    """The card of a table.

    Args:
        table: Its fields.
        where: The file, for errors.

    Raises:
        ModelError: If a part is missing or wrong.
    """
    fields = JudgeCard.__dataclass_fields__
    if unknown := [key for key in table if key not in fields]:
        names = [*fields, *_FILES, "like"]
        raise _wrong(where, f"has the key {quoted(unknown[0])}, which does not exist: {chosen_from(unknown[0], names)}")
    if missing := [name for name in ("name", "kind", "reads", "prompt") if name not in table]:
        raise _wrong(where, f"lacks {' and '.join(missing)}: add what is missing")
    card = JudgeCard(**{key: _read(key, value, where) for key, value in table.items()})
    check_card(card, lambda why: _wrong(where, why))
    return card


def _wrong(where: str, why: str) -> RmevalError:
    return ModelError(f"the protocol {where} {why}")


def _read(key: str, value: Any, where: str) -> Any:
    wanted, read = _FORMS[key]
    try:
        return read(value)
    except (TypeError, ValueError, AttributeError):
        raise _wrong(where, f"has {quoted(value)} as {key}: give {wanted}") from None


def _text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return float(value)


def _share(value: Any) -> float:
    if not 0 <= (number := _number(value)) <= 1:
        raise ValueError
    return number


def _table(read: Callable[[Any], Any]) -> Callable[[Any], Mapping[str, Any]]:
    return lambda value: {_text_of(key): read(own) for key, own in value.items()}


def _one_of(names: tuple[str, ...]) -> tuple[str, Callable[[Any], str]]:
    return f"one of {', '.join(names)}", lambda value: names[names.index(value)]


def _scale(value: Any) -> tuple[float, float]:
    low, high = map(_number, value)
    if not low < high:
        raise ValueError
    return low, high


def _orders(value: Any) -> tuple[str, ...]:
    names = get_args(Order)
    found = tuple(names[names.index(one)] for one in value)
    if not found or len(set(found)) < len(found):
        raise ValueError
    return found


def _roles(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        raise TypeError
    return tuple(map(_text_of, value))


def _sampling(value: Any) -> Sampling:
    found = Sampling(**value)
    if not 0 <= _number(found.temperature) <= 10 or _share(found.top_p) == 0:
        raise ValueError
    if type(found.max_new_tokens) is not int or found.max_new_tokens < 1:
        raise ValueError
    return found


def _schema(value: Any) -> Mapping[str, Any]:
    json.dumps(value, allow_nan=False)
    return dict(value.items())


_NUMBERS = ("a table of numbers by label", _table(_number))
_TEXTS = ("a table of texts", _table(_text_of))
_FORMS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(
        ("name", "prompt", "system", "about", "source", "note", "question", "verdict", "find", "json_field", "members"),
        ("a text", _text_of),
    ),
    "kind": _one_of(get_args(Kind)),
    "reads": _one_of(get_args(Form)),
    "several": _one_of(get_args(Several)),
    "rule": _one_of(tuple(SCORE_RULES)),
    "labels": _NUMBERS,
    "strengths": _NUMBERS,
    "descriptions": _TEXTS,
    "variables": _TEXTS,
    "scored": ("true or false", _flag),
    "bare": ("true or false", _flag),
    "scale": ("the lowest and the highest rating, such as [1, 10]", _scale),
    "schema": ("a JSON schema, as a table", _schema),
    "min_label_mass": ("a number from 0 to 1", _share),
    "roles": ("a list of roles", _roles),
    "orders": (f"a list of {' and '.join(get_args(Order))}", _orders),
    "sampling": ("a table with temperature (0 to 10), top_p (up to 1) and max_new_tokens", _sampling),
}
"""By field: what it must be, for errors, and how it is read."""
