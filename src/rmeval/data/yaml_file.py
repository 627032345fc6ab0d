"""Reading of YAML files of users: strings, numbers, true, false and null, in lists and mappings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rmeval.data.unpacking import errors_of, text_of, whole_of
from rmeval.errors import DataError, reason_of
from rmeval.limits import limit
from rmeval.messages import quoted, shortened

__all__ = ["Lines", "read_yaml"]


Lines = dict[tuple[str | int, ...], int]
"""Line numbers by the keys and indices that lead to a value."""


def read_yaml(path: Path, lines: Lines | None = None) -> Any:
    """Read one document of YAML's core schema, without tags.

    Dates and numbers in base 60 are read as text.

    Args:
        path: The file.
        lines: Receives the line number of each value, for messages.

    Raises:
        DataError: If the file cannot be read or contains something else; the message names the line.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    with errors_of(path), text_of(path) as file:
        text = whole_of(file, path, "YAML_CHARACTERS")
    try:
        return _Document(path, YAML(typ="safe", pure=True).parse(text), {} if lines is None else lines).value()
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path} line {mark.line + 1}" if mark else str(path)
        reason = shortened(getattr(error, "problem", None) or str(error).partition("\n")[0])
        raise DataError(f"{where}: broken YAML ({reason}): correct it") from error
    except (ValueError, OverflowError, AssertionError) as error:
        # ruamel raises these for escapes beyond the last character and for unknown versions of YAML.
        raise DataError(f"{path}: broken YAML ({shortened(reason_of(error))}): correct it") from error


class _Document:
    """Builder of a value from the events of a YAML parser."""

    def __init__(self, path: Path, events: Iterator[Any], lines: Lines) -> None:
        self._path, self._events, self._lines = path, events, lines
        self._place: tuple[str | int, ...] = ()
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._aliases = 0

    def value(self) -> Any:
        """Return the value of the only document; None for an empty file."""
        found, documents = None, 0
        for event in self._events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise self._wrong(event, "a second document begins: keep one document")
            elif kind not in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent"):
                found, _ = self._node(event, 1)
        return found

    def _node(self, event: Any, depth: int) -> tuple[Any, int]:
        """Return a value, and the number of values in it with aliases expanded."""
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event)
        if depth > limit("NESTING"):
            raise self._wrong(event, f"lists and mappings are nested more than {limit('NESTING')} deep")
        if event.tag is not None and not (kind == "ScalarEvent" and event.tag == "!"):
            raise self._wrong(event, f"the tag {quoted(str(event.tag))} is not supported: remove it")
        makers: dict[str, Callable[[Any, int], tuple[Any, int]]] = {
            "ScalarEvent": self._scalar,
            "SequenceStartEvent": self._list,
            "MappingStartEvent": self._mapping,
        }
        self._lines[self._place] = event.start_mark.line + 1
        found = makers[kind](event, depth)
        if found[1] > limit("YAML_CHARACTERS"):
            raise self._wrong(event, "its aliases expand to too many values: write the values out")
        if event.anchor is not None:
            self._anchors[event.anchor] = found
        return found

    def _within(self, key: str | int, event: Any, depth: int) -> tuple[Any, int]:
        """Return the value of a list or mapping at an index or key."""
        above, self._place = self._place, (*self._place, key)
        found = self._node(event, depth + 1)
        self._place = above
        return found

    def _alias(self, event: Any) -> tuple[Any, int]:
        self._aliases += 1
        if self._aliases > limit("ALIASES"):
            raise self._wrong(event, f"there are more than {limit('ALIASES')} aliases (RMEVAL_MAX_ALIASES)")
        if event.anchor not in self._anchors:
            raise self._wrong(
                event, f"the alias {quoted(str(event.anchor))} has no anchor before it: add one, or write the value out"
            )
        return self._anchors[event.anchor]

    def _scalar(self, event: Any, depth: int) -> tuple[Any, int]:
        plain = event.style in (None, "") and event.tag is None
        try:
            return (_plain(event.value) if plain else event.value), 1
        except ValueError as error:
            raise self._wrong(event, f"the number {shortened(event.value)} has too many digits") from error

    def _list(self, start: Any, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        total = 1
        while type(event := next(self._events)).__name__ != "SequenceEndEvent":
            value, size = self._within(len(found), event, depth)
            found.append(value)
            total += size
        return found, total

    def _mapping(self, start: Any, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        total = 1
        while type(event := next(self._events)).__name__ != "MappingEndEvent":
            key = event.value if type(event).__name__ == "ScalarEvent" and event.tag is None else None
            if key is None:
                raise self._wrong(event, "a key is not a string: quote it")
            value, size = self._within(key, next(self._events), depth)
            total += size
            if key == "<<" and event.style in (None, ""):
                merged = self._merged(event, value) | merged
            elif key in found:
                raise self._wrong(event, f"the key {quoted(key)} occurs twice: keep one")
            else:
                found[key] = value
        return merged | found, total

    def _merged(self, event: Any, value: Any) -> dict[str, Any]:
        """Return the mapping of a merge key; of several mappings, the first takes precedence."""
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise self._wrong(event, "the value of '<<' must be a mapping or a list of mappings")
        return {key: own for part in reversed(parts) for key, own in part.items()}

    def _wrong(self, event: Any, what: str) -> DataError:
        return DataError(f"{self._path} line {event.start_mark.line + 1}: {what}")


_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def _plain(text: str) -> Any:
    """Return the value of a scalar without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text.replace("_", ""))
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text
