"""Limits on the memory and time that an input file may take; each can be set by an environment variable."""

from __future__ import annotations

import os
from dataclasses import dataclass

from rmeval.errors import RmevalError

__all__ = ["LIMITS", "Limit", "limit"]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on one resource.

    Attributes:
        default: Value that applies unless the environment sets another.
        what: The unit, for messages and documentation.
    """

    default: int
    what: str


LIMITS = {
    "ROWS": Limit(100_000_000, "rows of one file"),
    "LINE_BYTES": Limit(
        1 << 30, "characters of one line or JSON document, and bytes of one row of parquet, decompressed"
    ),
    "FILE_BYTES": Limit(1 << 40, "bytes of one file, decompressed"),
    "BUNDLE_BYTES": Limit(1 << 32, "bytes of the files of one bundle, decompressed"),
    "COLUMNS": Limit(10_000, "columns of a table"),
    "NESTING": Limit(100, "levels of nested lists and objects"),
    "NAME_CHARACTERS": Limit(10_000, "characters of a name, such as an id or a subset"),
    "SUBSETS": Limit(50_000, "subsets of preference pairs"),
    "RESPONSES": Limit(100, "responses of one prompt of which all pairs are compared"),
    "YAML_CHARACTERS": Limit(1_000_000, "characters of a YAML file, and values in it with aliases expanded"),
    "ALIASES": Limit(1_000, "aliases of a YAML file"),
    "TEMPLATE_SECONDS": Limit(60, "seconds for one conversation in a chat template"),
    "TEMPLATE_CHARACTERS": Limit(100_000_000, "characters that a chat template renders for one conversation"),
}
"""Limits by name. The environment variable `RMEVAL_MAX_<NAME>` sets a limit."""

_MOST = 1 << 62


def limit(name: str) -> int:
    """Return the value of a limit.

    Args:
        name: One of `LIMITS`.

    Raises:
        RmevalError: If the environment sets it to something other than a positive whole number.
    """
    variable = f"RMEVAL_MAX_{name}"
    value = os.environ.get(variable)
    if value is None:
        return LIMITS[name].default
    try:
        found = int(value)
    except ValueError:
        found = 0
    if found < 1:
        raise RmevalError(f"{variable} is {value!r}: set it to a positive whole number ({LIMITS[name].what})")
    # Python's readers do not accept larger sizes, and larger limits have no effect.
    return min(found, _MOST)
