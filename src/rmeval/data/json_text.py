"""Strict reading of external JSON; ambiguous text is an error."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from rmeval.limits import limit
from rmeval.messages import quoted, shortened

__all__ = ["JSONError", "json_values", "parse_json", "with_whole_characters"]


class JSONError(ValueError):
    """Text that follows the grammar of JSON but is ambiguous or exceeds a limit."""


def parse_json(text: str, *, finite: bool = False, control: bool = False, halves: bool = False) -> Any:
    """Read one JSON value.

    Args:
        text: The text.
        finite: Whether to reject NaN and infinities, which are not valid JSON but written by some tools.
        control: Whether to accept control characters within strings, which JSON does not allow.
        halves: Whether to read half of a surrogate pair as U+FFFD, the replacement character.

    Raises:
        JSONDecodeError: If the text is not JSON.
        JSONError: If an object repeats a key, a string contains half of a surrogate pair, a number cannot be read, or
            lists and objects are nested too deeply.
    """
    value, end = _next_value(text, _SPACE.match(text, 0).end(), finite, control, halves)  # type: ignore[union-attr]
    if (end := _SPACE.match(text, end).end()) != len(text):  # type: ignore[union-attr]
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def json_values(text: str) -> Iterator[Any]:
    """Read consecutive JSON values, with or without spaces between them.

    Raises:
        JSONDecodeError: If the text contains something else.
        JSONError: See `parse_json`.
    """
    place = _SPACE.match(text, 0).end()  # type: ignore[union-attr]
    while place < len(text):
        value, place = _next_value(text, place, False, False, False)
        yield value
        place = _SPACE.match(text, place).end()  # type: ignore[union-attr]


_SPACE = re.compile(r"[ \t\n\r]*")


def with_whole_characters(value: Any) -> Any:
    """A JSON value with U+FFFD for each half of a surrogate pair in its strings, such as of an emoji that was cut."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(_HALF.sub("\ufffd", text)) if _HALF.search(text) else value


_HALF = re.compile("[\ud800-\udfff]")


def _next_value(text: str, place: int, finite: bool, control: bool, halves: bool) -> tuple[Any, int]:
    try:
        value, end = _decoder(finite, control).raw_decode(text, place)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError | JSONError):
            raise
        raise JSONError("a whole number has too many digits") from error
    # Only text with that many brackets can be nested too deeply; only escapes can encode half of a surrogate pair.
    brackets = text.count("[", place, end) + text.count("{", place, end)
    if brackets > 1 and brackets > (most := limit("NESTING")) and _is_deeper(value, most):
        raise _too_deep()
    if text.find("\\u", place, end) >= 0 and _SURROGATE.search(text, place, end):
        whole = with_whole_characters(value)
        if whole is not value and not halves:
            raise JSONError("a string contains half of a surrogate pair, which is not a character")
        return whole, end
    return value, end


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@cache
def _decoder(finite: bool, control: bool) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object,
        parse_constant=_no_constant if finite else None,
        parse_float=_finite if finite else None,
        strict=not control,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        ((name, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise JSONError(f"an object has the key {quoted(name)} twice")
    return found


def _no_constant(name: str) -> Any:
    raise JSONError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise JSONError(f"the number {shortened(text)} is too large")
    return value


def _too_deep() -> JSONError:
    return JSONError(f"lists and objects are nested more than {limit('NESTING')} deep (RMEVAL_MAX_NESTING)")


def _is_deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            one
            for own in level
            if isinstance(own, dict | list)
            for one in (own.values() if isinstance(own, dict) else own)
            if isinstance(one, dict | list)
        ]
        if not level:
            return False
    return True
