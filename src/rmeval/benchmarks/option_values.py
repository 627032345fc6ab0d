"""Checks of the values of a benchmark's options, which may come from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rmeval.errors import DataError
from rmeval.messages import quoted

__all__ = ["list_of_texts", "mapping_of_texts"]


def mapping_of_texts(value: Any, option: str) -> Mapping[str, str]:
    """Check the value of an option that is a mapping of strings; empty for None.

    Raises:
        DataError: If it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for pair in value.items() for one in pair):
        raise DataError(f"{option} must be a mapping of strings, such as {{'human': 'user'}}, not {quoted(value)}")
    return value


def list_of_texts(value: Any, option: str) -> Sequence[str]:
    """Check the value of an option that is a list of strings; empty for None.

    Raises:
        DataError: If it is something else.
    """
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise DataError(f"{option} must be a list of strings, such as ['name'], not {quoted(value)}")
    return value
