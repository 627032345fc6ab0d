"""Checks of answers, which all dialects share: number and order of entries, and numbers that are numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rmeval.messages import count_of, shortened
from rmeval.transport.dialects.base import AnswerError, Values

__all__ = ["entries", "field", "in_order", "labelled", "numbers"]

_SHOWN = 80
_LARGEST = float(np.finfo(np.float64).max)


def field(data: Any, *path: str | int) -> Any:
    """The value at a path of keys and positions.

    Raises:
        AnswerError: If there is none.
    """
    for place, key in enumerate(path):
        found = isinstance(data, list) and key < len(data) if isinstance(key, int) else key in _mapping(data)
        if not found:
            where = ".".join(map(str, path[: place + 1]))
            raise AnswerError(f"the answer has no {where}: {shortened(data, _SHOWN)}")
        data = data[key]
    return data


def _mapping(data: Any) -> Mapping[str, Any]:
    return data if isinstance(data, Mapping) else {}


def entries(data: Any, count: int, what: str = "data") -> list[Any]:
    """A list with one entry for each input.

    Raises:
        AnswerError: If it is not a list, or has another number of entries.
    """
    if not isinstance(data, list):
        raise AnswerError(f"{what} of the answer is not a list: {shortened(data, _SHOWN)}")
    if len(data) != count:
        raise AnswerError(f"the answer has {_entries(len(data))} for {count_of(count, 'input')}")
    return data


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def in_order(data: Any, count: int, what: str = "data") -> list[Any]:
    """The entries of a list in the order of the inputs, as the `index` of each entry states it.

    Raises:
        AnswerError: If the indices are not those of the inputs, each once.
    """
    found = entries(data, count, what)
    places = [field(one, "index") for one in found]
    if sorted(places, key=repr) != sorted(range(count), key=repr) or any(type(one) is not int for one in places):
        raise AnswerError(
            f"the answer's indices {shortened(places, _SHOWN)} are not those of {_inputs(count)}, each once"
        )
    return [one for _, one in sorted(zip(places, found, strict=True), key=lambda pair: pair[0])]


def _inputs(count: int) -> str:
    return count_of(count, "input")


def numbers(value: Any, what: str) -> Values:
    """A number, or a list of at least one number, as the outputs for one input.

    Raises:
        AnswerError: If it is anything else, or a number is not finite.
    """
    given = value if isinstance(value, list) else [value]
    if not given:
        raise AnswerError(f"{what} of the answer is an empty list")
    for one in given:
        if type(one) not in (int, float):
            raise AnswerError(f"{what} of the answer contains {shortened(one, _SHOWN)} where a number must be")
        if not abs(one) <= _LARGEST:
            raise AnswerError(f"{what} of the answer contains {shortened(one, _SHOWN)} where a finite number must be")
    return Values(np.array(given, np.float64))


_NUMBERED = re.compile(r"(.*?)(\d+)")


def labelled(pairs: Sequence[tuple[Any, Any]], what: str) -> Values:
    """The outputs for one input, ordered by their labels: `LABEL_0`, `LABEL_1`, ... or alphabetically.

    Servers sort such outputs by score, so their order says nothing.

    Raises:
        AnswerError: If a label is not a text or occurs twice, or a score is not a finite number.
    """
    labels = [label for label, _ in pairs]
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) < len(labels):
        raise AnswerError(f"the labels {shortened(labels, _SHOWN)} of the answer are not different texts")
    ordered = sorted(pairs, key=lambda pair: _rank(pair[0]))
    found = numbers([score for _, score in ordered], what)
    return found._replace(labels=tuple(label for label, _ in ordered))


def _rank(label: str) -> tuple[str, int, str]:
    found = _NUMBERED.fullmatch(label)
    return (found[1], int(found[2]), label) if found else (label, -1, label)
