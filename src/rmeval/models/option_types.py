"""Types of the options of models, for values that come from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from rmeval.models.options import ModelOptions
from rmeval.protocols.judging.options import JudgeOptions
from rmeval.transport.options import ServerOptions

__all__ = ["check_type", "option_types"]

_NUMBER = (int, float)
_TYPES: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "str": ("a text", lambda value: isinstance(value, str)),
    "int": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": ("a number", lambda value: isinstance(value, _NUMBER) and not isinstance(value, bool)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "None": ("null", lambda value: value is None),
    "Mapping[str, Any]": ("a mapping", lambda value: isinstance(value, dict)),
    "tuple[str, ...]": (
        "a list of texts",
        lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
    ),
}
_NAMED = {"Overlength": "str", "Order": "str", "Against": "str"}
"""Names of literals, whose values the options check."""
_NOT_IN_FILES = ("batch_in", "batch_out")
"""Options of one run of one judge."""


@cache
def option_types() -> Mapping[str, tuple[str, ...]]:
    """The options that a file may give, by name, with the types of their values; those of Python objects are absent."""
    found: dict[str, tuple[str, ...]] = {}
    for group in (ModelOptions, JudgeOptions, ServerOptions):
        for name, field in group.__dataclass_fields__.items():
            stated = [_NAMED.get(part, part) for part in str(field.type).split(" | ")]
            known = tuple(part for part in stated if part in _TYPES)
            if known and known != ("None",) and name not in _NOT_IN_FILES:
                found.setdefault(name, known)
    return found


def check_type(value: object, types: tuple[str, ...]) -> str | None:
    """Return what a value must be, if it is something else; else None."""
    if any(_TYPES[one][1](value) for one in types):
        return None
    return " or ".join(_TYPES[one][0] for one in types)
