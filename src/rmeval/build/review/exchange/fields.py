"""Fields of JSON files that other tools wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rmeval.data.json_text import JSONError, parse_json
from rmeval.errors import DataError, explain_read_error, reason_of
from rmeval.files import opened

__all__ = ["list_at", "mapping_at", "read_json_list", "text_at"]


def read_json_list(path: Path) -> list[dict[str, Any]]:
    """Read a JSON file that is a list of objects.

    Raises:
        RmevalError: If it cannot be read, or is something else.
    """
    try:
        with opened(path) as file:
            found = parse_json(file.read().decode("utf-8-sig"), control=True)
    except OSError as error:
        raise explain_read_error(error, path) from error
    except (ValueError, JSONError) as error:
        raise DataError(f"{path} is not JSON ({reason_of(error)}): export the project as JSON") from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DataError(f"{path} is not a list of tasks: export the project as JSON")
    return found


def mapping_at(value: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    """Return a field that is an object.

    Raises:
        DataError: If it is missing or something else.
    """
    found = value.get(name)
    if not isinstance(found, Mapping):
        raise DataError(f"{where}: the field {name} is not an object: import a file that the tool exported")
    return found


def list_at(value: Mapping[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    """Return a field that is a list of objects.

    Raises:
        DataError: If it is missing or something else.
    """
    found = value.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DataError(f"{where}: the field {name} is not a list of objects: import a file that the tool exported")
    return found


def text_at(value: Mapping[str, Any], name: str, where: str) -> str:
    """Return a field that is a text.

    Raises:
        DataError: If it is missing or something else.
    """
    found = value.get(name)
    if not isinstance(found, str):
        raise DataError(f"{where}: the field {name} is not a text: import a file made from an export of rmeval")
    return found
